package dev.tulle.proxy.admin;

import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.upstream.EndpointOutcomes;
import dev.tulle.proxy.upstream.EndpointPool;
import io.netty.util.concurrent.Future;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

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
 * @param outlier how requests to it ended
 */
record ClusterReport(
        String cluster,
        String endpoint,
        String workload,
        boolean healthy,
        boolean leftOut,
        int activeRequests,
        int idleConnections,
        int offeredConnections,
        int heldConnections,
        long takenRequests,
        Outlier outlier) {
    private static final long PATIENCE_MILLIS = 1_000;

    /**
     * What outlier detection goes by, over all clusters that have the endpoint; where the kernel forwards requests to it as
     * well, kernel and proxy together.
     *
     * @param withKernel true when the kernel's are among them
     * @param consecutive5xx 5xx and tries without a response, since the last other response
     * @param consecutiveGatewayErrors 502, 503, 504 and tries without a response
     * @param consecutiveLocalFailures tries without a response: connecting failed, reset, timeout
     * @param successes responses of other classes than 5xx
     * @param errors5xx responses of class 5xx
     * @param localFailures tries without a response
     */
    record Outlier(
            boolean withKernel,
            long consecutive5xx,
            long consecutiveGatewayErrors,
            long consecutiveLocalFailures,
            long successes,
            long errors5xx,
            long localFailures) {
        static Outlier of(EndpointOutcomes proxy, @Nullable KernelOutcomes kernel) {
            return kernel == null
                    ? new Outlier(
                            false,
                            proxy.consecutive5xx(),
                            proxy.consecutiveGatewayErrors(),
                            proxy.consecutiveLocalFailures(),
                            proxy.successes(),
                            proxy.errors(),
                            proxy.localFailures())
                    : new Outlier(
                            true,
                            kernel.consecutive5xx(),
                            kernel.consecutiveGatewayErrors(),
                            kernel.consecutiveLocalFailures(),
                            proxy.successes() + kernel.successes(),
                            proxy.errors() + kernel.errors(),
                            proxy.localFailures());
        }
    }

    /**
     * Asks every loop and adds up; a loop that does not answer within a second is left out.
     *
     * @param kernel what the kernel has counted, by endpoint
     */
    static List<ClusterReport> of(Collection<LoopScope> scopes, Map<String, KernelOutcomes> kernel) {
        Map<String, ClusterReport> sum = new TreeMap<>();
        for (LoopScope scope : scopes) {
            Future<List<ClusterReport>> asked = scope.worker().loop().submit(() -> ofLoop(scope, kernel));
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
                leftOut,
                activeRequests + other.activeRequests,
                idleConnections + other.idleConnections,
                offeredConnections + other.offeredConnections,
                heldConnections + other.heldConnections,
                takenRequests + other.takenRequests,
                outlier);
    }

    private static List<ClusterReport> ofLoop(LoopScope scope, Map<String, KernelOutcomes> kernel) {
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
                                pool.reachability().isDoubtful(),
                                pool.active(),
                                pool.idleCount(),
                                pool.lentCount(),
                                held.getOrDefault(pool, 0),
                                pool.takenCount(),
                                Outlier.of(pool.outcomes(), kernel.get(pool.addressText()))));
                    }
                }));
        return all;
    }
}
