package dev.tulle.agent.service;

import dev.tulle.agent.tier.KernelHttp;
import dev.tulle.common.Reason;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Caller;
import dev.tulle.model.Endpoint;
import dev.tulle.model.PortPath;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The services that this node's workloads use: each is fetched when it is first asked for and followed from then on.
 * Owner thread only, but for {@link #known} and {@link #hostnameAt}.
 *
 * <p>Names that do not exist are followed too for a while, so that a client that asks again and again costs the control
 * plane nothing; at most {@value #ABSENT_MAX} of them: whoever asked for most of them loses the one that was asked for
 * longest ago.
 */
public final class ServiceDirectory implements AutoCloseable {
    /** How long an answer waits for what the kernel needs to forward requests; without it the proxy does. */
    private static final Duration HTTP_PATIENCE = Duration.ofMillis(300);

    /** How long changes are collected before they are written down. */
    private static final Duration SAVE_DELAY = Duration.ofMillis(500);

    /** Names that do not exist and are followed all the same. */
    static final int ABSENT_MAX = 512;

    /** What is known of a name. */
    public sealed interface Finding {
        /** There is such a service, and the kernel is ready for it. */
        record Found(Service service) implements Finding {}

        /** The control plane says that there is none. */
        record None() implements Finding {}

        /** Nobody can say: the control plane is away. */
        record Unknown() implements Finding {}
    }

    /** Written by the owner thread; volatile is what others read. */
    private static final class Entry {
        /** Who asked first. */
        final String asker;

        final List<CompletableFuture<Finding>> waiting = new ArrayList<>();
        final Map<Integer, PortWatch> ports = new HashMap<>();
        final Map<Integer, HttpPortWatch> httpPorts = new HashMap<>();

        @Nullable
        Subscription subscription;

        volatile @Nullable Service service;

        /** What can be said without asking; null while that is nothing. */
        volatile @Nullable Finding published;

        /** When it was last asked for, by {@link System#nanoTime}. */
        volatile long usedNanos = System.nanoTime();

        boolean answered;
        long version;

        /** True once the kernel need not be waited for: a connection may also begin with the proxy. */
        boolean httpLate;

        Entry(String asker) {
            this.asker = asker;
        }

        boolean undecided() {
            return ports.values().stream().anyMatch(port -> port.target() instanceof PortTarget.Undecided)
                    || (!httpLate
                            && httpPorts.values().stream()
                                    .anyMatch(port -> port.target() instanceof PortTarget.Undecided));
        }
    }

    private final XdsClient xds;
    private final Executor owner;
    private final ServiceStore store;
    private final Predicate<String> reachable;
    private final Predicate<Endpoint> enforced;
    private final KernelHttp http;
    private final Supplier<Set<Caller>> callers;
    private final Runnable changed;
    private final Map<String, Entry> entries = new ConcurrentHashMap<>();
    private long version;
    private long applied;
    private boolean saving;

    /**
     * A directory.
     *
     * @param owner runs tasks on the owner thread
     * @param reachable whether the kernel may send a connection to this address without the proxy
     * @param enforced whether the kernel of this host enforces what policies say of connections to this endpoint
     * @param http whether the kernel forwards requests
     * @param callers the identities of this host's workloads
     * @param changed told that {@link #views} has changed; answers by applying them and calling {@link #applied}
     */
    public ServiceDirectory(
            XdsClient xds,
            Executor owner,
            ServiceStore store,
            Predicate<String> reachable,
            Predicate<Endpoint> enforced,
            KernelHttp http,
            Supplier<Set<Caller>> callers,
            Runnable changed) {
        this.xds = xds;
        this.owner = owner;
        this.store = store;
        this.reachable = reachable;
        this.enforced = enforced;
        this.http = http;
        this.callers = callers;
        this.changed = changed;
    }

    /** Follows again what was followed before a restart. */
    public void restore() {
        for (Service service : store.load()) {
            Entry entry = watch(service.namespace(), service.hostname(), "");
            entry.service = service;
            watchPorts(entry, service);
            entry.version = ++version;
        }
        changed.run();
    }

    /** What is known of a name without asking anybody; empty when {@link #find} must be asked. Any thread. */
    public Optional<Finding> known(String namespace, String hostname) {
        Entry entry = entries.get(namespace + "/" + hostname);
        if (entry == null) {
            return Optional.empty();
        }
        entry.usedNanos = System.nanoTime();
        return Optional.ofNullable(entry.published);
    }

    /**
     * Finds a service; completes once the kernel is ready for it, which the caller should wait for only a while.
     *
     * @param asker on whose account a name that does not exist is remembered
     */
    public CompletableFuture<Finding> find(String namespace, String hostname, String asker) {
        Entry entry = entries.get(namespace + "/" + hostname);
        if (entry == null) {
            entry = watch(namespace, hostname, asker);
            trim();
        }
        entry.usedNanos = System.nanoTime();
        CompletableFuture<Finding> finding = new CompletableFuture<>();
        entry.waiting.add(finding);
        settle(entry);
        if (!finding.isDone() && !entry.httpLate) {
            Entry late = entry;
            CompletableFuture.delayedExecutor(HTTP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS, owner)
                    .execute(() -> {
                        late.httpLate = true;
                        settle(late);
                    });
        }
        return finding;
    }

    private Entry watch(String namespace, String hostname, String asker) {
        Entry entry = new Entry(asker);
        entries.put(namespace + "/" + hostname, entry);
        entry.subscription = xds.watch(
                ResourceType.SERVICE, ResourceType.nameOfService(namespace, hostname), new ResourceWatcher<Service>() {
                    @Override
                    public void onChanged(Service value) {
                        owner.execute(() -> onService(entry, value));
                    }

                    @Override
                    public void onAbsent() {
                        owner.execute(() -> onService(entry, null));
                    }

                    @Override
                    public void onTrouble(String reason) {
                        owner.execute(() -> settle(entry));
                    }
                });
        return entry;
    }

    private void onService(Entry entry, @Nullable Service service) {
        if (entry.subscription == null) {
            return;
        }
        entry.answered = true;
        boolean same = java.util.Objects.equals(entry.service, service);
        entry.service = service;
        if (!same) {
            entry.published = null;
            watchPorts(entry, service);
            entry.version = ++version;
            save();
            changed.run();
        }
        settle(entry);
    }

    private void watchPorts(Entry entry, @Nullable Service service) {
        Map<Integer, PortWatch> before = new HashMap<>(entry.ports);
        entry.ports.clear();
        if (service != null && !service.addresses().isEmpty()) {
            for (int i = 0; i < service.ports().size(); i++) {
                int port = service.ports().get(i).number();
                PortPath path = pathOf(service, i);
                if (path.path() != PortPath.Path.KERNEL_L4 && !path.policed()) {
                    continue;
                }
                PortWatch kept = before.remove(port);
                if (kept != null) {
                    kept.follow(path);
                }
                entry.ports.put(port, kept != null ? kept : portWatch(entry, service, path));
            }
        }
        before.values().forEach(PortWatch::close);
        watchHttpPorts(entry, service);
    }

    private void watchHttpPorts(Entry entry, @Nullable Service service) {
        Map<Integer, HttpPortWatch> before = new HashMap<>(entry.httpPorts);
        entry.httpPorts.clear();
        if (service != null && !service.addresses().isEmpty()) {
            for (ServicePort port : service.ports()) {
                if (http.on() && mayBeHttp1(port) && !entry.ports.containsKey(port.number())) {
                    HttpPortWatch kept = before.remove(port.number());
                    entry.httpPorts.put(
                            port.number(), kept != null ? kept : httpPortWatch(entry, service, port.number()));
                }
            }
        }
        before.values().forEach(HttpPortWatch::close);
    }

    private HttpPortWatch httpPortWatch(Entry entry, Service service, int port) {
        return new HttpPortWatch(xds, owner, service.addresses().getFirst(), port, reachable, callers, () -> {
            entry.version = ++version;
            changed.run();
        });
    }

    private PortWatch portWatch(Entry entry, Service service, PortPath path) {
        return new PortWatch(
                xds, owner, service.addresses().getFirst(), service.hostname(), path, reachable, enforced, () -> {
                    entry.version = ++version;
                    changed.run();
                });
    }

    private static PortPath pathOf(Service service, int index) {
        return index < service.paths().size()
                ? service.paths().get(index)
                : new PortPath(
                        service.ports().get(index).number(), PortPath.Path.PROXY, "the control plane names no path");
    }

    /** Answers those who wait for an entry, if it can be answered. */
    private void settle(Entry entry) {
        Finding finding;
        boolean connected = xds.status().connected();
        Service service = entry.service;
        if (service != null && entry.version <= applied && !(connected && entry.undecided())) {
            finding = new Finding.Found(service);
            entry.published = finding;
        } else if (service == null && entry.answered) {
            finding = new Finding.None();
            entry.published = finding;
        } else if (service == null && !connected) {
            finding = new Finding.Unknown();
        } else {
            return;
        }
        List<CompletableFuture<Finding>> waiting = List.copyOf(entry.waiting);
        entry.waiting.clear();
        waiting.forEach(future -> future.complete(finding));
    }

    /** The version of {@link #views}, to be handed back to {@link #applied}. */
    public long version() {
        return version;
    }

    /** Told that the kernel holds the views of this version. */
    public void applied(long appliedVersion) {
        applied = Math.max(applied, appliedVersion);
        List.copyOf(entries.values()).forEach(this::settle);
    }

    /** All services that exist, as they should be served. */
    public List<ServiceView> views() {
        List<ServiceView> views = new ArrayList<>();
        for (Entry entry : entries.values()) {
            Service service = entry.service;
            if (service == null) {
                continue;
            }
            Map<Integer, PortTarget> targets = new TreeMap<>();
            for (int i = 0; i < service.ports().size(); i++) {
                ServicePort port = service.ports().get(i);
                targets.put(port.number(), target(entry, port, pathOf(service, i)));
            }
            views.add(new ServiceView(service, targets));
        }
        return views;
    }

    private static boolean mayBeHttp1(ServicePort port) {
        return port.protocol() == AppProtocol.HTTP || port.protocol() == AppProtocol.AUTO;
    }

    private PortTarget target(Entry entry, ServicePort port, PortPath path) {
        PortWatch watch = entry.ports.get(port.number());
        if (watch != null) {
            return watch.target();
        }
        HttpPortWatch requests = entry.httpPorts.get(port.number());
        if (requests != null) {
            return requests.target();
        }
        return mayBeHttp1(port)
                ? new PortTarget.Proxy(http.reason(), http.text())
                : new PortTarget.Proxy(reasonOf(port, path), path.reason());
    }

    /** The number that stands for the control plane's words. */
    private static Reason reasonOf(ServicePort port, PortPath path) {
        String text = path.reason().toLowerCase(Locale.ROOT);
        if (text.contains("fault")) {
            return Reason.NEEDS_FAULT;
        }
        if (port.protocol() == AppProtocol.HTTP2 || port.protocol() == AppProtocol.GRPC) {
            return Reason.NEEDS_HTTP2;
        }
        if (port.protocol().isHttp() || port.protocol() == AppProtocol.AUTO) {
            return Reason.NEEDS_HTTP;
        }
        return Reason.NEEDS_TRAFFIC_POLICY;
    }

    /** The service at a virtual address. */
    public Optional<Service> at(String address) {
        for (Entry entry : entries.values()) {
            Service service = entry.service;
            if (service != null && service.addresses().contains(address)) {
                return Optional.of(service);
            }
        }
        return Optional.empty();
    }

    /** The host name of the service at a virtual address. Any thread. */
    public Optional<String> hostnameAt(String address) {
        return at(address).map(Service::hostname);
    }

    private void trim() {
        Map<String, Integer> absent = new HashMap<>();
        for (Entry entry : entries.values()) {
            if (entry.service == null) {
                absent.merge(entry.asker, 1, Integer::sum);
            }
        }
        int all = absent.values().stream().mapToInt(Integer::intValue).sum();
        if (all <= ABSENT_MAX) {
            return;
        }
        String most =
                Collections.max(absent.entrySet(), Map.Entry.comparingByValue()).getKey();
        entries.entrySet().stream()
                .filter(one -> one.getValue().service == null
                        && one.getValue().waiting.isEmpty()
                        && one.getValue().asker.equals(most))
                .min(Comparator.comparingLong(one -> one.getValue().usedNanos))
                .ifPresent(one -> {
                    entries.remove(one.getKey());
                    end(one.getValue());
                });
    }

    private static void end(Entry entry) {
        Subscription subscription = entry.subscription;
        entry.subscription = null;
        if (subscription != null) {
            subscription.close();
        }
        entry.ports.values().forEach(PortWatch::close);
        entry.ports.clear();
        entry.httpPorts.values().forEach(HttpPortWatch::close);
        entry.httpPorts.clear();
    }

    /** Soon, and once for changes that come close together: losing the last ones costs a question, not an answer. */
    private void save() {
        if (!saving) {
            saving = true;
            CompletableFuture.delayedExecutor(SAVE_DELAY.toMillis(), TimeUnit.MILLISECONDS, owner)
                    .execute(this::saveNow);
        }
    }

    private void saveNow() {
        if (!saving) {
            return;
        }
        saving = false;
        List<Service> services = new ArrayList<>();
        for (Entry entry : entries.values()) {
            if (entry.service != null) {
                services.add(entry.service);
            }
        }
        store.save(services);
    }

    /** What is wrong with the services on disk, for people; empty when nothing is. */
    public String trouble() {
        return store.trouble();
    }

    @Override
    public void close() {
        saveNow();
        entries.values().forEach(ServiceDirectory::end);
        entries.clear();
    }
}
