package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.AccessKey;
import dev.tulle.agent.datapath.Structs.PermitKey;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.service.Guard;
import dev.tulle.agent.service.Guards;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Caller;
import dev.tulle.model.Verdict;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What the kernel is to know of authorization policies. Pure.
 *
 * @param adopted the numbers of the workloads that an earlier agent had enrolled
 * @param marks the workloads that policies are about, or may be
 * @param pairs what is settled between two workloads, by port; what is missing is the node proxy's
 * @param kept workloads for which what is in the kernel stays, with their marks
 */
record AccessPlan(
        Set<Integer> adopted, Set<PermitKey> marks, Map<AccessKey, Settled> pairs, Map<Integer, PermitKey> kept) {
    /** The name that counts where no ALLOW matches. */
    static final String NO_POLICY = "none";

    /** Without workloads. */
    static final AccessPlan NONE = new AccessPlan(Set.of(), Set.of(), Map.of(), Map.of());

    AccessPlan {
        adopted = Set.copyOf(adopted);
        marks = Set.copyOf(marks);
        pairs = Map.copyOf(pairs);
        kept = Map.copyOf(kept);
    }

    /**
     * What policies settle.
     *
     * @param policy which one refuses, or {@value #NO_POLICY}; empty where it is allowed
     */
    record Settled(boolean allowed, String policy) {
        static final Settled ALLOWED = new Settled(true, "");

        static Settled of(Verdict verdict) {
            AuthorizationPolicy policy = verdict.policy();
            return verdict.allowed() ? ALLOWED : new Settled(false, policy == null ? NO_POLICY : policy.name());
        }
    }

    /**
     * Settles what can be.
     *
     * @param leases the workloads of this node
     * @param guards what is known of their policies
     * @param most pairs that there is room for; workloads that do not fit are left to the node proxy
     */
    static AccessPlan of(List<Lease> leases, Guards guards, int most) {
        List<Lease> live = leases.stream()
                .filter(Lease::live)
                .sorted(Comparator.comparingInt(Lease::id))
                .toList();
        Set<PermitKey> marks = new HashSet<>();
        Map<AccessKey, Settled> pairs = new HashMap<>();
        Map<Integer, PermitKey> kept = new HashMap<>();
        Map<Authorizer, Map<Caller, Map<Integer, Settled>>> settled = new HashMap<>();
        for (Lease target : live) {
            PermitKey mark = new PermitKey(MeshNetwork.address(target.addressText()), 0, Structs.SOURCE_GUARDED);
            switch (guards.of(target.key())) {
                case Guard.Kept _ -> kept.put(target.id(), mark);
                case Guard.Unknown _ -> marks.add(mark);
                case Guard.Known(Authorizer authorizer) -> {
                    if (authorizer.isEmpty()) {
                        continue;
                    }
                    marks.add(mark);
                    if ((long) pairs.size()
                                    + (long) live.size() * (authorizer.ports().size() + 1)
                            > most) {
                        continue;
                    }
                    Map<Caller, Map<Integer, Settled>> byCaller =
                            settled.computeIfAbsent(authorizer, _ -> new HashMap<>());
                    for (Lease source : live) {
                        byCaller.computeIfAbsent(source.caller(), caller -> byPort(authorizer, caller))
                                .forEach(
                                        (port, what) -> pairs.put(new AccessKey(target.id(), source.id(), port), what));
                    }
                }
            }
        }
        Set<Integer> adopted = live.stream()
                .filter(lease -> guards.adopted().contains(lease.key()))
                .map(Lease::id)
                .collect(Collectors.toSet());
        return new AccessPlan(adopted, marks, pairs, kept);
    }

    /** By every port that a policy names, and 0 for all others, which are judged alike. */
    private static Map<Integer, Settled> byPort(Authorizer authorizer, Caller caller) {
        Map<Integer, Settled> byPort = new HashMap<>();
        authorizer.ports().forEach(port -> byPort.put(port, Settled.of(authorizer.tcp(caller, port))));
        byPort.put(0, Settled.of(authorizer.tcp(caller, 0)));
        return byPort;
    }
}
