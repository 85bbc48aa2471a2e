package dev.tulle.proxy.upstream;

import dev.tulle.model.HeaderMutation;
import dev.tulle.model.PathRewriter;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.WeightedCluster;
import dev.tulle.proxy.filter.FilterFactory;
import dev.tulle.proxy.filter.Filters;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One route and share made ready to act on: what can be computed before the request is. Loop-confined. */
public final class ForwardPlan {
    /** Envoy's conditions for responses whose head says the status of gRPC. */
    private static final Map<String, String> GRPC_CONDITIONS = Map.of(
            "1", "cancelled",
            "4", "deadline-exceeded",
            "8", "resource-exhausted",
            "13", "internal",
            "14", "unavailable");

    private final Route route;
    private final @Nullable WorkerCluster cluster;
    private final String clusterName;
    private final long timeoutNanos;
    private final long perTryNanos;
    private final int retries;
    private final Set<String> retryOn;
    private final boolean retriesResponses;
    private final boolean retriesGrpc;
    private final int notFound;
    private final @Nullable PathRewriter rewriter;
    private final @Nullable String authority;
    private final HeaderProgram requestHeaders;
    private final HeaderProgram responseHeaders;
    private final Map<String, WorkerCluster> mirrors;
    private final List<FilterFactory> filters;
    private final List<FilterFactory> grpcFilters;
    private final List<FilterFactory> grpcWebFilters;

    ForwardPlan(Route route, @Nullable WeightedCluster share, Map<String, WorkerCluster> clusters) {
        this.route = route;
        HeaderMutation split = share == null ? HeaderMutation.NONE : share.headers();
        requestHeaders = HeaderProgram.of(route.headers().request(), split.request());
        responseHeaders = HeaderProgram.of(route.headers().response(), split.response());
        Map<String, WorkerCluster> shadows = new HashMap<>();
        RetryPolicy retry = RetryPolicy.NONE;
        RouteAction.PathRewrite rewrite = null;
        String host = requestHeaders.authority();
        long timeout = 0;
        int missing = 503;
        switch (route.action()) {
            case RouteAction.Forward forward -> {
                missing = forward.notFound();
                timeout = forward.timeout().toNanos();
                retry = forward.retry();
                rewrite = forward.rewrite().path().orElse(null);
                host = forward.rewrite().authority().orElse(host);
                for (RouteAction.Mirror mirror : forward.mirrors()) {
                    WorkerCluster target = clusters.get(mirror.cluster());
                    if (target != null) {
                        shadows.put(mirror.cluster(), target);
                    }
                }
            }
            case RouteAction.Redirect redirect -> rewrite = redirect.path().orElse(null);
            case RouteAction.DirectResponse direct -> {}
        }
        cluster = share == null ? null : clusters.get(share.cluster());
        clusterName = share == null ? "" : share.cluster();
        notFound = missing;
        timeoutNanos = timeout;
        perTryNanos = retry.perTryTimeout().toNanos();
        retries = retry.attempts();
        retryOn = retry.on();
        List<String> others = new ArrayList<>(retryOn);
        others.removeAll(List.of("connect-failure", "refused-stream"));
        retriesResponses = retries > 0 && !others.isEmpty();
        retriesGrpc = retries > 0 && GRPC_CONDITIONS.values().stream().anyMatch(retryOn::contains);
        rewriter = rewrite == null ? null : new PathRewriter(rewrite, route.match());
        authority = host;
        mirrors = Map.copyOf(shadows);
        filters = Filters.of(route);
        grpcFilters = Filters.ofGrpc(filters);
        grpcWebFilters = Filters.ofGrpcWeb(filters);
    }

    /** What is done with a request that was sent to a cluster by a route that is gone: nothing but passing the answer on. */
    public static ForwardPlan plain(String cluster) {
        List<WeightedCluster> all = List.of(new WeightedCluster(cluster, 1));
        RouteAction action =
                new RouteAction.Forward(all, Duration.ZERO, RetryPolicy.NONE, RouteAction.Rewrite.NONE, List.of());
        Route gone = new Route("", RouteMatch.ANY, action, List.of(), HeaderMutation.NONE, ResourceRef.DEFAULT);
        return new ForwardPlan(gone, all.get(0), Map.of());
    }

    /** The route. */
    public Route route() {
        return route;
    }

    /** The share's cluster; null when the control plane does not have it. */
    public @Nullable WorkerCluster cluster() {
        return cluster;
    }

    /** The share's cluster by name. */
    public String clusterName() {
        return clusterName;
    }

    /** The status to answer with when the control plane does not have the share's cluster. */
    public int notFound() {
        return notFound;
    }

    /** Bound on the whole request, 0 for none. */
    public long timeoutNanos() {
        return timeoutNanos;
    }

    /** Bound on one try, 0 for none. */
    public long perTryNanos() {
        return perTryNanos;
    }

    /** Tries after the first. */
    public int retries() {
        return retries;
    }

    /** True when a request whose connection could not be made may be tried again. */
    public boolean retriesConnectFailure() {
        return retryOn.contains("connect-failure") || retryOn.contains("gateway-error") || retryOn.contains("5xx");
    }

    /** True when something that happens after a request was sent may have it tried again: its body must be kept. */
    public boolean retriesResponses() {
        return retriesResponses;
    }

    /** True when a connection lost before the response may have the request tried again. */
    public boolean retriesReset() {
        return retryOn.contains("reset") || retryOn.contains("5xx") || retryOn.contains("gateway-error");
    }

    /** True when this response may have the request tried again. */
    public boolean retries(ResponseHead answer) {
        return retriesCode(answer.code()) || (retriesGrpc && retriesGrpc(answer.header("grpc-status")));
    }

    private boolean retriesGrpc(@Nullable String status) {
        return status != null && retryOn.contains(GRPC_CONDITIONS.getOrDefault(status.strip(), ""));
    }

    private boolean retriesCode(int code) {
        return (code >= 500 && retryOn.contains("5xx"))
                || ((code == 502 || code == 503 || code == 504) && retryOn.contains("gateway-error"))
                || (code == 409 && retryOn.contains("retriable-4xx"))
                || retryOn.contains(Integer.toString(code));
    }

    /** How the path is changed, null for not at all. */
    public @Nullable PathRewriter rewriter() {
        return rewriter;
    }

    /** The authority to send instead of the request's, null for the request's. */
    public @Nullable String authority() {
        return authority;
    }

    /** Changes of the request's fields. */
    public HeaderProgram requestHeaders() {
        return requestHeaders;
    }

    /** Changes of the response's fields. */
    public HeaderProgram responseHeaders() {
        return responseHeaders;
    }

    /** The clusters of shadow copies, by name. */
    public Map<String, WorkerCluster> mirrors() {
        return mirrors;
    }

    /**
     * What lies in a request's way.
     *
     * @param edge true when it enters the mesh here: only then a call of gRPC-Web becomes one of gRPC, and only where its
     *     endpoints speak HTTP/2 whatever the client does
     */
    public List<FilterFactory> filters(RequestHead head, boolean edge) {
        if (head.isHttp2() && head.isGrpc()) {
            return grpcFilters;
        }
        boolean translates = edge && cluster != null && cluster.speaksHttp2(false) && Filters.isGrpcWeb(head);
        return translates ? grpcWebFilters : filters;
    }
}
