/** The kernel's parser of HTTP heads against the proxy's. */
@NullMarked
package dev.tulle.it.parser;

import org.jspecify.annotations.NullMarked;
