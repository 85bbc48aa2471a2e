package dev.tulle.agent;

import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.host.Cgroups;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Which workload a control group belongs to: its own or one below. What was found is kept until a lease changes, as groups
 * do not move and their numbers are not given again; so a burst of connections costs the walk through all workloads'
 * groups once. Owner thread only.
 */
final class GroupOwners {
    private static final int MAX_KEPT = 4096;

    private final Cgroups cgroups;
    private final Map<Long, Optional<Lease>> kept = new HashMap<>();
    private List<Lease> of = List.of();

    GroupOwners(Cgroups cgroups) {
        this.cgroups = cgroups;
    }

    /** The workload whose control group, or one above, has this number. */
    Optional<Lease> owner(long groupId, List<Lease> leases) throws IOException {
        if (!of.equals(leases) || kept.size() >= MAX_KEPT) {
            kept.clear();
            of = leases;
        }
        Optional<Lease> known = kept.get(groupId);
        if (known == null) {
            known = find(groupId);
            kept.put(groupId, known);
        }
        return known;
    }

    private Optional<Lease> find(long groupId) throws IOException {
        for (Lease lease : of) {
            if (lease.live() && holds(lease.group(), groupId)) {
                return Optional.of(lease);
            }
        }
        return Optional.empty();
    }

    /** However deep: the kernel's rules match at the level of the workload's group, whatever lies below. */
    private boolean holds(String top, long groupId) throws IOException {
        Deque<String> waiting = new ArrayDeque<>(List.of(top));
        while (!waiting.isEmpty()) {
            String group = waiting.removeLast();
            if (!cgroups.exists(group)) {
                continue;
            }
            try {
                if (cgroups.id(group) == groupId) {
                    return true;
                }
                waiting.addAll(cgroups.children(group));
            } catch (IOException | UncheckedIOException e) {
                if (cgroups.exists(group)) {
                    throw e;
                }
                // It ended just now: nothing is wrong with whoever was asked for.
            }
        }
        return false;
    }
}
