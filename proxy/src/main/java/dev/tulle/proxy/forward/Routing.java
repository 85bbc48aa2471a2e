package dev.tulle.proxy.forward;

import dev.tulle.model.PathNormalizer;
import dev.tulle.model.RequestView;
import dev.tulle.model.RouteDecision;
import dev.tulle.model.RouteTable;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.http1.FieldName;
import dev.tulle.proxy.http1.ForwardingFields;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.OutsideView;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.Sender;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.ServiceView;
import dev.tulle.proxy.upstream.Upstreams;
import dev.tulle.proxy.upstream.WorkerCluster;
import org.jspecify.annotations.Nullable;

/** The decision on one request, and the path and authority that it is sent with. Loop-confined. */
final class Routing {
    private @Nullable ServiceView view;
    private @Nullable RouteDecision decision;
    private @Nullable ForwardPlan plan;
    private @Nullable String path;
    private @Nullable String authority;
    private String scheme = "http";
    private @Nullable RequestView received;

    /** A request begins. */
    void reset() {
        view = null;
        decision = null;
        plan = null;
        path = null;
        authority = null;
        scheme = "http";
        received = null;
    }

    /**
     * Decides on a complete head.
     *
     * @param client who asks: what one outside says of its scheme and of whom it speaks for counts for nothing
     * @param pathSkip characters at the start of the path that are not part of it
     * @param newAuthority the authority to decide with and to send; null for the request's own
     * @return null when the service has no configuration
     */
    @Nullable
    RouteDecision decide(
            Upstreams upstreams,
            OutboundService service,
            RequestHead head,
            Sender client,
            int pathSkip,
            @Nullable String newAuthority) {
        ServiceView current = upstreams.view(service);
        view = current;
        RouteTable table = current == null ? null : current.snapshot().routes();
        if (current == null || table == null) {
            return null;
        }
        boolean outside = !client.outside().isEmpty();
        RequestView asked = outside ? new OutsideView(head, client) : head;
        received = asked;
        RequestView request = asked;
        String host = newAuthority;
        if (pathSkip > 0) {
            String rest = head.path().substring(pathSkip);
            path = rest.isEmpty() ? "/" : rest;
        }
        if (host == null && head.authorityStart() == head.authorityEnd()) {
            // HTTP/1.0 without Host: the address that was dialled is as good a name.
            host = current.snapshot().listener().hostname();
        }
        authority = host;
        if (outside) {
            scheme = ForwardingFields.scheme(head, client);
        } else if (client.secure()) {
            scheme = "https";
        } else if (!head.isAbsolute() && head.value(FieldName.X_FORWARDED_PROTO).equals("https")) {
            scheme = "https";
        }
        if (head.isConnect()) {
            // Its target is where the server is to connect to: the address that was dialled says which service is
            // meant.
            request = new OverriddenRequest(
                    asked, "/", current.snapshot().listener().hostname(), scheme);
        } else if (!head.isPathPlain()) {
            String received = path == null ? head.path() : path;
            String normal = PathNormalizer.normalize(received);
            if (!normal.equals(received)) {
                path = normal;
            }
        }
        if (path != null || host != null || !scheme.equals("http")) {
            request = new OverriddenRequest(
                    asked, path == null ? head.path() : path, host == null ? head.authority() : host, scheme);
        }
        RouteDecision decided = table.decide(request, upstreams.worker().random());
        if (head.isConnect() && isEdge(current)) {
            // Nothing was dialled that could say where to connect to, and nobody outside is to say it.
            decided = decided.unrouted("CONNECT is not served at the gateway");
        }
        decision = decided;
        if (decided.route() != null) {
            ForwardPlan chosen = current.plan(decided);
            plan = chosen;
            if (chosen.rewriter() != null && !head.isConnect()) {
                path = chosen.rewriter().apply(request.path());
                if (path == null) {
                    decided = decided.unrouted("the path is too long for its rewrite");
                    decision = decided;
                    plan = null;
                    return decided;
                }
            }
            if (chosen.authority() != null && !head.isConnect()) {
                authority = chosen.authority();
            }
        }
        return decided;
    }

    private static boolean isEdge(ServiceView view) {
        return view.snapshot().listener().hostname().isEmpty();
    }

    /**
     * Finds what belongs to a request that was decided on, and sent to this cluster, before the proxy saw it. When the
     * configuration has changed meanwhile and has no such route any more, the answer is passed on as it is.
     */
    ForwardPlan decided(Upstreams upstreams, OutboundService service, RequestHead head, Sender client, String cluster) {
        RouteDecision now = decide(upstreams, service, head, client, 0, null);
        ServiceView current = view;
        ForwardPlan found = now == null || now.route() == null || current == null ? null : current.plan(now, cluster);
        if (found == null) {
            decision = null;
            path = null;
            authority = null;
        }
        ForwardPlan chosen = found == null ? ForwardPlan.plain(cluster) : found;
        plan = chosen;
        return chosen;
    }

    /** The request as its client may have it understood; null before the decision. */
    @Nullable
    RequestView received() {
        return received;
    }

    /** The service as it was when the decision was made; null before there was one. */
    @Nullable
    ServiceView view() {
        return view;
    }

    @Nullable
    RouteDecision decision() {
        return decision;
    }

    /** What the route changes of its answers. */
    HeaderProgram responseChanges() {
        ForwardPlan chosen = plan;
        return chosen == null ? HeaderProgram.NONE : chosen.responseHeaders();
    }

    /** What was prepared for the route; null without a route. */
    @Nullable
    ForwardPlan plan() {
        return plan;
    }

    /** The path to send; null for the received one. */
    @Nullable
    String path() {
        return path;
    }

    /** The authority to send; null for the received one. */
    @Nullable
    String authority() {
        return authority;
    }

    /** The scheme that the client asked with. */
    String scheme() {
        return scheme;
    }

    /** Where the request goes; null for nowhere. */
    @Nullable
    WorkerCluster cluster() {
        ForwardPlan chosen = plan;
        return chosen == null ? null : chosen.cluster();
    }

    /** The cluster's name; empty without one. */
    String clusterName() {
        ForwardPlan chosen = plan;
        return chosen == null ? "" : chosen.clusterName();
    }
}
