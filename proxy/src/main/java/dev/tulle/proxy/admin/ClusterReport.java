package dev.tulle.proxy.admin;

import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.upstream.EndpointPool;
import io.netty.util.concurrent.Future;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * The endpoints that the loops use and how busy they are.
 *
 * @param cluster the cluster's name
 * @param endpoint address and port
 * @param workload the workload behind it
 * @param healthy as the control plane sees it
 * @param activeRequests in flight, over all loops
 * @param idleConnections pooled, over all loops
 * @param offeredConnections those that the kernel has for its own requests, over all loops
 * @param heldConnections how many of these some client has at the moment
 * @param takenRequests requests so far that the kernel had sent and the proxy went on with
 */
record ClusterReport(
        String cluster,
        String endpoint,
        String workload,
        boolean healthy,
        int activeRequests,
        int idleConnections,
        int offeredConnections,
        int heldConnections,
        long takenRequests) {
    private static final long PATIENCE_MILLIS = 1_000;

    /** Asks every loop and adds up; a loop that does not answer within a second is left out. */
    static List<ClusterReport> of(Collection<LoopScope> scopes) {
        Map<String, ClusterReport> sum = new TreeMap<>();
        for (LoopScope scope : scopes) {
            Future<List<ClusterReport>> asked = scope.worker().loop().submit(() -> ofLoop(scope));
            if (asked.awaitUninterruptibly(PATIENCE_MILLIS, TimeUnit.MILLISECONDS) && asked.isSuccess()) {
                for (ClusterReport one : asked.getNow()) {
                    sum.merge(one.cluster + " " + one.endpoint, one, ClusterReport::plus);
                }
            }
        }
        return List.copyOf(sum.values());
    }

    private ClusterReport plus(ClusterReport other) {
        return new ClusterReport(
                cluster,
                endpoint,
                workload,
                healthy,
                activeRequests + other.activeRequests,
                idleConnections + other.idleConnections,
                offeredConnections + other.offeredConnections,
                heldConnections + other.heldConnections,
                takenRequests + other.takenRequests);
    }

    private static List<ClusterReport> ofLoop(LoopScope scope) {
        List<ClusterReport> all = new ArrayList<>();
        Map<EndpointPool, Integer> held = scope.http().leases().held();
        scope.upstreams().views().values().forEach(view -> view.clusters()
                .values()
                .forEach(cluster -> {
                    for (EndpointPool pool : cluster.pools()) {
                        all.add(new ClusterReport(
                                pool.cluster(),
                                pool.addressText(),
                                pool.destination().toString(),
                                pool.endpoint().healthy(),
                                pool.active(),
                                pool.idleCount(),
                                pool.lentCount(),
                                held.getOrDefault(pool, 0),
                                pool.takenCount()));
                    }
                }));
        return all;
    }
}
