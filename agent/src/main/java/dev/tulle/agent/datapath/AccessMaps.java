package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.AccessPlan.Settled;
import dev.tulle.agent.datapath.Structs.AccessKey;
import dev.tulle.agent.datapath.Structs.AccessValue;
import dev.tulle.agent.datapath.Structs.PermitKey;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.MapCodec;
import dev.tulle.kernel.PerCpuMap;
import dev.tulle.kernel.TypedMap;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Keeps what the guard knows of authorization policies, and counts whom it refused. Only what differs is written. Owner
 * thread only.
 */
final class AccessMaps {
    /** Stands for all policies that found no number of their own. */
    static final String OTHER = "other";

    private final TypedMap<AccessKey, AccessValue> access;
    private final TypedMap<PermitKey, Byte> permits;
    private final PerCpuMap<Integer, Long> denials;
    private final int last;
    /** What is in the kernel. */
    private final Map<AccessKey, AccessValue> held = new HashMap<>();

    private final Set<PermitKey> heldMarks = new HashSet<>();
    /** Workloads that an earlier agent had in the kernel, as long as they have not left the mesh. */
    private final Set<Integer> inherited;
    /** Numbers in entries of an earlier agent, whose names are not known. */
    private final Set<Integer> foreign = new HashSet<>();

    private final Map<String, Place> numbers = new HashMap<>();
    private @Nullable AccessPlan done;

    /** A policy's place among the counters, and what was counted there before it was the policy's. */
    private record Place(int index, long before) {}

    /** @param workloads the numbers of those that are in the kernel already */
    AccessMaps(BpfObject object, TypedMap<PermitKey, Byte> permits, Set<Integer> workloads) {
        this.access = Structs.map(object.map("tulle_access"), AccessKey.class, AccessValue.class);
        this.permits = permits;
        BpfMap denialMap = object.map("tulle_denials");
        this.denials = denialMap.perCpu(MapCodec.u32(), MapCodec.u64());
        this.last = denialMap.spec().maxEntries() - 1;
        this.inherited = new HashSet<>(workloads);
        read();
        held.values().forEach(value -> foreign.add(value.policy()));
        numbers.put(AccessPlan.NO_POLICY, new Place(0, counted(0)));
        numbers.put(OTHER, new Place(last, counted(last)));
    }

    private void read() {
        held.clear();
        held.putAll(access.snapshot());
        heldMarks.clear();
        permits.keys().stream()
                .filter(key -> key.source() == Structs.SOURCE_GUARDED)
                .forEach(heldMarks::add);
    }

    /** Pairs that there is room for; some more, as new ones are written before old ones go. */
    int room() {
        return access.map().spec().maxEntries() / 2;
    }

    /**
     * Brings the maps to what is wanted: what is settled comes before the mark that makes it count. To be called before a
     * new workload is known to the kernel, for its number may have been another's.
     */
    void reconcile(AccessPlan plan) {
        inherited.retainAll(plan.adopted());
        if (plan.equals(done)) {
            return;
        }
        done = null;
        try {
            bring(plan);
        } catch (BpfException e) {
            read();
            throw e;
        }
        done = plan;
    }

    private void bring(AccessPlan plan) {
        Map<AccessKey, AccessValue> wanted = new HashMap<>();
        plan.pairs().forEach((key, settled) -> wanted.put(key, value(settled)));
        held.forEach((key, value) -> {
            if (plan.kept().containsKey(key.dst()) && inherited.contains(key.dst()) && inherited.contains(key.src())) {
                wanted.put(key, value);
            }
        });
        Set<PermitKey> wantedMarks = new HashSet<>(plan.marks());
        plan.kept().forEach((id, mark) -> {
            if (heldMarks.contains(mark) || !inherited.contains(id)) {
                wantedMarks.add(mark);
            }
        });
        Map<AccessKey, AccessValue> fresh = new HashMap<>(wanted);
        fresh.entrySet().removeIf(entry -> entry.getValue().equals(held.get(entry.getKey())));
        access.putAll(fresh);
        wantedMarks.stream().filter(mark -> !heldMarks.contains(mark)).forEach(mark -> permits.put(mark, (byte) 1));
        permits.deleteAll(
                heldMarks.stream().filter(mark -> !wantedMarks.contains(mark)).toList());
        List<AccessKey> gone = new ArrayList<>(held.keySet());
        gone.removeIf(wanted::containsKey);
        access.deleteAll(gone);
        held.clear();
        held.putAll(wanted);
        heldMarks.clear();
        heldMarks.addAll(wantedMarks);
    }

    private AccessValue value(Settled settled) {
        return settled.allowed()
                ? new AccessValue(Structs.VERDICT_ALLOW, 0)
                : new AccessValue(Structs.VERDICT_DENY, number(settled.policy()).index());
    }

    private Place number(String policy) {
        return numbers.computeIfAbsent(policy, _ -> {
            Set<Integer> taken = new HashSet<>(foreign);
            numbers.values().forEach(number -> taken.add(number.index()));
            for (int index = 1; index < last; index++) {
                if (!taken.contains(index)) {
                    return new Place(index, counted(index));
                }
            }
            return new Place(last, counted(last));
        });
    }

    private long counted(int index) {
        return denials.get(index).stream().mapToLong(Long::longValue).sum();
    }

    /** The marks that are in the kernel, which are among its permits. */
    Set<PermitKey> marks() {
        return heldMarks;
    }

    /** Connections refused since the start, by policy. */
    Map<String, Long> denied() {
        Map<String, Long> denied = new TreeMap<>();
        numbers.forEach((policy, number) -> denied.merge(
                number.index() == last ? OTHER : policy, counted(number.index()) - number.before(), Math::max));
        return denied;
    }
}
