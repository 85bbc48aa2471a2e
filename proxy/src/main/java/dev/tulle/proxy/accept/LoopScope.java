package dev.tulle.proxy.accept;

import dev.tulle.proxy.discovery.PolicyDirectory;
import dev.tulle.proxy.discovery.ServiceDirectory;
import dev.tulle.proxy.http.HttpScope;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.tcp.TcpScope;
import dev.tulle.proxy.upstream.MetricHandles;
import dev.tulle.proxy.upstream.Upstreams;
import dev.tulle.telemetry.Counter;
import dev.tulle.telemetry.MetricFamily;
import io.netty.channel.group.ChannelGroup;

/**
 * Everything that accepted connections of one loop need.
 *
 * @param policies who may reach which workload
 * @param passthrough metric handles of connections that leave the mesh
 * @param refused connections closed without being served, by reason
 * @param connections all open client connections of the proxy
 * @param passesUnknown true when destinations outside the mesh are passed through
 * @param onDemandNanos how long a connection waits for its service's configuration
 */
public record LoopScope(
        Worker worker,
        Upstreams upstreams,
        ServiceDirectory services,
        Sources sources,
        PolicyDirectory policies,
        HttpScope http,
        TcpScope tcp,
        MetricHandles passthrough,
        MetricFamily<Counter> refused,
        ChannelGroup connections,
        boolean passesUnknown,
        long onDemandNanos) {}
