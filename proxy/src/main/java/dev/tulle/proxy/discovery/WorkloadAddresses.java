package dev.tulle.proxy.discovery;

import dev.tulle.model.AppProtocol;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.Http2Options;
import dev.tulle.model.Listener;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteTable;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.Workload;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Which workload has an address, whichever node it is on: those of this node as others call them through tunnels, and
 * those of others as callers here dial them. Followed over xDS from the first call on and forgotten some time after the
 * last. Any thread.
 */
public final class WorkloadAddresses implements AutoCloseable {
    /** Addresses that callers may have asked for at once; a node has some hundred workloads. */
    private static final int MAX_FOLLOWED = 16_384;

    /** Ports of one address that callers may have asked for at once, beside those that its workload has declared. */
    private static final int MAX_PORTS = 512;

    private final XdsClient xds;
    private final String node;
    private final long idleNanos;
    private final Map<String, Addressed> followed = new ConcurrentHashMap<>();
    private final List<Consumer<OutboundService>> forgotten = new CopyOnWriteArrayList<>();
    private final ScheduledExecutorService timer;

    /**
     * An empty directory.
     *
     * @param node this node
     */
    public WorkloadAddresses(XdsClient xds, String node, Duration idleExpiry) {
        this.xds = xds;
        this.node = node;
        this.idleNanos = idleExpiry.toNanos();
        this.timer = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().name("workload-addresses").daemon().factory());
        long period = Math.max(100, idleExpiry.toMillis() / 4);
        var _ = timer.scheduleWithFixedDelay(this::forgetIdle, period, period, TimeUnit.MILLISECONDS);
    }

    /** What has an address. */
    public final class Addressed extends OnDemand implements ResourceWatcher<Workload> {
        private final String address;
        private final Map<Integer, OutboundService> ports = new ConcurrentHashMap<>();
        private volatile boolean known;
        private volatile @Nullable Workload workload;
        private @Nullable Subscription subscription;

        private Addressed(String address) {
            this.address = address;
        }

        @Override
        public boolean isKnown() {
            return known;
        }

        /** The workload that has the address; null when there is none. */
        public @Nullable Workload workload() {
            return workload;
        }

        /** The same if it is of this node. */
        public @Nullable Workload here() {
            Workload now = workload;
            return now != null && now.node().equals(node) ? now : null;
        }

        /**
         * A port of the workload: requests and bytes to it go there and nowhere else.
         *
         * @return null when callers have asked for too many ports
         */
        public @Nullable OutboundService port(int number) {
            boolean declared = isDeclared(number);
            OutboundService found = ports.compute(number, (port, known) -> {
                OutboundService service = known;
                if (service == null && (declared || ports.size() < MAX_PORTS)) {
                    service = OutboundService.fixed("inbound_" + address + "_" + port, snapshot(port));
                }
                if (service != null) {
                    service.used();
                }
                return service;
            });
            return found;
        }

        private boolean isDeclared(int number) {
            Workload now = workload;
            return now != null && now.ports().stream().anyMatch(port -> port.number() == number);
        }

        /** Those that nobody has used for long. */
        private void forgetIdlePorts() {
            for (int number : List.copyOf(ports.keySet())) {
                ports.computeIfPresent(number, (_, service) -> {
                    if (!service.isIdleFor(idleNanos)) {
                        return service;
                    }
                    forgotten.forEach(listener -> listener.accept(service));
                    return null;
                });
            }
        }

        /** What the workload says is spoken there. */
        public AppProtocol protocol(int number) {
            Workload now = workload;
            return now == null
                    ? AppProtocol.AUTO
                    : now.ports().stream()
                            .filter(port -> port.number() == number)
                            .map(Workload.WorkloadPort::protocol)
                            .findFirst()
                            .orElse(AppProtocol.AUTO);
        }

        @Override
        public void onChanged(Workload value) {
            become(value);
        }

        @Override
        public void onAbsent() {
            become(null);
        }

        @Override
        public void onTrouble(String reason) {
            // The last answer stays; without one the caller's patience ends the wait.
        }

        private void become(@Nullable Workload next) {
            workload = next;
            if (here() != null) {
                ports.forEach((number, service) -> service.publish(snapshot(number)));
            }
            known = true;
            tellWaiting();
        }

        private ServiceSnapshot snapshot(int port) {
            Workload now = workload;
            String name = now == null ? "" : now.name();
            String namespace = now == null ? "" : now.namespace();
            Cluster cluster = cluster(port, now);
            WeightedCluster whole = new WeightedCluster(cluster.name(), 1);
            String routes = "inbound|" + address + "|" + port;
            RouteAction action = new RouteAction.Forward(
                    List.of(whole), Duration.ZERO, RetryPolicy.NONE, RouteAction.Rewrite.NONE, List.of());
            Route route =
                    new Route("default", RouteMatch.ANY, action, List.of(), HeaderMutation.NONE, ResourceRef.DEFAULT);
            RouteTable table = RouteTable.compile(
                    new RouteConfiguration(routes, List.of(new VirtualHost("all", List.of("*"), List.of(route)))));
            Listener listener = new Listener(
                    Listener.nameOf(address, port),
                    address,
                    port,
                    cluster.hostname(),
                    new Listener.Target.Http(routes, true, List.of(whole)));
            Endpoint endpoint = new Endpoint(address, port, 1, true, name, namespace);
            return new ServiceSnapshot(
                    listener, table, Map.of(cluster.name(), new ClusterSnapshot(cluster, List.of(endpoint))));
        }

        private static Cluster cluster(int port, @Nullable Workload workload) {
            return new Cluster(
                    Cluster.inboundNameOf(port),
                    workload == null ? "" : host(workload),
                    port,
                    "",
                    Cluster.Balancing.ROUND_ROBIN,
                    Cluster.DEFAULT_CONNECT_TIMEOUT,
                    0,
                    0,
                    0,
                    Cluster.DEFAULT_IDLE_TIMEOUT,
                    Cluster.Protocol.AS_CLIENT,
                    Http2Options.NONE,
                    Optional.empty(),
                    Cluster.ProxyProtocol.NONE,
                    ResourceRef.DEFAULT);
        }

        /** The service that it belongs to, for metrics: the caller has chosen it, and does not say which. */
        private static String host(Workload workload) {
            if (workload.services().isEmpty()) {
                return "";
            }
            String first = workload.services().getFirst();
            return first.indexOf('.') < 0 ? first + "." + workload.namespace() + ".svc.cluster.local" : first;
        }
    }

    /**
     * What has an address, retained for the caller.
     *
     * @return null when callers have asked for too many addresses
     */
    public @Nullable Addressed retain(String address) {
        Addressed found = followed.compute(address, (key, known) -> {
            Addressed local = known == null && followed.size() < MAX_FOLLOWED ? follow(key) : known;
            if (local != null) {
                local.retain();
            }
            return local;
        });
        return found;
    }

    private Addressed follow(String address) {
        Addressed fresh = new Addressed(address);
        fresh.subscription = xds.watch(ResourceType.WORKLOAD, "/" + address, fresh);
        return fresh;
    }

    /** Told of every port that is forgotten, so that what was prepared for it can go; on a thread of the directory. */
    public void onForgotten(Consumer<OutboundService> listener) {
        forgotten.add(listener);
    }

    private void forgetIdle() {
        for (String address : List.copyOf(followed.keySet())) {
            followed.computeIfPresent(address, (_, local) -> {
                if (!local.isIdleFor(idleNanos)) {
                    local.forgetIdlePorts();
                    return local;
                }
                end(local);
                return null;
            });
        }
    }

    private void end(Addressed local) {
        Subscription open = local.subscription;
        if (open != null) {
            open.close();
        }
        local.ports.values().forEach(service -> forgotten.forEach(listener -> listener.accept(service)));
    }

    @Override
    public void close() {
        timer.shutdownNow();
        followed.values().forEach(local -> {
            Subscription open = local.subscription;
            if (open != null) {
                open.close();
            }
        });
        followed.clear();
    }
}
