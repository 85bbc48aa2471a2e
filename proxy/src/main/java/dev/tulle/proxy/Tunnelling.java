package dev.tulle.proxy;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.model.Caller;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.WorkloadAddresses;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.hbone.TunnelTarget;
import dev.tulle.proxy.hbone.TunnelTargets;
import dev.tulle.proxy.hbone.Tunnels;
import dev.tulle.proxy.identity.Identities;
import dev.tulle.proxy.inbound.InboundScope;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.Way;
import dev.tulle.xds.XdsClient;
import io.netty.channel.ChannelHandler;
import java.time.Clock;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Both ends of tunnels to other nodes, as one proxy has them; shared by all loops. Any thread. */
final class Tunnelling implements AutoCloseable {
    private final XdsClient agent;
    private final TunnelTargets targets;
    private final SpiffeId own;
    private final Identities identities;
    private final WorkloadAddresses workloads;
    private final InboundScope inbound;
    private final Map<Worker, Tunnels> loops = new ConcurrentHashMap<>();

    /**
     * Without any yet.
     *
     * @param agent gives certificates; closed with this
     * @param targets which endpoints are on other nodes
     * @param callers who calls from there
     */
    Tunnelling(
            XdsClient agent,
            TunnelTargets targets,
            ProxyOptions options,
            XdsClient control,
            WorkloadDirectory callers) {
        this.agent = agent;
        this.targets = targets;
        this.own = SpiffeId.proxy(Caller.TRUST_DOMAIN, options.nodeId());
        this.identities = new Identities(agent, Clock.systemUTC());
        this.workloads = new WorkloadAddresses(control, options.nodeId(), options.idleExpiry());
        this.inbound = new InboundScope(identities, own, workloads, callers);
        // Asked for now: the first caller need not wait for it.
        var _ = identities.of(own);
        identities.onChange(
                () -> loops.forEach((worker, tunnels) -> worker.loop().execute(tunnels::renew)));
    }

    /** The ways of one loop. */
    Way.Map ways(Worker worker) {
        Tunnels tunnels = loops.computeIfAbsent(worker, key -> new Tunnels(key, identities, own));
        return endpoint -> {
            TunnelTarget target = targets.of(endpoint);
            return target == null ? null : tunnels.to(target);
        };
    }

    /** Who has a workload's address. */
    WorkloadAddresses addresses() {
        return workloads;
    }

    /** The first handler of a connection of another node. */
    ChannelHandler first(LoopScope scope) {
        return inbound.first(scope);
    }

    /** Told of every port of this node's workloads that nobody calls any more. */
    void onForgotten(Consumer<OutboundService> listener) {
        workloads.onForgotten(listener);
    }

    /** What is wrong with the certificates; empty for nothing. */
    String trouble() {
        return identities.trouble();
    }

    /** Connections to other nodes are closed, on their loops. */
    @Override
    public void close() {
        loops.forEach(
                (worker, tunnels) -> worker.loop().submit(tunnels::close).awaitUninterruptibly(1, TimeUnit.SECONDS));
        workloads.close();
        identities.close();
        agent.close();
    }
}
