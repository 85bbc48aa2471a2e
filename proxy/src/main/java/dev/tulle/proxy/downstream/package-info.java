/** The side toward clients: one HTTP/1.1 connection, request by request, and how its responses are written. */
@NullMarked
package dev.tulle.proxy.downstream;

import org.jspecify.annotations.NullMarked;
