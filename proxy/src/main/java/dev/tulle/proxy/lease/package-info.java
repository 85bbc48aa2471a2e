/**
 * The proxy's side of kernel HTTP: which client connections the kernel may take requests from, which connections to
 * endpoints it may use for them, and what becomes of a request that it has taken and cannot finish.
 */
@NullMarked
package dev.tulle.proxy.lease;

import org.jspecify.annotations.NullMarked;
