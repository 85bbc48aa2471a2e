/**
 * HTTP/1.1 messages as bytes: heads are found and checked in one pass that makes no objects, bodies are framed strictly.
 * Whatever two implementations could read in two ways is refused here, and nothing is forwarded as it was framed.
 */
@NullMarked
package dev.tulle.proxy.http1;

import org.jspecify.annotations.NullMarked;
