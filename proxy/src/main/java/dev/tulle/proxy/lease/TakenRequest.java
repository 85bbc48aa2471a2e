package dev.tulle.proxy.lease;

import io.netty.buffer.ByteBuf;

/**
 * A request that the kernel has sent on a connection to an endpoint and whose response, or what is left of it, is the
 * proxy's to pass on.
 *
 * @param head the request without its body; not pooled
 * @param bodyLength bytes of its body; nobody has kept those that were sent
 * @param left bytes of it that the client has still to send
 * @param sinceNanos when the kernel took it, as {@link System#nanoTime}
 * @param timeoutMillis the route's timeout, from sinceNanos on, which for a body in several sends is longer by the time that
 *     these took; 0 for none
 * @param code of the response, if its head was forwarded; otherwise 0
 * @param remaining bytes of the response's body to come, if its head was forwarded
 * @param unproven true when the connection to the endpoint must not carry another request
 */
public record TakenRequest(
        ByteBuf head,
        int bodyLength,
        long left,
        long sinceNanos,
        int timeoutMillis,
        int code,
        long remaining,
        boolean unproven) {
    /** True when the client has got the response's head. */
    public boolean isAnswered() {
        return code != 0;
    }
}
