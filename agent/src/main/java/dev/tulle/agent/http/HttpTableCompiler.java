package dev.tulle.agent.http;

import dev.tulle.agent.http.HttpConditions.HttpNames;
import dev.tulle.common.Reason;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Caller;
import dev.tulle.model.Cluster;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Route;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.VirtualHost;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * Turns the routes of a service port into what the kernel may do by itself. Its meaning is that of {@link
 * dev.tulle.model.RouteTable}, in the one direction that counts: whenever the table forwards a request, the proxy would
 * have sent it to the same share of the same route; whatever cannot be shown to be so is the proxy's. Pure.
 *
 * <p>A condition that the kernel cannot look at is left out of a route, whose requests then go to the proxy: so it also
 * keeps later routes from taking what it might have taken.
 */
public final class HttpTableCompiler {
    private HttpTableCompiler() {}

    /** What is known of a port. */
    public sealed interface Result {
        /** The kernel can serve at least one route. */
        record Table(HttpTable table) implements Result {}

        /** Everything is the proxy's. */
        record Never(Reason reason, String text) implements Result {}
    }

    /**
     * Compiles.
     *
     * @param clusters what is known, by name
     * @param endpoints what is known, by cluster
     * @param local true for an address of a workload on this host
     * @param callers the identities of this host's workloads
     * @param authorizers the policies of an endpoint; empty when they are not known
     */
    public static Result compile(
            RouteConfiguration configuration,
            Map<String, Cluster> clusters,
            Map<String, EndpointSet> endpoints,
            Predicate<String> local,
            Set<Caller> callers,
            Function<HttpTable.Member, Optional<Authorizer>> authorizers) {
        List<VirtualHost> hosts = configuration.virtualHosts();
        if (hosts.size() != 1 || !hosts.getFirst().domains().contains("*")) {
            return new Result.Never(
                    Reason.NEEDS_MATCH,
                    hosts.isEmpty() ? "there is no route" : "its routes depend on the host that is asked for");
        }
        HttpNames names = new HttpNames();
        HttpForwarding forwarding = new HttpForwarding(clusters, endpoints, local);
        List<HttpTable.Route> routes = new ArrayList<>();
        for (Route route : hosts.getFirst().routes()) {
            if (routes.size() == HttpLimits.ROUTES) {
                break;
            }
            HttpConditions conditions = HttpConditions.of(route.match(), names);
            if (conditions.isNever()) {
                continue;
            }
            HttpForwarding.Outcome outcome = conditions.isExact()
                    ? forwarding.of(route)
                    : HttpForwarding.Outcome.toProxy(Reason.NEEDS_MATCH, conditions.left());
            routes.add(new HttpTable.Route(
                    route.name(),
                    conditions.when(),
                    outcome.shares(),
                    outcome.keep(),
                    outcome.timeoutMillis(),
                    outcome.reason(),
                    outcome.text()));
        }
        if (routes.stream().noneMatch(HttpTable.Route::forwards)) {
            return never(routes);
        }
        HttpPolicies.Outcome policies =
                HttpPolicies.compile(forwarding.parts(), names, new HttpPolicies.Input(callers, authorizers));
        if (policies.reason() != Reason.NONE) {
            return new Result.Never(policies.reason(), policies.text());
        }
        return new Result.Table(new HttpTable(
                routes,
                policies.rules(),
                policies.anyAllow(),
                policies.concerns(),
                forwarding.parts(),
                HttpLimits.BODY_MAX));
    }

    private static Result never(List<HttpTable.Route> routes) {
        if (routes.isEmpty()) {
            return new Result.Never(Reason.NEEDS_ANSWER, "no route takes a request");
        }
        HttpTable.Route first = routes.getFirst();
        return new Result.Never(first.reason(), "route " + first.name() + ": " + first.text());
    }
}
