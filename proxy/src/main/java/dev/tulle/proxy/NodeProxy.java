package dev.tulle.proxy;

import dev.tulle.proxy.accept.Listeners;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.accept.Sources;
import dev.tulle.proxy.admin.AdminApi;
import dev.tulle.proxy.admin.AdminPages;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.downstream.HttpClientConnection;
import dev.tulle.proxy.handover.HandOver;
import dev.tulle.proxy.handover.Predecessor;
import dev.tulle.proxy.hbone.TunnelTargets;
import dev.tulle.proxy.lease.HttpOptions;
import dev.tulle.proxy.lease.SocketHttpOptions;
import dev.tulle.proxy.share.Budget;
import dev.tulle.telemetry.AccessLog;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.xds.XdsClient;
import dev.tulle.xds.XdsClientOptions;
import dev.tulle.xds.XdsClients;
import io.netty.channel.Channel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The node proxy, or the same at the mesh's edge: accepts connections, follows the configuration of the services they go to, and forwards. {@link #close}
 * drains. Thread-safe; sockets live on event loops, one worker each.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class NodeProxy implements AutoCloseable {
    /** How often a process that another one replaced takes back what the kernel still serves for it. */
    private static final Duration KERNEL_LOOK = Duration.ofMillis(100);

    private final ProxyOptions options;
    private final XdsClient xds;
    private final MetricRegistry registry = new MetricRegistry();
    private final ProxyLoops loops;
    private final Directories directories;
    private final @Nullable AccessLog accessLog;
    private final @Nullable Tunnelling tunnels;
    private final ChannelGroup connections = new DefaultChannelGroup("connections", GlobalEventExecutor.INSTANCE);
    private final Listeners listeners;
    private final Opening opening;
    private final Sources sources;
    private final AtomicBoolean closing = new AtomicBoolean();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final AdminPages admin;
    private final AdminApi adminApi;
    private final @Nullable HandOver handOver;
    private volatile boolean draining;
    private volatile boolean bound;

    private NodeProxy(
            ProxyOptions options,
            XdsClient xds,
            Supplier<HttpOptions> kernel,
            Budget budget,
            @Nullable XdsClient agent,
            TunnelTargets targets) {
        this.options = options;
        this.xds = xds;
        this.loops = new ProxyLoops(options);
        this.directories = Directories.of(xds, options, registry);
        this.sources = new Sources(directories.workloads(), options.nodeSocket(), options.range());
        this.accessLog = options.accessLog().isEmpty() ? null : AccessLog.open(options.accessLog(), registry);
        Tunnelling between =
                agent == null ? null : new Tunnelling(agent, targets, options, xds, directories.workloads());
        this.tunnels = between;
        loops.make(registry, directories, sources, accessLog, connections, () -> draining, kernel, budget, between);
        this.listeners = new Listeners(loops.group(), loops::scope);
        this.opening = new Opening(options, xds, directories, between, listeners, loops.group());
        registry.gauge("tulle_proxy_connections", "Open client connections.", connections::size);
        registry.gauge(
                "tulle_proxy_services",
                "Services whose configuration is followed.",
                () -> directories.services().services().size());
        registry.gauge(
                "tulle_proxy_tls_unusable",
                "Settings of TLS to endpoints whose files cannot be used as they are now.",
                directories.transports()::troubled);
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
                this::isReady,
                metrics,
                this::trouble,
                xds,
                directories.services(),
                loops.scopes(),
                options.nodeSocket());
        directories.services().onForgotten(this::forget);
        if (between != null) {
            between.onForgotten(this::forget);
        }
    }

    private void forget(OutboundService service) {
        loops.scopes().forEach(scope -> scope.worker().loop().execute(() -> scope.upstreams()
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
        return start(options, xds, kernel, budget, agent, new OtherNodes(options.nodeId(), options.inboundPort()));
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

    private void bind() throws IOException {
        HandOver toNext = handOver;
        Path directory = options.handOver();
        Optional<Predecessor> before = directory == null ? Optional.empty() : Predecessor.serving(directory);
        if (toNext != null) {
            toNext.open(loops.group(), listeners::sockets);
        }
        opening.open(before.orElse(null));
        bindAdmin();
        bound = true;
        if (toNext != null) {
            toNext.serving();
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
        return listeners.explicit(address, port, directories.names());
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
        for (LoopScope scope : loops.scopes()) {
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
        directories.names().close();
        directories.services().close();
        directories.workloads().close();
        Tunnelling between = tunnels;
        if (between != null) {
            between.close();
        }
        loops.close();
        directories.policies().close();
        directories.transports().close();
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
