/** The commands that ask or change a running mesh, and those that need none. */
@NullMarked
package dev.tulle.cli.command;

import org.jspecify.annotations.NullMarked;
