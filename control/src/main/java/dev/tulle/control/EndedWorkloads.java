package dev.tulle.control;

import dev.tulle.model.MeshState;
import dev.tulle.model.Workload;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The workloads that have left the mesh lately, the last {@value #MAX}: what a short command was allowed is asked after it
 * has ended. Immutable.
 */
final class EndedWorkloads {
    /** Workloads remembered. */
    static final int MAX = 256;

    static final EndedWorkloads NONE = new EndedWorkloads(Map.of());

    private final Map<String, Ended> byUid;

    private EndedWorkloads(Map<String, Ended> byUid) {
        this.byUid = byUid;
    }

    /** One that has left. */
    record Ended(Workload workload, Instant when) {}

    /** These and those that are in one state and not in the next. */
    EndedWorkloads after(MeshState before, MeshState next, InstantSource clock) {
        Map<String, Ended> all = new LinkedHashMap<>(byUid);
        boolean changed = all.keySet().removeAll(next.workloads().keySet());
        for (Workload workload : before.workloads().values()) {
            if (!next.workloads().containsKey(workload.uid())) {
                all.put(workload.uid(), new Ended(workload, clock.instant().truncatedTo(ChronoUnit.SECONDS)));
                changed = true;
            }
        }
        if (!changed) {
            return this;
        }
        List<String> oldest = new ArrayList<>(all.keySet());
        all.keySet().removeAll(oldest.subList(0, Math.max(0, oldest.size() - MAX)));
        return new EndedWorkloads(all);
    }

    /** The one of this name that has left last; an empty namespace stands for any. */
    Optional<Ended> find(String namespace, String name) {
        return byUid.values().stream()
                .filter(ended -> ended.workload().name().equals(name))
                .filter(ended ->
                        namespace.isEmpty() || ended.workload().namespace().equals(namespace))
                .reduce((_, later) -> later);
    }
}
