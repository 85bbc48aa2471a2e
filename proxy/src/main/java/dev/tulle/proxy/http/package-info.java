/** One HTTP/1.1 connection from a client, request by request. */
@NullMarked
package dev.tulle.proxy.http;

import org.jspecify.annotations.NullMarked;
