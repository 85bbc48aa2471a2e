package dev.tulle.proxy;

import dev.tulle.common.LoopNumber;
import dev.tulle.model.Endpoint;
import dev.tulle.proxy.accept.Listeners;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.accept.Sources;
import dev.tulle.proxy.accept.Turns;
import dev.tulle.proxy.admin.AdminApi;
import dev.tulle.proxy.admin.AdminPages;
import dev.tulle.proxy.discovery.NameDirectory;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.PolicyDirectory;
import dev.tulle.proxy.discovery.ServiceDirectory;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.downstream.HttpClientConnection;
import dev.tulle.proxy.forward.HttpScope;
import dev.tulle.proxy.handover.AgentSockets;
import dev.tulle.proxy.handover.HandOver;
import dev.tulle.proxy.handover.Inheritance;
import dev.tulle.proxy.handover.Predecessor;
import dev.tulle.proxy.hbone.TunnelTargets;
import dev.tulle.proxy.lease.HttpOptions;
import dev.tulle.proxy.lease.LeaseMetrics;
import dev.tulle.proxy.lease.Leases;
import dev.tulle.proxy.lease.SocketHttpOptions;
import dev.tulle.proxy.loop.EpollLoops;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.share.Budget;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.share.Shares;
import dev.tulle.proxy.tcp.TcpScope;
import dev.tulle.proxy.transport.ClientTransports;
import dev.tulle.proxy.transport.FileWatch;
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
import dev.tulle.xds.XdsClient;
import dev.tulle.xds.XdsClientOptions;
import dev.tulle.xds.XdsClients;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The node proxy, or the same at the mesh's edge: accepts connections, follows the configuration of the services they go to, and forwards. {@link #close}
 * drains. Thread-safe; sockets live on event loops, one worker each.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class NodeProxy implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(NodeProxy.class.getName());

    /** How long a process that is to take over waits for its first configuration. */
    private static final Duration CONTROL_PATIENCE = Duration.ofSeconds(20);

    /** How long it waits to hear which ports are published. */
    private static final Duration PUBLISHED_PATIENCE = Duration.ofSeconds(5);

    /** How often a process that another one replaced takes back what the kernel still serves for it. */
    private static final Duration KERNEL_LOOK = Duration.ofMillis(100);

    private final ProxyOptions options;
    private final Budget budget;
    private final Supplier<HttpOptions> kernel;
    private final XdsClient xds;
    private final MetricRegistry registry = new MetricRegistry();
    private final EpollLoops epoll = new EpollLoops();
    private final MultiThreadIoEventLoopGroup group;
    private final Map<EventLoop, LoopScope> scopes = new LinkedHashMap<>();
    private final ServiceDirectory services;
    private final WorkloadDirectory workloads;
    private final PolicyDirectory policies;
    private final ClientTransports transports = new ClientTransports(new FileWatch(FileWatch.EVERY), Clock.systemUTC());
    private final NameDirectory names;
    private final @Nullable AccessLog accessLog;
    private final @Nullable Tunnelling tunnels;
    private final ChannelGroup connections = new DefaultChannelGroup("connections", GlobalEventExecutor.INSTANCE);
    private final Listeners listeners;
    private final Sources sources;
    private final AtomicBoolean closing = new AtomicBoolean();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final AdminPages admin;
    private final AdminApi adminApi;
    private final @Nullable HandOver handOver;
    private volatile boolean draining;
    private boolean explicitWanted = true;
    private volatile boolean bound;

    private NodeProxy(
            ProxyOptions options,
            XdsClient xds,
            Supplier<HttpOptions> kernel,
            Budget budget,
            @Nullable XdsClient agent,
            TunnelTargets targets) {
        this.budget = budget;
        this.options = options;
        this.kernel = kernel;
        this.xds = xds;
        this.group = new MultiThreadIoEventLoopGroup(
                options.loops(), new DefaultThreadFactory("proxy-worker"), epoll.factory());
        this.services = new ServiceDirectory(xds, options.idleExpiry());
        this.workloads = new WorkloadDirectory(xds, options.idleExpiry());
        this.policies = new PolicyDirectory(xds, options.nodeId(), options.idleExpiry(), registry);
        this.names = new NameDirectory(xds);
        this.sources = new Sources(workloads, options.nodeSocket(), options.range());
        this.accessLog = options.accessLog().isEmpty() ? null : AccessLog.open(options.accessLog(), registry);
        this.listeners = new Listeners(group, channel -> scope(channel));
        this.tunnels = agent == null ? null : new Tunnelling(agent, targets, options, xds, workloads);
        makeScopes();
        registry.gauge("tulle_proxy_connections", "Open client connections.", connections::size);
        registry.gauge("tulle_proxy_services", "Services whose configuration is followed.", () -> services.services()
                .size());
        registry.gauge(
                "tulle_proxy_tls_unusable",
                "Settings of TLS to endpoints whose files cannot be used as they are now.",
                transports::troubled);
        registry.gauge(
                "tulle_proxy_xds_connected",
                "1 while the control plane is reached.",
                () -> xds.status().connected() ? 1 : 0);
        Path handOverDirectory = options.handOver();
        HandOver toNext = handOverDirectory == null
                ? null
                : new HandOver(handOverDirectory, this::retire, registry::expose, connections::size);
        this.handOver = toNext;
        Supplier<String> metrics = toNext == null ? registry::expose : toNext::metrics;
        this.admin = new AdminPages(this::isReady, metrics);
        this.adminApi = new AdminApi(
                this::isReady, metrics, this::trouble, xds, services, scopes.values(), options.nodeSocket());
        services.onForgotten(this::forget);
        Tunnelling between = tunnels;
        if (between != null) {
            between.onForgotten(this::forget);
        }
    }

    private void forget(OutboundService service) {
        scopes.values().forEach(scope -> scope.worker().loop().execute(() -> scope.upstreams()
                .forget(service)));
    }

    private String trouble() {
        AccessLog log = accessLog;
        String ofLog = log == null ? "" : log.trouble();
        String ofEdge = listeners.edgeTrouble();
        return ofLog.isEmpty() || ofEdge.isEmpty() ? ofLog + ofEdge : ofLog + "; " + ofEdge;
    }

    /**
     * Starts a proxy that gets its configuration from the control plane; the control plane may come later.
     *
     * @throws IOException when a listener cannot be bound
     */
    public static NodeProxy start(ProxyOptions options) throws IOException {
        return start(
                options,
                XdsClients.connect(new XdsClientOptions(
                        options.xdsSocket(), options.nodeId(), options.role().word())));
    }

    /**
     * Starts a proxy on an xDS client, which it then owns.
     *
     * @throws IOException when a listener cannot be bound
     */
    public static NodeProxy start(ProxyOptions options, XdsClient xds) throws IOException {
        return start(options, xds, SocketHttpOptions::new);
    }

    /** As above, with something in place of the kernel's HTTP programs, one for each loop. */
    static NodeProxy start(ProxyOptions options, XdsClient xds, Supplier<HttpOptions> kernel) throws IOException {
        return start(options, xds, kernel, Budget.ofProcess());
    }

    /** As above, with other bounds than this process's. */
    static NodeProxy start(ProxyOptions options, XdsClient xds, Supplier<HttpOptions> kernel, Budget budget)
            throws IOException {
        Path secrets = options.sdsSocket();
        XdsClient agent = secrets == null
                ? null
                : XdsClients.connect(new XdsClientOptions(
                        secrets, options.nodeId(), options.role().word()));
        return start(options, xds, kernel, budget, agent, TunnelTargets.NONE);
    }

    /**
     * As above, with tunnels to other nodes.
     *
     * @param agent gives certificates; null for no tunnels
     * @param targets which endpoints are on other nodes
     */
    static NodeProxy start(
            ProxyOptions options,
            XdsClient xds,
            Supplier<HttpOptions> kernel,
            Budget budget,
            @Nullable XdsClient agent,
            TunnelTargets targets)
            throws IOException {
        NodeProxy proxy = new NodeProxy(options, xds, kernel, budget, agent, targets);
        try {
            proxy.bind();
            return proxy;
        } catch (IOException | RuntimeException e) {
            proxy.close();
            throw e;
        }
    }

    private void makeScopes() {
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
        Function<Endpoint, WorkloadDirectory.Entry> destinations = this::destination;
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
            Tunnelling between = tunnels;
            Way.Map ways = between == null ? Way.Map.DIRECT : between.ways(worker);
            Upstreams upstreams = new Upstreams(
                    worker, options.loops(), istio, destinations, leases, policies, outcomes, transports, ways);
            scopes.put(
                    loop,
                    new LoopScope(
                            worker,
                            upstreams,
                            services,
                            sources,
                            policies,
                            new HttpScope(
                                    upstreams,
                                    leases,
                                    accessLog,
                                    logsAll,
                                    () -> draining,
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

    private LoopScope scope(Channel channel) {
        LoopScope scope = scopes.get(channel.eventLoop());
        if (scope == null) {
            throw new IllegalStateException("a channel lives on a loop that is not the proxy's");
        }
        return scope;
    }

    /** The workload behind an endpoint: by its address, or by its name where all share the loopback address. */
    private WorkloadDirectory.Entry destination(Endpoint endpoint) {
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

    private void bind() throws IOException {
        HandOver toNext = handOver;
        Path directory = options.handOver();
        if (toNext == null || directory == null) {
            inheritFromAgent();
            bindListeners();
            bindAdmin();
            bound = true;
            return;
        }
        Optional<Predecessor> before = Predecessor.serving(directory);
        toNext.open(group, listeners::sockets);
        try {
            if (before.isPresent()) {
                takeOver(before.get());
            } else {
                inheritFromAgent();
                bindListeners();
                bindAdmin();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while taking over", e);
        }
        bound = true;
        toNext.serving();
    }

    /** The process before this one accepts until this one does: no connection meets a closed port. */
    private void takeOver(Predecessor before) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + CONTROL_PATIENCE.toNanos();
        while (xds.status().connects() == 0) {
            if (System.nanoTime() > deadline) {
                throw new IOException("the control plane was not reached in " + CONTROL_PATIENCE.toSeconds()
                        + " s: the proxy before this one goes on");
            }
            TimeUnit.MILLISECONDS.sleep(10);
        }
        if (!inheritFromAgent()) {
            listeners.inherit(before.sockets(group));
        }
        bindListeners();
        if (!listeners.awaitPublished(PUBLISHED_PATIENCE)) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "the agent does not say what is published, or the control plane not what the gateway serves:"
                            + " connections to those ports wait");
        }
        try {
            before.retire();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "the proxy before this one has gone: " + e.getMessage());
        }
        bindAdmin();
        LOG.log(System.Logger.Level.INFO, "took over from a running proxy, which drains");
    }

    /** False without an agent: then this process binds what it needs, or takes it from the process before it. */
    private boolean inheritFromAgent() {
        Path nodeSocket = options.nodeSocket();
        if (nodeSocket == null) {
            return false;
        }
        AgentSockets source = new AgentSockets(group, nodeSocket, isEdge());
        if (!source.exists()) {
            return false;
        }
        try {
            Inheritance given = source.take();
            listeners.inherit(given, source);
            // The agent knows whether programs are captured, or have to name the proxy by themselves.
            explicitWanted = options.explicitPort() >= 0
                    && given.offers(new InetSocketAddress(options.explicitAddress(), options.explicitPort()));
            return true;
        } catch (IOException e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "the agent does not give its listening sockets, they are bound here: " + e.getMessage());
            return false;
        }
    }

    private void bindAdmin() throws IOException {
        Path socket = options.adminSocket();
        if (socket != null) {
            adminApi.bind(socket, options.adminGroup());
        }
        admin.bindReadiness(options.probeAddress(), options.readinessPort());
        admin.bindMetrics(options.probeAddress(), options.metricsPort());
    }

    private boolean isEdge() {
        return options.role() == ProxyOptions.Role.GATEWAY;
    }

    private void bindListeners() throws IOException {
        if (isEdge()) {
            listeners.serveEdge(xds, services, isUsable("::1") ? List.of("0.0.0.0", "::") : List.of("0.0.0.0"));
            return;
        }
        for (String address : options.outboundAddresses()) {
            if (options.outboundPort() >= 0 && isUsable(address)) {
                listeners.outbound(address, options.outboundPort());
            }
        }
        Tunnelling between = tunnels;
        for (String address : options.inboundAddresses()) {
            if (between != null && options.inboundPort() >= 0 && isUsable(address)) {
                listeners.inbound(address, options.inboundPort(), between::first);
            }
        }
        if (options.explicitPort() >= 0 && explicitWanted) {
            listeners.explicit(options.explicitAddress(), options.explicitPort(), names);
        }
        if (options.nodeSocket() != null) {
            listeners.publish(options.nodeSocket());
        }
        LOG.log(
                System.Logger.Level.INFO,
                () -> "proxy: " + options.loops() + " workers, outbound port " + options.outboundPort()
                        + (explicitWanted ? ", explicit port " + options.explicitPort() : ""));
    }

    /** A host without IPv6 has no ::1: nothing can be captured to it either. */
    private static boolean isUsable(String address) throws IOException {
        InetAddress where = InetAddress.getByName(address);
        return where.getAddress().length == 4 || java.net.NetworkInterface.getByInetAddress(where) != null;
    }

    /**
     * Opens a port all of whose connections are taken as captured on their way to one address: for gateways and tests.
     *
     * @return the port
     * @throws IOException when it cannot be bound
     */
    public int listenToward(String address, int port, InetSocketAddress destination) throws IOException {
        return listeners.toward(address, port, destination);
    }

    /** Opens a further port for tunnels of other nodes. */
    int listenInbound(String address, int port) throws IOException {
        Tunnelling between = tunnels;
        if (between == null) {
            throw new IOException("there is nobody who gives certificates");
        }
        return listeners.inbound(address, port, between::first);
    }

    /** Opens the explicit proxy on a further port. */
    int listenExplicit(String address, int port) throws IOException {
        return listeners.explicit(address, port, names);
    }

    /** Ready: all listeners are bound, the control plane has been reached, and the proxy is not about to end. */
    public boolean isReady() {
        return bound && !draining && xds.status().connects() > 0;
    }

    /** The metrics. */
    public MetricRegistry metrics() {
        return registry;
    }

    /** The ports of readiness and metrics, without those that are left out. */
    List<Integer> probePorts() {
        return admin.ports();
    }

    /** What administrators are told. */
    AdminApi adminApi() {
        return adminApi;
    }

    /** Waits until the proxy was closed, by whomever. */
    public void awaitClosed() throws InterruptedException {
        closed.await();
    }

    /**
     * Another process has taken over: stops accepting and frees the ports at once; then, on a thread of its own, lets every
     * connection come to its end and closes. HTTP connections are asked to end with their next response; one that is
     * idle is never closed under a client that may just be sending, until its time is over.
     */
    private void retire() {
        draining = true;
        listeners.close();
        sources.close();
        admin.close();
        adminApi.close();
        Thread.ofPlatform().name("proxy-drain").start(() -> {
            long idle = System.nanoTime() + options.handOverIdle().toNanos();
            long end = System.nanoTime() + options.handOverStreams().toNanos();
            toHttp(HttpClientConnection::retire);
            while (!connections.isEmpty() && System.nanoTime() < Math.min(idle, end)) {
                // A connection that the kernel serves would never hear that it is to end.
                takeFromKernel();
                awaitConnections(Math.min(idle, System.nanoTime() + KERNEL_LOOK.toNanos()));
            }
            toHttp(HttpClientConnection::drain);
            awaitConnections(end);
            close();
        });
    }

    private void takeFromKernel() {
        for (LoopScope scope : scopes.values()) {
            scope.worker().loop().execute(() -> {
                scope.http().leases().drain();
                scope.http().leases().takeUnused();
            });
        }
    }

    private void toHttp(Consumer<HttpClientConnection> what) {
        for (Channel channel : connections) {
            channel.eventLoop().execute(() -> {
                HttpClientConnection http = channel.pipeline().get(HttpClientConnection.class);
                if (http != null) {
                    what.accept(http);
                }
            });
        }
    }

    /** Drains and ends: not ready, then no new connections, then requests in flight finish, then everything closes. */
    @Override
    public void close() {
        if (!closing.compareAndSet(false, true)) {
            try {
                closed.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return;
        }
        draining = true;
        listeners.close();
        sources.close();
        toHttp(HttpClientConnection::drain);
        awaitConnections(System.nanoTime() + options.drain().toNanos());
        connections.close().awaitUninterruptibly(1, TimeUnit.SECONDS);
        names.close();
        services.close();
        workloads.close();
        Tunnelling between = tunnels;
        if (between != null) {
            between.close();
        }
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
        policies.close();
        transports.close();
        xds.close();
        admin.close();
        adminApi.close();
        HandOver toNext = handOver;
        if (toNext != null) {
            toNext.close();
        }
        AccessLog log = accessLog;
        if (log != null) {
            log.close();
        }
        closed.countDown();
    }

    private void awaitConnections(long deadline) {
        try {
            while (!connections.isEmpty() && System.nanoTime() < deadline) {
                TimeUnit.MILLISECONDS.sleep(20);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
