/** What the protocols' halves and the router know of each other: one request of a client, and who the client is. */
@NullMarked
package dev.tulle.proxy.stream;

import org.jspecify.annotations.NullMarked;
