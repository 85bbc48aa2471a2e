/**
 * Heads of HTTP/2 (RFC 9113) as those that the router reads, and back. What comes in HTTP/2 is put together as HTTP/1.1 and
 * read by the same strict parser, so that nothing can mean one thing here and another behind a conversion.
 */
@NullMarked
package dev.tulle.proxy.http2;

import org.jspecify.annotations.NullMarked;
