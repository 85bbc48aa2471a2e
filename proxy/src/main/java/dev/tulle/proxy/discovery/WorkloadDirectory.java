package dev.tulle.proxy.discovery;

import dev.tulle.model.Caller;
import dev.tulle.model.Workload;
import dev.tulle.telemetry.WorkloadLabels;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Which workload has an address or uid, followed over xDS from the first question on and forgotten some time after the
 * last one. Of callers only their labels are followed: who has a lease was settled when it began. Any thread.
 */
public final class WorkloadDirectory implements AutoCloseable {
    /** A workload as it is followed; its labels change in place. */
    public static final class Entry extends OnDemand implements ResourceWatcher<Workload> {
        private final String name;
        private final WorkloadLabels fallback;
        private final boolean settled;
        private volatile WorkloadLabels labels;
        private volatile String namespace = "";
        private volatile Caller caller = Caller.NONE;
        private volatile boolean known;

        Entry(String name, WorkloadLabels fallback) {
            this.name = name;
            this.fallback = fallback;
            this.labels = fallback;
            this.settled = false;
        }

        /** The holder of a lease, whose identity does not change with what is said of its name later. */
        private Entry(String name, WorkloadLabels labels, Caller caller) {
            this.name = name;
            this.fallback = labels;
            this.labels = labels;
            this.settled = true;
            this.namespace = caller.namespace();
            this.caller = caller;
            this.known = true;
        }

        /** An entry that never changes. */
        public static Entry fixed(WorkloadLabels labels) {
            Entry entry = new Entry("", labels);
            entry.namespace = labels.namespace();
            entry.become(labels);
            return entry;
        }

        /** An entry of which nothing is known until it is {@link #settle settled}. */
        public static Entry pending() {
            return new Entry("", WorkloadLabels.UNKNOWN);
        }

        /** What was found out late; nothing, if that is not known either. Those who wait are told. */
        public void settle(Entry found) {
            if (found.known) {
                namespace = found.namespace;
                caller = found.caller;
                become(found.labels);
            }
        }

        /** The labels now; the same object as long as nothing changes. */
        public WorkloadLabels labels() {
            return labels;
        }

        /** The workload's namespace; empty when unknown. */
        public String namespace() {
            return namespace;
        }

        /** Its identity; {@link Caller#NONE} for one that is no workload, and while nothing is known. */
        public Caller caller() {
            return caller;
        }

        @Override
        public boolean isKnown() {
            return known;
        }

        private void become(WorkloadLabels next) {
            labels = next;
            known = true;
            tellWaiting();
        }

        @Override
        public void onChanged(Workload value) {
            if (settled) {
                // Its labels, unless the name is another workload's by now.
                labels = caller.equals(Caller.of(value)) ? WorkloadLabels.of(value) : labels;
                return;
            }
            namespace = value.namespace();
            caller = Caller.of(value);
            become(WorkloadLabels.of(value));
        }

        @Override
        public void onAbsent() {
            if (settled) {
                return;
            }
            caller = Caller.NONE;
            become(fallback);
        }

        @Override
        public void onTrouble(String reason) {
            // The last answer stays; without one the caller's own patience ends the wait.
        }

        @Override
        public String toString() {
            WorkloadLabels now = labels;
            return now.workload().isEmpty() ? "" : now.namespace() + "/" + now.workload();
        }
    }

    /** From where callers of other nodes say to call may be anywhere: beyond so many entries nobody is asked about it. */
    private static final int MAX_FOLLOWED = 16_384;

    private record Followed(Entry entry, Subscription subscription) {}

    private final XdsClient xds;
    private final long idleNanos;
    private final Map<String, Followed> entries = new ConcurrentHashMap<>();
    private final ScheduledExecutorService timer;
    private final ScheduledFuture<?> sweep;

    /** An empty directory. */
    public WorkloadDirectory(XdsClient xds, Duration idleExpiry) {
        this.xds = xds;
        this.idleNanos = idleExpiry.toNanos();
        this.timer = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().name("workload-directory").daemon().factory());
        long period = Math.max(100, idleExpiry.toMillis() / 4);
        this.sweep = timer.scheduleWithFixedDelay(this::forgetIdle, period, period, TimeUnit.MILLISECONDS);
    }

    /** Who has a lease; null when it has not been asked for lately. */
    public @Nullable Entry ofLease(long lease) {
        Followed known = entries.get(nameOf(lease));
        if (known == null) {
            return null;
        }
        known.entry.used();
        return known.entry;
    }

    /**
     * Keeps who has a lease.
     *
     * @param uid the workload's name to the control plane
     * @param labels what is counted until the control plane says more
     */
    public Entry ofLease(long lease, String uid, Caller caller, WorkloadLabels labels) {
        Entry known = ofLease(lease);
        return known != null ? known : keep(nameOf(lease), uid, new Entry(nameOf(lease), labels, caller));
    }

    /**
     * Who has shown a certificate.
     *
     * @param address from where it says to call; what is known of the workload there is said of it in metrics, where that
     *     has the same identity
     */
    public Entry ofCertificate(Caller caller, String address) {
        String name = "certificate " + caller.principal() + " " + address;
        Followed known = entries.get(name);
        if (known != null) {
            known.entry.used();
            return known.entry;
        }
        String[] parts = caller.principal().split("/", -1);
        WorkloadLabels labels = new WorkloadLabels(
                "", caller.namespace(), "spiffe://" + caller.principal(), "", "", parts[parts.length - 1], "");
        Entry entry = new Entry(name, labels, caller);
        return entries.size() < MAX_FOLLOWED ? keep(name, "/" + address, entry) : entry;
    }

    /** No workload's name begins so. */
    private static String nameOf(long lease) {
        return "lease " + lease;
    }

    /** The workload behind a name, with labels to use while and where the control plane does not know it. */
    public Entry lookup(String name, WorkloadLabels fallback) {
        Followed known = entries.get(name);
        if (known == null) {
            return keep(name, name, new Entry(name, fallback));
        }
        known.entry.used();
        return known.entry;
    }

    private Entry keep(String name, String followed, Entry entry) {
        Followed fresh = new Followed(entry, xds.watch(ResourceType.WORKLOAD, followed, entry));
        Followed known = entries.putIfAbsent(name, fresh);
        if (known == null) {
            return entry;
        }
        fresh.subscription.close();
        known.entry.used();
        return known.entry;
    }

    private void forgetIdle() {
        for (Followed followed : List.copyOf(entries.values())) {
            if (followed.entry.isIdleFor(idleNanos) && entries.remove(followed.entry.name, followed)) {
                // Holders of the entry keep its last labels.
                followed.subscription.close();
            }
        }
    }

    @Override
    public void close() {
        sweep.cancel(false);
        timer.shutdownNow();
        entries.values().forEach(followed -> followed.subscription.close());
        entries.clear();
    }
}
