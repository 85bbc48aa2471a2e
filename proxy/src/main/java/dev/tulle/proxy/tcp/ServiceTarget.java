package dev.tulle.proxy.tcp;

import dev.tulle.model.WeightedCluster;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.transport.ClientTransport;
import dev.tulle.proxy.transport.ProxyHeader;
import dev.tulle.proxy.upstream.EndpointAccess;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ServiceView;
import dev.tulle.proxy.upstream.Upstreams;
import dev.tulle.proxy.upstream.Way;
import dev.tulle.proxy.upstream.WorkerCluster;
import dev.tulle.telemetry.IstioMetrics;
import dev.tulle.telemetry.WorkloadLabels;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** An endpoint of a mesh service: the share of the split is drawn once per connection. */
public final class ServiceTarget implements TcpTarget {
    private final OutboundService service;
    private final ServiceView view;
    private final String clusterName;
    private final @Nullable WorkerCluster cluster;
    private final int caller;
    private final List<EndpointPool> tried = new ArrayList<>(0);

    /**
     * Draws a share of the split.
     *
     * @param caller the client's address, for a cluster that hashes it
     */
    public ServiceTarget(
            Upstreams upstreams, OutboundService service, ServiceView view, List<WeightedCluster> split, int caller) {
        this.caller = caller;
        this.service = service;
        this.view = view;
        int total = split.stream().mapToInt(WeightedCluster::weight).sum();
        int drawn = total <= 0 ? 0 : upstreams.worker().random().nextInt(total);
        String name = split.isEmpty() ? "" : split.get(0).cluster();
        for (WeightedCluster share : split) {
            drawn -= share.weight();
            if (drawn < 0) {
                name = share.cluster();
                break;
            }
        }
        clusterName = name;
        cluster = view.clusters().get(name);
    }

    private record Picked(EndpointPool pool, WorkerCluster cluster, ServiceView view, Collection<EndpointPool> tried)
            implements Choice {
        @Override
        public InetSocketAddress address() {
            return pool.address();
        }

        @Override
        public String text() {
            return pool.addressText();
        }

        @Override
        public @Nullable Way way() {
            return pool.way();
        }

        @Override
        public @Nullable ClientTransport transport() {
            return pool.transport();
        }

        @Override
        public byte @Nullable [] header(ProxyHeader.Ends ends) {
            return pool.header(ends);
        }

        @Override
        public int connectTimeoutMillis() {
            return pool.connectTimeoutMillis();
        }

        @Override
        public void begin() {
            pool.activeChanged(1);
            cluster.activeChanged(1);
        }

        @Override
        public void end() {
            pool.activeChanged(-1);
            cluster.activeChanged(-1);
        }

        @Override
        public void connectEnded(@Nullable Throwable failure) {
            pool.connectEnded(failure);
            if (failure != null) {
                tried.add(pool);
            }
        }

        @Override
        public EndpointAccess access() {
            return pool.access();
        }

        @Override
        public IstioMetrics.Connections metrics(WorkloadLabels source, String flags) {
            return pool.metrics().connections(source, view.labels(cluster), flags);
        }
    }

    @Override
    public @Nullable Choice choose() {
        WorkerCluster from = cluster;
        EndpointPool pool = from == null ? null : from.pick(caller, tried);
        return pool == null || from == null ? null : new Picked(pool, from, view, tried);
    }

    @Override
    public void unserved(WorkloadLabels source, String flags) {
        IstioMetrics.Connections counted = view.unrouted().connections(source, view.labels(cluster), flags);
        counted.opened().increment();
        counted.closed().increment();
    }

    @Override
    public String cluster() {
        return clusterName;
    }

    @Override
    public void opened() {
        service.retain();
    }

    @Override
    public void closed() {
        service.release();
    }
}
