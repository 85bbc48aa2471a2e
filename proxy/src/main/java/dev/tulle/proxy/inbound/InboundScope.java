package dev.tulle.proxy.inbound;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.discovery.WorkloadAddresses;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.identity.Identities;
import io.netty.channel.ChannelHandler;

/**
 * What tunnels that come in need.
 *
 * @param identities what this node can show
 * @param own the identity of the node's proxy, under which tunnels are taken
 * @param workloads those that may be called
 * @param callers who calls
 */
public record InboundScope(
        Identities identities, SpiffeId own, WorkloadAddresses workloads, WorkloadDirectory callers) {
    /** The first handler of a connection to the port for tunnels. */
    public ChannelHandler first(LoopScope loop) {
        return new InboundPort(this, loop);
    }
}
