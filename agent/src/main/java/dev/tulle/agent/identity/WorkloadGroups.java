package dev.tulle.agent.identity;

import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.model.Caller;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The control groups of the workloads that are in the mesh at one moment. Immutable.
 *
 * @param members each with its group
 */
record WorkloadGroups(List<Member> members) {
    /** Nobody. */
    static final WorkloadGroups NONE = new WorkloadGroups(List.of());

    /**
     * One workload.
     *
     * @param key its namespace and name
     * @param identity who it is
     * @param group its control group
     * @param groupId the kernel's number of the group: another number under the same path is another group
     */
    record Member(String key, SpiffeId identity, String group, long groupId) {}

    WorkloadGroups {
        members = List.copyOf(members);
    }

    /** The living ones of some leases. */
    static WorkloadGroups of(List<Lease> leases) {
        return new WorkloadGroups(leases.stream()
                .filter(Lease::live)
                .map(lease -> new Member(lease.key(), identity(lease), lease.group(), lease.groupId()))
                .toList());
    }

    private static SpiffeId identity(Lease lease) {
        return SpiffeId.workload(
                Caller.TRUST_DOMAIN, lease.spec().namespace(), lease.spec().serviceAccount());
    }

    Set<SpiffeId> identities() {
        Set<SpiffeId> all = new LinkedHashSet<>();
        members.forEach(member -> all.add(member.identity()));
        return all;
    }

    /**
     * The workload in whose group, or in one below it, a living process is.
     *
     * @param group the process's
     * @throws IOException when the group of the workload cannot be looked at
     */
    Optional<Member> holding(String group, Cgroups cgroups) throws IOException {
        for (Member member : members) {
            boolean below = group.equals(member.group()) || group.startsWith(member.group() + "/");
            // A group with a process in it, or below it, is not removed: what has the path now is what the process is
            // in.
            if (below && cgroups.id(member.group()) == member.groupId()) {
                return Optional.of(member);
            }
        }
        return Optional.empty();
    }
}
