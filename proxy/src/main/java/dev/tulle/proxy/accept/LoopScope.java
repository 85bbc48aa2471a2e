package dev.tulle.proxy.accept;

import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import dev.tulle.proxy.discovery.PolicyDirectory;
import dev.tulle.proxy.discovery.ServiceDirectory;
import dev.tulle.proxy.discovery.WorkloadAddresses;
import dev.tulle.proxy.forward.HttpScope;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.tcp.TcpScope;
import dev.tulle.proxy.upstream.MetricHandles;
import dev.tulle.proxy.upstream.Upstreams;
import dev.tulle.telemetry.Counter;
import dev.tulle.telemetry.MetricFamily;
import io.netty.channel.group.ChannelGroup;
import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/**
 * Everything that accepted connections of one loop need.
 *
 * @param policies who may reach which workload
 * @param addresses who has a workload's address that is dialled; null where there are no other nodes
 * @param passthrough metric handles of connections that leave the mesh
 * @param refused connections closed without being served, by reason
 * @param shares what each client has of the proxy
 * @param turns in which order connections begin
 * @param connections all open client connections of the proxy
 * @param passesUnknown true when destinations outside the mesh are passed through
 * @param onDemandNanos how long a connection waits for its service's configuration
 * @param range the workloads' addresses
 */
public record LoopScope(
        Worker worker,
        Upstreams upstreams,
        ServiceDirectory services,
        Sources sources,
        PolicyDirectory policies,
        @Nullable WorkloadAddresses addresses,
        HttpScope http,
        TcpScope tcp,
        MetricHandles passthrough,
        MetricFamily<Counter> refused,
        LoopShares shares,
        Turns turns,
        ChannelGroup connections,
        boolean passesUnknown,
        long onDemandNanos,
        Cidr range) {
    /** Runs something on this loop: at once when called there. */
    public void onLoop(Runnable task) {
        if (worker.loop().inEventLoop()) {
            task.run();
        } else {
            worker.loop().execute(task);
        }
    }

    /** True for an address that a workload may have, of either family. */
    public boolean isOfMesh(InetAddress address) {
        byte[] raw = address.getAddress();
        // The IPv6 twins of mesh addresses all lie there.
        return raw.length == 4
                ? range.contains(Ip.text(address))
                : (raw[0] & 0xff) == 0xfd && raw[1] == 0x74 && raw[2] == 0x75;
    }
}
