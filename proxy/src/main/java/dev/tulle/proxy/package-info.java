/** The node proxy. */
@NullMarked
package dev.tulle.proxy;

import org.jspecify.annotations.NullMarked;
