package dev.tulle.proxy;

import dev.tulle.common.LoopNumber;
import dev.tulle.model.Endpoint;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.accept.Sources;
import dev.tulle.proxy.accept.Turns;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.forward.HttpScope;
import dev.tulle.proxy.lease.HttpOptions;
import dev.tulle.proxy.lease.LeaseMetrics;
import dev.tulle.proxy.lease.Leases;
import dev.tulle.proxy.loop.EpollLoops;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.share.Budget;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.share.Shares;
import dev.tulle.proxy.tcp.TcpScope;
import dev.tulle.proxy.upstream.MetricHandles;
import dev.tulle.proxy.upstream.OutcomeDirectory;
import dev.tulle.proxy.upstream.Upstreams;
import dev.tulle.proxy.upstream.Way;
import dev.tulle.telemetry.AccessLog;
import dev.tulle.telemetry.Counter;
import dev.tulle.telemetry.IstioMetrics;
import dev.tulle.telemetry.MetricFamily;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.telemetry.WorkloadLabels;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The proxy's event loops, each with everything that its connections need. Any thread, once they are made. */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class ProxyLoops {
    private final ProxyOptions options;
    private final EpollLoops epoll = new EpollLoops();
    private final MultiThreadIoEventLoopGroup group;
    private final Map<EventLoop, LoopScope> scopes = new LinkedHashMap<>();

    ProxyLoops(ProxyOptions options) {
        this.options = options;
        this.group = new MultiThreadIoEventLoopGroup(
                options.loops(), new DefaultThreadFactory("proxy-worker"), epoll.factory());
    }

    EventLoopGroup group() {
        return group;
    }

    /** Of every loop. */
    Collection<LoopScope> scopes() {
        return scopes.values();
    }

    /** Of the loop that a channel lives on. */
    LoopScope scope(Channel channel) {
        LoopScope scope = scopes.get(channel.eventLoop());
        if (scope == null) {
            throw new IllegalStateException("a channel lives on a loop that is not the proxy's");
        }
        return scope;
    }

    /**
     * Makes what each loop needs; once, before anything is accepted.
     *
     * @param connections all open client connections of the proxy
     * @param draining true when connections are to close after their current request
     * @param kernel the kernel's HTTP programs, one for each loop
     * @param budget what all clients may have
     * @param tunnels to other nodes; null for none
     */
    void make(
            MetricRegistry registry,
            Directories directories,
            Sources sources,
            @Nullable AccessLog accessLog,
            ChannelGroup connections,
            BooleanSupplier draining,
            Supplier<HttpOptions> kernel,
            Budget budget,
            @Nullable Tunnelling tunnels) {
        IstioMetrics istio = new IstioMetrics(registry);
        MetricFamily<Counter> refused = registry.counter(
                "tulle_proxy_connections_refused_total", "Connections closed without being served.", "reason");
        Counter malformed = registry.counter(
                        "tulle_proxy_malformed_requests_total", "Requests refused because they break the protocol.")
                .with();
        Counter lostMirrors = registry.counter(
                        "tulle_proxy_mirrors_lost_total", "Copies of mirrored requests that did not arrive whole.")
                .with();
        WorkloadDirectory.Entry outside = WorkloadDirectory.Entry.fixed(WorkloadLabels.UNKNOWN);
        boolean logsAll = options.accessLogMode() == ProxyOptions.AccessLogMode.ALL;
        ByteBufAllocator allocator = PooledByteBufAllocator.DEFAULT;
        Function<Endpoint, WorkloadDirectory.Entry> destinations =
                endpoint -> destination(directories.workloads(), endpoint);
        LeaseMetrics leased = new LeaseMetrics(registry);
        // Two proxies run at once while one takes over from the other: their loops are different ones.
        long process = ProcessHandle.current().pid();
        OutcomeDirectory outcomes = new OutcomeDirectory();
        Shares shares = new Shares(budget, registry);
        int loops = 0;
        for (EventExecutor executor : group) {
            EventLoop loop = (EventLoop) executor;
            Worker worker = new Worker(loop, allocator);
            Leases leases = new Leases(worker, kernel.get(), LoopNumber.of(process, loops++), leased);
            Upstreams upstreams = new Upstreams(
                    worker,
                    options.loops(),
                    istio,
                    destinations,
                    leases,
                    directories.policies(),
                    outcomes,
                    directories.transports(),
                    tunnels == null ? Way.Map.DIRECT : tunnels.ways(worker));
            scopes.put(
                    loop,
                    new LoopScope(
                            worker,
                            upstreams,
                            directories.services(),
                            sources,
                            directories.policies(),
                            tunnels == null ? null : tunnels.addresses(),
                            new HttpScope(
                                    upstreams,
                                    leases,
                                    accessLog,
                                    logsAll,
                                    draining,
                                    options.edgeHttp2(),
                                    malformed,
                                    lostMirrors),
                            new TcpScope(accessLog, logsAll),
                            new MetricHandles(istio, outside),
                            refused,
                            new LoopShares(shares, epoll.passes(loop)),
                            new Turns(loop),
                            connections,
                            options.outboundPolicy() == ProxyOptions.OutboundPolicy.ALLOW_ANY,
                            options.onDemandTimeout().toNanos(),
                            options.range()));
        }
    }

    /** The workload behind an endpoint: by its address, or by its name where all share the loopback address. */
    private WorkloadDirectory.Entry destination(WorkloadDirectory workloads, Endpoint endpoint) {
        WorkloadLabels named = WorkloadLabels.named(endpoint.workload(), endpoint.namespace());
        boolean shared =
                endpoint.address().startsWith("127.") || endpoint.address().equals("::1");
        String name = shared
                ? options.nodeId() + "/" + endpoint.namespace() + "/" + endpoint.workload()
                : "/" + endpoint.address();
        return endpoint.workload().isEmpty() && shared
                ? WorkloadDirectory.Entry.fixed(named)
                : workloads.lookup(name, named);
    }

    /** Ends them, with what is still open on them. */
    void close() {
        for (LoopScope scope : scopes.values()) {
            scope.worker()
                    .loop()
                    .submit(() -> {
                        scope.upstreams().close();
                        scope.worker().stop();
                    })
                    .awaitUninterruptibly(1, TimeUnit.SECONDS);
        }
        group.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(3, TimeUnit.SECONDS);
    }
}
