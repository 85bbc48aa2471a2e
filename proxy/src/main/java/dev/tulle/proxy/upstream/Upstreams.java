package dev.tulle.proxy.upstream;

import dev.tulle.model.Endpoint;
import dev.tulle.proxy.discovery.ClusterSnapshot;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.PolicyDirectory;
import dev.tulle.proxy.discovery.ServiceSnapshot;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.transport.ClientTransports;
import dev.tulle.telemetry.IstioMetrics;
import dev.tulle.telemetry.WorkloadLabels;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The services as one loop uses them. A changed snapshot is taken over at the next request: pools of endpoints that stay
 * are kept with their connections, others retire. Loop-confined.
 */
public final class Upstreams {
    private record Key(String address, int port) {
        static Key of(Endpoint endpoint) {
            return new Key(endpoint.address(), endpoint.port());
        }
    }

    private final Worker worker;
    private final int loops;
    private final IstioMetrics istio;
    private final Function<Endpoint, WorkloadDirectory.Entry> destinations;
    private final Lender lender;
    private final PolicyDirectory policies;
    private final OutcomeDirectory outcomes;
    private final ClientTransports transports;
    private final Way.Map ways;
    private final Map<OutboundService, ServiceView> views = new HashMap<>();
    private final Map<OutboundService, Borrowers> borrowers = new HashMap<>();
    private final WorkloadDirectory.Entry nobody = WorkloadDirectory.Entry.fixed(WorkloadLabels.UNKNOWN);

    /**
     * Without services.
     *
     * @param loops how many loops share the bounds of clusters
     * @param destinations the workload behind an endpoint
     * @param lender who takes care of idle connections
     * @param policies who may reach it
     * @param outcomes how tries there ended
     * @param transports TLS to it
     * @param ways how endpoints are reached
     */
    public Upstreams(
            Worker worker,
            int loops,
            IstioMetrics istio,
            Function<Endpoint, WorkloadDirectory.Entry> destinations,
            Lender lender,
            PolicyDirectory policies,
            OutcomeDirectory outcomes,
            ClientTransports transports,
            Way.Map ways) {
        this.worker = worker;
        this.loops = loops;
        this.istio = istio;
        this.destinations = destinations;
        this.lender = lender;
        this.policies = policies;
        this.outcomes = outcomes;
        this.transports = transports;
        this.ways = ways;
    }

    /** The loop. */
    public Worker worker() {
        return worker;
    }

    /** The clients of a service on this loop. */
    public Borrowers borrowers(OutboundService service) {
        return borrowers.computeIfAbsent(service, key -> new Borrowers());
    }

    /** How an endpoint is reached; null by its address. */
    public @Nullable Way way(Endpoint endpoint) {
        return ways.to(endpoint);
    }

    /** The metric handles of connections through tunnels to an endpoint that no service has led to. */
    public MetricHandles tunnelled(Endpoint endpoint) {
        return new MetricHandles(istio, destinations.apply(endpoint), IstioMetrics.Report.OUTBOUND);
    }

    /** The current view of a service; null while it has no snapshot. */
    public @Nullable ServiceView view(OutboundService service) {
        ServiceSnapshot snapshot = service.snapshot();
        ServiceView view = views.get(service);
        if (snapshot == null) {
            return null;
        }
        if (view == null || isOld(view, snapshot)) {
            view = rebuild(view, snapshot, borrowers(service));
            views.put(service, view);
        }
        return view;
    }

    // A snapshot is one object until it is replaced.
    @SuppressWarnings("ReferenceEquality")
    private static boolean isOld(ServiceView view, ServiceSnapshot snapshot) {
        return view.snapshot() != snapshot;
    }

    private ServiceView rebuild(@Nullable ServiceView old, ServiceSnapshot snapshot, Borrowers clients) {
        Map<String, WorkerCluster> clusters = new HashMap<>();
        Map<String, WorkerCluster> before = old == null ? Map.of() : old.clusters();
        snapshot.clusters().forEach((name, next) -> {
            WorkerCluster known = before.get(name);
            clusters.put(name, known != null && known.snapshot().equals(next) ? known : cluster(known, next, clients));
        });
        before.forEach((name, known) -> {
            if (!clusters.containsKey(name)) {
                for (EndpointPool pool : known.pools()) {
                    pool.retire();
                }
            }
        });
        return new ServiceView(snapshot, clusters, new MetricHandles(istio, nobody));
    }

    private WorkerCluster cluster(@Nullable WorkerCluster old, ClusterSnapshot next, Borrowers clients) {
        Map<Key, EndpointPool> reusable = new HashMap<>();
        // Connections of one setting of TLS are never those of another; nor of what they begin with.
        boolean keeps = old != null
                && old.snapshot().cluster().tls().equals(next.cluster().tls())
                && old.snapshot().cluster().proxyProtocol() == next.cluster().proxyProtocol();
        if (old != null) {
            for (EndpointPool pool : old.pools()) {
                if (keeps) {
                    reusable.put(Key.of(pool.endpoint()), pool);
                } else {
                    pool.retire();
                }
            }
        }
        ConnectionLimit limit = old == null ? new ConnectionLimit() : old.limit();
        limit.bound(next.cluster().maxConnections(), next.cluster().maxPendingRequests(), loops);
        List<Endpoint> endpoints = next.endpoints();
        EndpointPool[] pools = new EndpointPool[endpoints.size()];
        for (int i = 0; i < pools.length; i++) {
            Endpoint endpoint = endpoints.get(i);
            EndpointPool pool = reusable.remove(Key.of(endpoint));
            Way way = ways.to(endpoint);
            if (pool == null
                    || !Objects.equals(pool.way(), way)
                    || !pool.endpoint().workload().equals(endpoint.workload())
                    || !pool.endpoint().namespace().equals(endpoint.namespace())) {
                if (pool != null) {
                    pool.retire();
                }
                EndpointAccess access =
                        new EndpointAccess(worker, policies, policies.of(endpoint), endpoint.port(), way != null);
                pool = new EndpointPool(
                        worker,
                        next.cluster(),
                        endpoint,
                        limit,
                        lender,
                        clients,
                        destinations.apply(endpoint),
                        access,
                        outcomes,
                        transports,
                        way,
                        istio);
            } else {
                pool.update(next.cluster(), endpoint);
            }
            pools[i] = pool;
        }
        reusable.values().forEach(EndpointPool::retire);
        return new WorkerCluster(worker, next, pools, limit);
    }

    /** The service is not followed any more. */
    public void forget(OutboundService service) {
        ServiceView view = views.remove(service);
        borrowers.remove(service);
        if (view != null) {
            view.clusters().values().forEach(cluster -> {
                for (EndpointPool pool : cluster.pools()) {
                    pool.retire();
                }
            });
        }
    }

    /** Closes all idle connections; on the loop, when the proxy ends. */
    public void close() {
        List.copyOf(views.keySet()).forEach(this::forget);
    }

    /** The views of this loop, for the administrator's pages; on the loop. */
    public Map<OutboundService, ServiceView> views() {
        return views;
    }
}
