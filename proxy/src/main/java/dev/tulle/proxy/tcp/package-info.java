/** Connections relayed as bytes. */
@NullMarked
package dev.tulle.proxy.tcp;

import org.jspecify.annotations.NullMarked;
