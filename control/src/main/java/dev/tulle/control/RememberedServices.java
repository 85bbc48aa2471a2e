package dev.tulle.control;

import dev.tulle.common.OwnerThread;
import dev.tulle.model.Workload;
import java.time.Duration;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Services whose last workload has left, for a while: a program that restarts must not take its service's name and address
 * with it, or clients that look the name up meanwhile are told that there is no such service, and remember that. Runs on
 * the control plane's owner thread.
 */
final class RememberedServices {
    /** Names kept at once; those that have been without workloads longest leave first. */
    static final int NAMES_MAX = 4_096;

    private final OwnerThread owner;
    private final Duration time;
    private final Runnable onChange;
    private final Map<String, Kept> kept = new LinkedHashMap<>();

    private record Kept(Workload last, OwnerThread.Delayed end) {}

    /**
     * None yet.
     *
     * @param time how long a name is kept
     * @param onChange called when one is given up
     */
    RememberedServices(OwnerThread owner, Duration time, Runnable onChange) {
        this.owner = owner;
        this.time = time;
        this.onChange = onChange;
    }

    /** A workload has left, which may have been the last of its services. */
    void left(Workload workload) {
        for (String service : workload.services()) {
            String key = key(workload, service);
            forget(key);
            kept.put(key, new Kept(without(workload, service), owner.schedule(time, () -> end(key))));
        }
        while (kept.size() > NAMES_MAX) {
            forget(kept.keySet().iterator().next());
        }
    }

    /** A workload is there: its services need not be remembered. */
    void joined(Workload workload) {
        workload.services().forEach(service -> forget(key(workload, service)));
    }

    /** Workloads that stand for the services, one each: not healthy and without addresses. */
    Collection<Workload> workloads() {
        return kept.values().stream().map(Kept::last).toList();
    }

    private void end(String key) {
        kept.remove(key);
        onChange.run();
    }

    private void forget(String key) {
        Kept before = kept.remove(key);
        if (before != null) {
            before.end().cancel();
        }
    }

    private static String key(Workload workload, String service) {
        return workload.namespace() + "/" + service;
    }

    private static Workload without(Workload workload, String service) {
        return new Workload(
                workload.uid(),
                workload.name(),
                workload.namespace(),
                workload.serviceAccount(),
                workload.node(),
                List.of(),
                workload.labels(),
                List.of(service),
                workload.ports(),
                false,
                workload.origin());
    }
}
