package dev.tulle.proxy.lease;

import java.net.InetSocketAddress;

/**
 * What the kernel says of a connection to an endpoint.
 *
 * @param cookie the name given with its last accepted offer
 * @param state now
 * @param taken the state that it was in when it became the proxy's; {@link LeaseState#PROXY} while it is not
 * @param sinceNanos when the last request was sent on it, as {@link System#nanoTime}; 0 for none since the offer
 * @param remaining bytes to come: of the response's body in or taken from {@link LeaseState#ANSWER}, of the request's in
 *     or taken from {@link LeaseState#BODY}
 * @param unproven true while a piece of a request may still be on its way to the server: the connection must not carry
 *     another one
 * @param renew true when a new connection should take its place as soon as it is idle: the kernel has found out how the
 *     server reads, and would treat a new one in another way
 * @param timeoutMillis of the request from sinceNanos on, 0 for none; grows by the time that further sends of a body take
 * @param code of the response whose head was forwarded, 0 for none
 * @param client the client's own address
 */
public record LeaseInfo(
        long cookie,
        LeaseState state,
        LeaseState taken,
        long sinceNanos,
        long remaining,
        boolean unproven,
        boolean renew,
        int timeoutMillis,
        int code,
        InetSocketAddress client) {}
