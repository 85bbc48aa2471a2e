/** What commands print: tables, JSON, YAML. */
@NullMarked
package dev.tulle.cli.output;

import org.jspecify.annotations.NullMarked;
