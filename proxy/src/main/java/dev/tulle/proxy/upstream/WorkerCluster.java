package dev.tulle.proxy.upstream;

import dev.tulle.model.EndpointBalancer;
import dev.tulle.proxy.discovery.ClusterSnapshot;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.telemetry.ServiceLabels;
import java.util.Collection;
import org.jspecify.annotations.Nullable;

/** A cluster as one loop uses it: a pool per endpoint and the choice among them. Loop-confined. */
public final class WorkerCluster implements EndpointBalancer.Load {
    /** Retries that may run at once however few requests do. */
    private static final int MIN_RETRIES = 3;

    private final Worker worker;
    private final ClusterSnapshot snapshot;
    private final EndpointPool[] pools;
    private final EndpointBalancer balancer;
    private final ConnectionLimit limit;
    private final ServiceLabels labels;
    private int active;
    private int retries;

    WorkerCluster(Worker worker, ClusterSnapshot snapshot, EndpointPool[] pools, ConnectionLimit limit) {
        this.worker = worker;
        this.snapshot = snapshot;
        this.pools = pools;
        this.limit = limit;
        this.labels = ServiceLabels.ofHost(snapshot.cluster().hostname());
        this.balancer = EndpointBalancer.of(snapshot.cluster().balancing(), snapshot.endpoints());
        this.balancer.shuffle(worker.random());
    }

    /** What it was made from. */
    public ClusterSnapshot snapshot() {
        return snapshot;
    }

    /** True when its endpoints are spoken to in HTTP/2, for a client that speaks it or does not. */
    public boolean speaksHttp2(boolean client) {
        return switch (snapshot.cluster().protocol()) {
            case HTTP1 -> false;
            case HTTP2 -> true;
            case AS_CLIENT -> client;
        };
    }

    /** Its service in metrics. */
    ServiceLabels labels() {
        return labels;
    }

    ConnectionLimit limit() {
        return limit;
    }

    /** The pools, in the order of the endpoints. */
    public EndpointPool[] pools() {
        return pools;
    }

    @Override
    public int active(int index) {
        return pools[index].active();
    }

    /**
     * Chooses an endpoint.
     *
     * @param caller the client's address, for a cluster that hashes it, see {@link dev.tulle.model.Maglev#callerOf}
     * @param tried those that this request or connection has tried in vain; chosen again only when there are no others
     * @return null when there is none
     */
    public @Nullable EndpointPool pick(int caller, Collection<EndpointPool> tried) {
        int index = balancer.pickFor(caller, this, worker.random());
        if (index < 0) {
            return null;
        }
        EndpointPool picked = pools[index];
        if (!tried.contains(picked) && picked.reachability().mayConnect()) {
            return picked;
        }
        // Those that answer, else those that nobody has tried for this request, else the one that was drawn.
        int other = balancer.pickAmong(
                i -> !tried.contains(pools[i]) && !pools[i].reachability().isDoubtful(), this, worker.random());
        if (other < 0) {
            other = balancer.pickAmong(i -> !tried.contains(pools[i]), this, worker.random());
        }
        return other < 0 ? picked : pools[other];
    }

    /** A request begins (+1) or ends (-1). */
    public void activeChanged(int by) {
        active += by;
    }

    /** Takes a place in the retry budget (20 % of the requests in flight); false when it is used up. */
    public boolean beginRetry() {
        if (retries >= Math.max(MIN_RETRIES, active / 5)) {
            return false;
        }
        retries++;
        return true;
    }

    /** Gives the place back. */
    public void endRetry() {
        retries--;
    }
}
