package dev.tulle.proxy.discovery;

import dev.tulle.model.Service;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Services by the names that people write, for the explicit proxy port: {@code reviews}, {@code reviews.default}, {@code
 * reviews.default.svc}, the full name, or the host of a ServiceEntry. The most recently used names are followed. Any
 * thread.
 */
public final class NameDirectory implements AutoCloseable {
    private static final int CAPACITY = 1_000;

    private final XdsClient xds;
    private final Map<String, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);

    /** An empty directory. */
    public NameDirectory(XdsClient xds) {
        this.xds = xds;
    }

    private static final class Entry extends OnDemand implements ResourceWatcher<Service> {
        private @Nullable Subscription subscription;
        private volatile boolean known;
        private volatile @Nullable Service service;

        @Override
        public void onChanged(Service value) {
            become(value);
        }

        @Override
        public void onAbsent() {
            become(null);
        }

        @Override
        public void onTrouble(String reason) {
            // The caller's patience ends the wait.
        }

        private void become(@Nullable Service now) {
            service = now;
            known = true;
            tellWaiting();
        }

        @Override
        public boolean isKnown() {
            return known;
        }
    }

    /**
     * Looks a name up and calls back, at once or on another thread.
     *
     * @param host in lower case, without port
     * @param namespace the caller's, for short names
     * @param then gets null when there is no such service
     */
    public void find(String host, String namespace, Consumer<@Nullable Service> then) {
        tryNext(candidates(host, namespace).iterator(), then);
    }

    private void tryNext(Iterator<String> names, Consumer<@Nullable Service> then) {
        if (!names.hasNext()) {
            then.accept(null);
            return;
        }
        Entry entry = entry(names.next());
        entry.whenKnown(() -> {
            Service service = entry.service;
            if (service != null) {
                then.accept(service);
            } else {
                tryNext(names, then);
            }
        });
    }

    /** The resource names that a written name may stand for, in order. */
    static List<String> candidates(String host, String namespace) {
        String home = namespace.isEmpty() ? "default" : namespace;
        List<String> names = new ArrayList<>();
        String[] labels = host.split("\\.", -1);
        if (labels.length == 1) {
            names.add(ResourceType.nameOfService(home, host + "." + home + ".svc.cluster.local"));
        } else if (labels.length == 2) {
            names.add(ResourceType.nameOfService(labels[1], host + ".svc.cluster.local"));
        } else if (labels.length == 3 && labels[2].equals("svc")) {
            names.add(ResourceType.nameOfService(labels[1], host + ".cluster.local"));
        } else if (labels.length >= 3 && labels[2].equals("svc")) {
            names.add(ResourceType.nameOfService(labels[1], host));
        }
        names.add(ResourceType.nameOfService(home, host));
        if (!home.equals("default")) {
            names.add(ResourceType.nameOfService("default", host));
        }
        return names;
    }

    private Entry entry(String name) {
        synchronized (entries) {
            Entry known = entries.get(name);
            if (known != null) {
                return known;
            }
            Entry fresh = new Entry();
            entries.put(name, fresh);
            fresh.subscription = xds.watch(ResourceType.SERVICE, name, fresh);
            if (entries.size() > CAPACITY) {
                Iterator<Entry> oldest = entries.values().iterator();
                close(oldest.next());
                oldest.remove();
            }
            return fresh;
        }
    }

    private static void close(Entry entry) {
        Subscription subscription = entry.subscription;
        if (subscription != null) {
            subscription.close();
        }
    }

    @Override
    public void close() {
        synchronized (entries) {
            entries.values().forEach(NameDirectory::close);
            entries.clear();
        }
    }
}
