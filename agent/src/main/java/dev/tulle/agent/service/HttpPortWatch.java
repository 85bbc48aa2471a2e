package dev.tulle.agent.service;

import dev.tulle.agent.http.HttpTable;
import dev.tulle.agent.http.HttpTableCompiler;
import dev.tulle.common.Reason;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Caller;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Listener;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.Workload;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.XdsClient;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Executor;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Follows one port of a service whose requests the kernel may forward: its listener names the routes, these the
 * clusters, these the endpoints, and these the policies that apply to them. Owner thread only.
 */
final class HttpPortWatch implements AutoCloseable {
    private final Runnable changed;
    private final Predicate<String> local;
    private final Supplier<Set<Caller>> callers;
    private final String listener;
    private final Followed<Listener> listeners;
    private final Followed<RouteConfiguration> routes;
    private final Followed<Cluster> clusters;
    private final Followed<EndpointSet> endpoints;
    private final Followed<Workload> workloads;
    private final Followed<AuthorizationPolicy> policies;
    private @Nullable PortTarget decided;
    private Set<Caller> decidedFor = Set.of();
    private boolean busy;
    private boolean again;

    /**
     * Starts to follow.
     *
     * @param local whether an address is that of a workload on this host
     * @param callers the identities of this host's workloads
     */
    HttpPortWatch(
            XdsClient xds,
            Executor owner,
            String vip,
            int port,
            Predicate<String> local,
            Supplier<Set<Caller>> callers,
            Runnable changed) {
        this.changed = changed;
        this.local = local;
        this.callers = callers;
        this.listener = Listener.nameOf(vip, port);
        this.listeners = new Followed<>(xds, ResourceType.LISTENER, owner, this::follow);
        this.routes = new Followed<>(xds, ResourceType.ROUTE, owner, this::follow);
        this.clusters = new Followed<>(xds, ResourceType.CLUSTER, owner, this::follow);
        this.endpoints = new Followed<>(xds, ResourceType.ENDPOINTS, owner, this::follow);
        this.workloads = new Followed<>(xds, ResourceType.WORKLOAD, owner, this::follow);
        this.policies = new Followed<>(xds, ResourceType.AUTHORIZATION, owner, this::follow);
        listeners.want(Set.of(listener));
    }

    /** Asks for what the answers so far name; an answer may come while it asks. */
    private void follow() {
        again = true;
        if (busy) {
            return;
        }
        busy = true;
        while (again) {
            again = false;
            routes.want(routeName().map(Set::of).orElse(Set.of()));
            Set<String> names = new TreeSet<>();
            routes.values().values().forEach(configuration -> clustersOf(configuration, names));
            clusters.want(names);
            endpoints.want(names);
            Set<String> addresses = new TreeSet<>();
            for (EndpointSet set : endpoints.values().values()) {
                set.endpoints().stream()
                        .map(Endpoint::address)
                        .filter(local)
                        .map(ResourceType::nameOfAddress)
                        .forEach(addresses::add);
            }
            workloads.want(addresses);
            Set<String> applying = new TreeSet<>();
            workloads.values().values().forEach(workload -> applying.addAll(workload.policies()));
            policies.want(applying);
        }
        busy = false;
        PortTarget before = decided;
        decided = null;
        if (!target().equals(before)) {
            changed.run();
        }
    }

    private Optional<String> routeName() {
        return listeners
                .get(listener)
                .map(Listener::target)
                .filter(Listener.Target.Http.class::isInstance)
                .map(target -> ((Listener.Target.Http) target).routeConfiguration());
    }

    private static void clustersOf(RouteConfiguration configuration, Set<String> names) {
        for (VirtualHost host : configuration.virtualHosts()) {
            for (Route route : host.routes()) {
                if (route.action() instanceof RouteAction.Forward forward) {
                    forward.clusters().stream().map(WeightedCluster::cluster).forEach(names::add);
                }
            }
        }
    }

    /** Where requests go; {@link PortTarget.Undecided} until the control plane has answered all that was asked. */
    PortTarget target() {
        Set<Caller> now = callers.get();
        PortTarget known = decided;
        if (known == null || !now.equals(decidedFor)) {
            known = decide(now);
            decided = known;
            decidedFor = now;
        }
        return known;
    }

    private PortTarget decide(Set<Caller> now) {
        if (!listeners.isSettled()
                || !routes.isSettled()
                || !clusters.isSettled()
                || !endpoints.isSettled()
                || !workloads.isSettled()
                || !policies.isSettled()) {
            return new PortTarget.Undecided();
        }
        Optional<RouteConfiguration> configuration = routeName().flatMap(routes::get);
        if (configuration.isEmpty()) {
            boolean bytes = listeners.get(listener).isPresent() && routeName().isEmpty();
            return new PortTarget.Proxy(
                    bytes ? Reason.NEEDS_HTTP : Reason.HTTP_UNKNOWN,
                    bytes ? "its listener does not route requests" : "the control plane has no routes for it");
        }
        Map<Set<AuthorizationPolicy>, Authorizer> made = new HashMap<>();
        HttpTableCompiler.Result result = HttpTableCompiler.compile(
                configuration.get(), clusters.values(), endpoints.values(), local, now, member -> policiesOf(member)
                        .map(all -> made.computeIfAbsent(all, Authorizer::of)));
        return switch (result) {
            case HttpTableCompiler.Result.Table(HttpTable table) -> new PortTarget.Http(table);
            case HttpTableCompiler.Result.Never(Reason reason, String text) -> new PortTarget.Proxy(reason, text);
        };
    }

    /** What applies to an endpoint; empty when that is not known in full. */
    private Optional<Set<AuthorizationPolicy>> policiesOf(HttpTable.Member member) {
        Optional<Workload> workload = workloads.get(ResourceType.nameOfAddress(member.address()));
        if (workload.isEmpty()) {
            return Optional.empty();
        }
        Set<AuthorizationPolicy> found = new HashSet<>();
        for (String name : workload.get().policies()) {
            Optional<AuthorizationPolicy> policy = policies.get(name);
            if (policy.isEmpty()) {
                return Optional.empty();
            }
            found.add(policy.get());
        }
        return Optional.of(found);
    }

    @Override
    public void close() {
        listeners.close();
        routes.close();
        clusters.close();
        endpoints.close();
        workloads.close();
        policies.close();
    }
}
