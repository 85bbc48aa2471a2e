package dev.tulle.proxy;

import dev.tulle.proxy.discovery.NameDirectory;
import dev.tulle.proxy.discovery.PolicyDirectory;
import dev.tulle.proxy.discovery.ServiceDirectory;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.transport.ClientTransports;
import dev.tulle.proxy.transport.FileWatch;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.xds.XdsClient;
import java.time.Clock;

/**
 * What the proxy follows of the configuration. Thread-safe.
 *
 * @param services by the address that is dialled
 * @param workloads behind addresses
 * @param policies of workloads
 * @param names of services
 * @param transports TLS to endpoints, with the files that it needs
 */
record Directories(
        ServiceDirectory services,
        WorkloadDirectory workloads,
        PolicyDirectory policies,
        NameDirectory names,
        ClientTransports transports) {
    /** Follows nothing yet. */
    static Directories of(XdsClient xds, ProxyOptions options, MetricRegistry registry) {
        return new Directories(
                new ServiceDirectory(xds, options.idleExpiry()),
                new WorkloadDirectory(xds, options.idleExpiry()),
                new PolicyDirectory(xds, options.nodeId(), options.idleExpiry(), registry),
                new NameDirectory(xds),
                new ClientTransports(new FileWatch(FileWatch.EVERY), Clock.systemUTC()));
    }
}
