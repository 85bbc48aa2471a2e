package dev.tulle.proxy.forward;

import dev.tulle.model.Http2Options;
import dev.tulle.proxy.lease.Leases;
import dev.tulle.proxy.upstream.Upstreams;
import dev.tulle.telemetry.AccessLog;
import dev.tulle.telemetry.Counter;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What the HTTP connections of one loop share.
 *
 * @param upstreams the services
 * @param leases what the kernel may do instead
 * @param accessLog null to log nothing
 * @param logsEverything false to log only what did not end well
 * @param draining true when connections are to close after their current request
 * @param edge how connections of HTTP/2 from outside are kept
 * @param malformed requests refused because they break the protocol
 * @param lostMirrors copies of requests that did not arrive whole
 */
public record HttpScope(
        Upstreams upstreams,
        Leases leases,
        @Nullable AccessLog accessLog,
        boolean logsEverything,
        BooleanSupplier draining,
        Http2Options edge,
        Counter malformed,
        Counter lostMirrors) {}
