package dev.tulle.proxy.upstream;

import dev.tulle.model.RouteDecision;
import dev.tulle.model.RouteTable;
import dev.tulle.proxy.discovery.ServiceSnapshot;
import dev.tulle.telemetry.ServiceLabels;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A service snapshot as one loop uses it: routes with their plans, clusters with their pools. Loop-confined. */
public final class ServiceView {
    private final ServiceSnapshot snapshot;
    private final Map<String, WorkerCluster> clusters;
    private final ForwardPlan[] plans;
    private final ServiceLabels labels;
    private final MetricHandles unrouted;

    ServiceView(ServiceSnapshot snapshot, Map<String, WorkerCluster> clusters, MetricHandles unrouted) {
        this.snapshot = snapshot;
        this.clusters = clusters;
        this.labels = ServiceLabels.ofHost(snapshot.listener().hostname());
        this.unrouted = unrouted;
        RouteTable table = snapshot.routes();
        List<RouteDecision> decisions = table == null ? List.of() : table.plans();
        plans = new ForwardPlan[decisions.size()];
        for (RouteDecision decision : decisions) {
            if (decision.route() != null) {
                plans[decision.plan()] = new ForwardPlan(decision.route(), decision.share(), clusters);
            }
        }
        boolean timed = Arrays.stream(plans)
                .anyMatch(plan -> plan != null && (plan.timeoutNanos() > 0 || plan.perTryNanos() > 0));
        for (WorkerCluster cluster : clusters.values()) {
            for (EndpointPool pool : cluster.pools()) {
                pool.timed(timed);
            }
        }
    }

    /** What it was made from. */
    public ServiceSnapshot snapshot() {
        return snapshot;
    }

    /** The clusters by name. */
    public Map<String, WorkerCluster> clusters() {
        return clusters;
    }

    /** What was prepared for a decision with a route. */
    public ForwardPlan plan(RouteDecision decision) {
        return plans[decision.plan()];
    }

    /**
     * What was prepared for a decision with a route whose share was chosen already.
     *
     * @param cluster the share's cluster
     * @return null when the route has no share of that cluster
     */
    // A route is one object as long as its table is.
    @SuppressWarnings("ReferenceEquality")
    public @Nullable ForwardPlan plan(RouteDecision decision, String cluster) {
        for (ForwardPlan plan : plans) {
            if (plan != null
                    && plan.route() == decision.route()
                    && plan.clusterName().equals(cluster)) {
                return plan;
            }
        }
        return null;
    }

    /**
     * The service in metrics: the one that was dialled; at the mesh's edge, where none is, the one that it goes to.
     *
     * @param cluster where it goes; null for nowhere
     */
    public ServiceLabels labels(@Nullable WorkerCluster cluster) {
        return cluster != null && snapshot.listener().hostname().isEmpty() ? cluster.labels() : labels;
    }

    /** Metric handles of requests that reach no endpoint. */
    public MetricHandles unrouted() {
        return unrouted;
    }
}
