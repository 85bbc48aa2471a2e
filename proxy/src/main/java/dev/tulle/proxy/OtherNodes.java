package dev.tulle.proxy;

import dev.tulle.common.Ip;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.model.Caller;
import dev.tulle.model.Endpoint;
import dev.tulle.model.NodePlace;
import dev.tulle.proxy.hbone.TunnelTarget;
import dev.tulle.proxy.hbone.TunnelTargets;
import java.net.InetSocketAddress;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Endpoints of other nodes, as the control plane says where they are: the proxy of that node takes the tunnel, and shows
 * that it is that node's.
 *
 * @param own the name of this node
 * @param port at which proxies take tunnels, the same on all nodes
 */
record OtherNodes(String own, int port) implements TunnelTargets {
    @Override
    public @Nullable TunnelTarget of(Endpoint endpoint) {
        NodePlace place = endpoint.node();
        if (port <= 0 || !place.isBeyond(own) || Ip.parse(place.address()).isEmpty()) {
            return null;
        }
        return new TunnelTarget(
                new InetSocketAddress(Ip.parse(place.address()).orElseThrow(), port),
                Set.of(SpiffeId.proxy(Caller.TRUST_DOMAIN, place.name())));
    }
}
