package dev.tulle.agent.service;

import dev.tulle.common.Reason;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Listener;
import dev.tulle.model.PortPath;
import dev.tulle.model.WeightedCluster;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Follows one port of a service that the kernel may serve: its listener says which clusters share the connections, the
 * clusters' endpoints are watched. Owner thread only.
 */
final class PortWatch implements AutoCloseable {
    private final XdsClient xds;
    private final Executor owner;
    private final Runnable changed;
    private final Predicate<String> reachable;
    private final Predicate<Endpoint> enforced;
    private final List<WeightedCluster> plain;
    private final Subscription listenerWatch;
    private final Map<String, Subscription> endpointWatches = new HashMap<>();
    private final Map<String, EndpointSet> endpoints = new HashMap<>();
    private final Set<String> absent = new HashSet<>();
    private List<WeightedCluster> clusters = List.of();
    private PortPath path;
    private @Nullable PortTarget decided;
    private boolean listenerKnown;
    private boolean closed;

    /**
     * Starts to follow.
     *
     * @param reachable whether the kernel may send a connection to this address without the proxy
     * @param enforced whether the kernel enforces what policies say of connections to this endpoint
     */
    PortWatch(
            XdsClient xds,
            Executor owner,
            String vip,
            String hostname,
            PortPath path,
            Predicate<String> reachable,
            Predicate<Endpoint> enforced,
            Runnable changed) {
        this.xds = xds;
        this.owner = owner;
        this.changed = changed;
        this.path = path;
        this.reachable = reachable;
        this.enforced = enforced;
        this.plain = List.of(new WeightedCluster(Cluster.nameOf(path.port(), "", hostname), 1));
        this.listenerWatch = xds.watch(
                ResourceType.LISTENER,
                Listener.nameOf(vip, path.port()),
                watcher(listener -> onListener(listener.target()), () -> onListener(null)));
    }

    /** A watcher whose calls arrive on the owner thread. */
    private <T> ResourceWatcher<T> watcher(java.util.function.Consumer<T> onChanged, Runnable onAbsent) {
        return new ResourceWatcher<>() {
            @Override
            public void onChanged(T value) {
                owner.execute(() -> {
                    if (!closed) {
                        onChanged.accept(value);
                    }
                });
            }

            @Override
            public void onAbsent() {
                owner.execute(() -> {
                    if (!closed) {
                        onAbsent.run();
                    }
                });
            }

            @Override
            public void onTrouble(String reason) {
                // The last value stays in force.
            }
        };
    }

    private void onListener(Listener.@Nullable Target target) {
        listenerKnown = true;
        List<WeightedCluster> next =
                switch (target) {
                    case null -> plain;
                    case Listener.Target.Tcp(var split) -> split;
                    case Listener.Target.Http _, Listener.Target.Edge _ -> List.of();
                };
        clusters = next;
        Set<String> wanted = new HashSet<>();
        next.stream().filter(cluster -> cluster.weight() > 0).forEach(cluster -> wanted.add(cluster.cluster()));
        for (String name : Set.copyOf(endpointWatches.keySet())) {
            if (!wanted.contains(name)) {
                Subscription watch = endpointWatches.remove(name);
                if (watch != null) {
                    watch.close();
                }
                endpoints.remove(name);
                absent.remove(name);
            }
        }
        for (String name : wanted) {
            if (!endpointWatches.containsKey(name)) {
                endpointWatches.put(
                        name,
                        xds.watch(
                                ResourceType.ENDPOINTS,
                                name,
                                watcher(set -> onEndpoints(name, set), () -> onEndpoints(name, null))));
            }
        }
        decide();
    }

    private void onEndpoints(String cluster, @Nullable EndpointSet set) {
        if (!endpointWatches.containsKey(cluster)) {
            return;
        }
        if (set == null) {
            endpoints.remove(cluster);
            absent.add(cluster);
        } else {
            absent.remove(cluster);
            endpoints.put(cluster, set);
        }
        decide();
    }

    private void decide() {
        PortTarget next = target();
        if (!next.equals(decided)) {
            decided = next;
            changed.run();
        }
    }

    /** The control plane says something else of the same port. */
    void follow(PortPath next) {
        path = next;
    }

    /** Where connections go. */
    PortTarget target() {
        if (!listenerKnown) {
            return new PortTarget.Undecided();
        }
        if (clusters.isEmpty()) {
            return new PortTarget.Proxy(Reason.NEEDS_HTTP, "its listener routes requests");
        }
        if (endpointWatches.keySet().stream()
                .anyMatch(name -> !endpoints.containsKey(name) && !absent.contains(name))) {
            return new PortTarget.Undecided();
        }
        Optional<List<Endpoint>> slots =
                SlotPlan.expand(clusters, endpoints, path.choice().kind());
        if (slots.isEmpty()) {
            return new PortTarget.Proxy(
                    Reason.TOO_MANY_ENDPOINTS, "a share of the split has no endpoint, or there are too many endpoints");
        }
        for (Endpoint endpoint : slots.get()) {
            if (!reachable.test(endpoint.address())) {
                return new PortTarget.Proxy(
                        Reason.NEEDS_MTLS, "endpoint " + endpoint.address() + " is not on this host");
            }
            if (path.policed() && !enforced.test(endpoint)) {
                return new PortTarget.Proxy(
                        Reason.NEEDS_POLICY,
                        path.reason() + "; endpoint " + endpoint.address()
                                + " is no workload for which this host's kernel does it");
            }
        }
        return new PortTarget.Kernel(slots.get(), path.choice());
    }

    @Override
    public void close() {
        closed = true;
        listenerWatch.close();
        endpointWatches.values().forEach(Subscription::close);
        endpointWatches.clear();
    }
}
