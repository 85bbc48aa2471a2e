package dev.tulle.proxy.hbone;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.model.Caller;
import dev.tulle.proxy.identity.Identities;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.From;
import dev.tulle.proxy.upstream.UpstreamChannels;
import dev.tulle.proxy.upstream.Way;
import io.netty.channel.ChannelHandler;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The tunnels of one loop to workloads of other nodes. A connection to a node belongs to one identity: what goes through it
 * is said by that one. Loop-confined.
 */
public final class Tunnels {
    /** A prefix of what is said of a tunnel that there is not. */
    static final String TROUBLE = "tunnel: ";

    private record Key(SpiffeId source, InetSocketAddress node) {}

    private final Worker worker;
    private final Identities identities;
    private final SpiffeId own;
    private final Map<Key, NodeTunnels> nodes = new HashMap<>();

    /**
     * Without any.
     *
     * @param own the identity of the proxy, for callers that have none
     */
    public Tunnels(Worker worker, Identities identities, SpiffeId own) {
        this.worker = worker;
        this.identities = identities;
        this.own = own;
    }

    /** The way to a workload of another node. */
    public Way to(TunnelTarget target) {
        return new Through(this, target);
    }

    private record Through(Tunnels tunnels, TunnelTarget target) implements Way {
        @Override
        public void connect(
                From from,
                InetSocketAddress address,
                int timeoutMillis,
                ChannelHandler handler,
                UpstreamChannels.Ended then) {
            tunnels.open(target, from, address, timeoutMillis, handler, then);
        }
    }

    private void open(
            TunnelTarget target,
            From from,
            InetSocketAddress address,
            int timeoutMillis,
            ChannelHandler handler,
            UpstreamChannels.Ended then) {
        SpiffeId source;
        try {
            source = identity(from.caller());
        } catch (IllegalArgumentException e) {
            worker.loop().execute(() -> then.ended(null, new IOException(TROUBLE + e.getMessage(), e)));
            return;
        }
        TunnelOpening opening = new TunnelOpening(worker, target, from, address, timeoutMillis, handler, then);
        // Nobody is called back before this returns.
        worker.loop().execute(() -> nodes.computeIfAbsent(
                        new Key(source, target.node()), key -> new NodeTunnels(this, key.source(), key.node()))
                .open(opening));
    }

    private SpiffeId identity(Caller caller) {
        return caller.principal().isEmpty() ? own : SpiffeId.parse("spiffe://" + caller.principal());
    }

    Worker worker() {
        return worker;
    }

    Identities identities() {
        return identities;
    }

    void forgetIfUnused(NodeTunnels one) {
        if (one.isUnused()) {
            nodes.remove(new Key(one.source(), one.node()), one);
        }
    }

    /** Certificates have changed: connections that were made with others end after their last tunnel. */
    public void renew() {
        for (NodeTunnels one : List.copyOf(nodes.values())) {
            one.renew(identities.of(one.source()));
        }
    }

    /** Connections that there are now. */
    public int connections() {
        return nodes.values().stream().mapToInt(NodeTunnels::connections).sum();
    }

    /** The proxy ends. */
    public void close() {
        List.copyOf(nodes.values()).forEach(NodeTunnels::close);
    }
}
