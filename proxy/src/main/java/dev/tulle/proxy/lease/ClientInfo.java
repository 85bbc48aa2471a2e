package dev.tulle.proxy.lease;

import io.netty.buffer.ByteBuf;

/**
 * What the kernel says of a client's connection.
 *
 * @param lease name of the connection to an endpoint that it has; 0 for none
 * @param state of that
 * @param taken the state that it was in when it became the proxy's; {@link LeaseState#PROXY} while it is not
 * @param sinceNanos when the last request was taken, as {@link System#nanoTime}; 0 for none yet
 * @param owned true while the kernel may take the next request
 * @param gives how often giving it to the kernel came in time
 * @param head the last request that was taken, without its body; not pooled
 * @param bodyLength bytes of that request's body
 * @param left bytes of it that the client has still to send, in or taken from {@link LeaseState#BODY}
 */
public record ClientInfo(
        long lease,
        LeaseState state,
        LeaseState taken,
        long sinceNanos,
        boolean owned,
        int gives,
        ByteBuf head,
        int bodyLength,
        long left) {}
