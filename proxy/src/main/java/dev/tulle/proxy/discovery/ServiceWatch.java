package dev.tulle.proxy.discovery;

import dev.tulle.model.Cluster;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Listener;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteTable;
import dev.tulle.model.WeightedCluster;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.UnusableResourceException;
import dev.tulle.xds.XdsClient;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Follows one listener with its route configuration, clusters and endpoints, and publishes a snapshot whenever they are
 * known together. A new route table is put in force only when the clusters it names have been answered for (or {@value
 * #PATIENCE_MILLIS} ms have passed), so that no request meets a route whose endpoints are still on their way. Called on
 * the xDS client's thread and the timer's; locked.
 */
final class ServiceWatch implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(ServiceWatch.class.getName());
    private static final long PATIENCE_MILLIS = 2_000;

    private final XdsClient xds;
    private final OutboundService service;
    private final ScheduledExecutorService timer;

    private @Nullable Value<Listener> listener;
    /** The listener where nobody has to be asked for it. */
    private @Nullable Listener fixed;

    private @Nullable Value<RouteConfiguration> routes;
    private final Map<String, ClusterWatch> clusters = new HashMap<>();
    private @Nullable RouteTable table;
    /** Why the routes that came last are not used; empty when they are. */
    private String unusable = "";

    private boolean closed;
    /** Ends the wait for what is still on its way; null while nothing is. */
    private @Nullable ScheduledFuture<?> patience;
    /** Tells one wait from the next. */
    private int waits;

    ServiceWatch(XdsClient xds, OutboundService service, ScheduledExecutorService timer) {
        this.xds = xds;
        this.service = service;
        this.timer = timer;
    }

    void start() {
        synchronized (this) {
            listener = new Value<>(ResourceType.LISTENER, service.name());
        }
    }

    /** Follows what a listener refers to that is known already; called again when it is another one. */
    synchronized void start(Listener known) {
        fixed = known;
        rebuild(false);
    }

    /** One watched resource: unknown, absent or a value. */
    private final class Value<T> implements ResourceWatcher<T>, AutoCloseable {
        final String name;
        private final Subscription subscription;
        private boolean answered;
        private @Nullable T value;

        // The watcher is told on the client's thread, which waits for the lock that is held here.
        Value(ResourceType<T> type, String name) {
            this.name = name;
            this.subscription = xds.watch(type, name, this);
        }

        @Override
        public void onChanged(T changed) {
            synchronized (ServiceWatch.this) {
                answered = true;
                value = changed;
                rebuild(false);
                if (changed instanceof RouteConfiguration && !unusable.isEmpty()) {
                    throw new UnusableResourceException(unusable);
                }
            }
        }

        @Override
        public void onAbsent() {
            synchronized (ServiceWatch.this) {
                answered = true;
                value = null;
                rebuild(false);
            }
        }

        @Override
        public void onTrouble(String reason) {
            LOG.log(System.Logger.Level.DEBUG, () -> service.name() + ": " + name + ": " + reason);
        }

        @Override
        public void close() {
            subscription.close();
        }
    }

    private final class ClusterWatch implements AutoCloseable {
        final Value<Cluster> cluster;
        final Value<EndpointSet> endpoints;

        ClusterWatch(String name) {
            cluster = new Value<>(ResourceType.CLUSTER, name);
            endpoints = new Value<>(ResourceType.ENDPOINTS, name);
        }

        boolean isAnswered() {
            return cluster.answered && (cluster.value == null || endpoints.answered);
        }

        @Nullable
        ClusterSnapshot snapshot() {
            Cluster known = cluster.value;
            EndpointSet set = endpoints.value;
            return known == null ? null : new ClusterSnapshot(known, set == null ? List.of() : set.endpoints());
        }

        @Override
        public void close() {
            cluster.close();
            endpoints.close();
        }
    }

    private void rebuild(boolean force) {
        Value<Listener> root = listener;
        Listener found = root == null ? fixed : root.value;
        if (closed || (root == null && found == null) || (root != null && !root.answered)) {
            return;
        }
        if (found == null) {
            waitNoMore();
            dropAll();
            service.absent();
            return;
        }
        Set<String> needed = new HashSet<>();
        boolean complete = true;
        switch (found.target()) {
            case Listener.Target.Tcp(List<WeightedCluster> split) -> {
                split.forEach(share -> needed.add(share.cluster()));
                watchRoutes(null);
                table = null;
            }
            case Listener.Target.Http http -> {
                http.fallback().forEach(share -> needed.add(share.cluster()));
                Value<RouteConfiguration> known = watchRoutes(http.routeConfiguration());
                complete = known != null && known.answered;
                compile(known == null ? null : known.value);
                needed.addAll(clustersOf(table));
            }
            case Listener.Target.Edge _ -> throw new UnusableResourceException(found.name() + " is the gateway's");
        }
        for (String name : needed) {
            ClusterWatch watch = clusters.get(name);
            if (watch == null) {
                watch = new ClusterWatch(name);
                clusters.put(name, watch);
            }
            complete &= watch.isAnswered();
        }
        if (complete || force) {
            waitNoMore();
            publish(found, needed);
        } else if (patience == null) {
            int wait = waits;
            patience = timer.schedule(() -> patienceOver(wait), PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    private synchronized void patienceOver(int wait) {
        // What it was about may have come while this waited for the lock; the next change has its own time.
        if (wait == waits) {
            rebuild(true);
        }
    }

    private void waitNoMore() {
        ScheduledFuture<?> alarm = patience;
        waits++;
        patience = null;
        if (alarm != null) {
            alarm.cancel(false);
        }
    }

    private @Nullable Value<RouteConfiguration> watchRoutes(@Nullable String name) {
        Value<RouteConfiguration> known = routes;
        if (known != null && known.name.equals(name)) {
            return known;
        }
        if (known != null) {
            known.close();
        }
        routes = name == null ? null : new Value<>(ResourceType.ROUTE, name);
        return routes;
    }

    private void compile(@Nullable RouteConfiguration configuration) {
        RouteTable known = table;
        unusable = "";
        if (configuration == null) {
            table = null;
        } else if (known == null || !known.source().equals(configuration)) {
            try {
                table = RouteTable.compile(configuration);
            } catch (IllegalArgumentException e) {
                // The last good one stays; the control plane validates, so this is a version skew at worst.
                unusable = configuration.name() + ": kept the last routes: " + e.getMessage();
                LOG.log(System.Logger.Level.WARNING, unusable);
            }
        }
    }

    private static Set<String> clustersOf(@Nullable RouteTable table) {
        Set<String> names = new HashSet<>();
        if (table != null) {
            table.source().virtualHosts().stream()
                    .flatMap(host -> host.routes().stream())
                    .forEach(route -> {
                        if (route.action() instanceof RouteAction.Forward forward) {
                            forward.clusters().forEach(share -> names.add(share.cluster()));
                            forward.mirrors().forEach(mirror -> names.add(mirror.cluster()));
                        }
                    });
        }
        return names;
    }

    private void publish(Listener found, Set<String> needed) {
        clusters.entrySet().removeIf(entry -> {
            if (needed.contains(entry.getKey())) {
                return false;
            }
            entry.getValue().close();
            return true;
        });
        Map<String, ClusterSnapshot> known = new HashMap<>();
        clusters.forEach((name, watch) -> {
            ClusterSnapshot snapshot = watch.snapshot();
            if (snapshot != null) {
                known.put(name, snapshot);
            }
        });
        ServiceSnapshot next = new ServiceSnapshot(found, table, known);
        if (!next.equals(service.snapshot())) {
            service.publish(next);
        }
    }

    private void dropAll() {
        watchRoutes(null);
        clusters.values().forEach(ClusterWatch::close);
        clusters.clear();
        table = null;
    }

    @Override
    public synchronized void close() {
        closed = true;
        waitNoMore();
        dropAll();
        Value<Listener> root = listener;
        if (root != null) {
            root.close();
        }
    }
}
