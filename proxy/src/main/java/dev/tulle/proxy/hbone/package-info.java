/** Tunnels between nodes (HBONE): a CONNECT stream of an HTTP/2 connection of mutual TLS as a channel of bytes, and the caller's end. */
@NullMarked
package dev.tulle.proxy.hbone;

import org.jspecify.annotations.NullMarked;
