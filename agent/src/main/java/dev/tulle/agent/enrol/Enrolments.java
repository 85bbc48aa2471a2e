package dev.tulle.agent.enrol;

import dev.tulle.agent.enrol.EnrolSpec.Publication;
import dev.tulle.agent.enrol.EnrolSpec.Source;
import dev.tulle.agent.enrol.Lease.State;
import dev.tulle.agent.enrol.RefusedException.Code;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.common.Cidr;
import dev.tulle.model.Workload.WorkloadPort;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The workloads of this node: who is enrolled, with which address, in which control group. Owner thread only; every
 * change is on disk before anyone is told.
 */
public final class Enrolments {
    /** The length of a DNS label. */
    private static final int NAME_MAX = 63;

    /** A group that no process enters for this long is given up. */
    public static final Duration START_TIMEOUT = Duration.ofSeconds(30);

    /** How long an address is given to nobody else after it was given back: packets may be on their way. */
    public static final Duration REST = Duration.ofSeconds(5);

    private static final System.Logger LOG = System.getLogger(Enrolments.class.getName());

    /** Told about every change, after it is on disk. */
    public interface Listener {
        /** A workload has joined, or has come back with an agent's or a unit's restart. */
        void onJoined(Lease lease);

        /** A workload has left. */
        void onLeft(Lease lease);
    }

    private final Cgroups cgroups;
    private final String meshGroup;
    private final Cidr range;
    private final PublishRules publishRules;
    private final LeaseStore store;
    private final Clock clock;
    private final Listener listener;
    private final GroupFinder finder;
    private final Map<String, Lease> leases = new LinkedHashMap<>();
    private AddressPool pool = new AddressPool(Map.of());
    private Optional<Cidr> prefix = Optional.empty();
    private String trouble = "";
    /** Addresses that were given back just now. */
    private final Map<Integer, Rest> rests = new HashMap<>();

    private AddressUse addressUse = AddressUse.NONE;

    /** Groups that no lease knows and in which processes run, and the addresses that they had. */
    private final Map<String, Orphan> orphans = new HashMap<>();

    private record Orphan(long groupId, int address) {}

    /** An address that only this workload may have again before then. */
    private record Rest(String key, Instant until) {}

    /** When the last lease began. */
    private Instant latest = Instant.EPOCH;

    /**
     * For one mesh on this node.
     *
     * @param meshGroup the mesh's own control group, for example {@code /tulle}
     * @param range the workload range of the mesh
     * @param publishRules which ports may be published
     */
    public Enrolments(
            Cgroups cgroups,
            String meshGroup,
            Cidr range,
            PublishRules publishRules,
            LeaseStore store,
            Clock clock,
            Listener listener) {
        this.cgroups = cgroups;
        this.meshGroup = meshGroup;
        this.range = range;
        this.publishRules = publishRules;
        this.store = store;
        this.clock = clock;
        this.listener = listener;
        this.finder = new GroupFinder(cgroups, meshGroup);
    }

    /** From now on no address is given that is in use. */
    public void look(AddressUse use) {
        addressUse = use;
    }

    /** Takes over what an earlier agent left: living groups stay enrolled, ended ones are given back. */
    public void adopt() throws IOException {
        LeaseStore.Loaded loaded = store.load();
        trouble = loaded.trouble();
        LeaseStore.Contents contents = loaded.contents();
        prefix = Cidr.parse(contents.prefix());
        pool = new AddressPool(contents.memory());
        for (Lease lease : contents.leases()) {
            latest = lease.started().isAfter(latest) ? lease.started() : latest;
            boolean same = cgroups.exists(lease.group()) && cgroups.id(lease.group()) == lease.groupId();
            if (same || lease.ofUnit()) {
                leases.put(lease.key(), same ? lease : lease.with(State.DORMANT));
            } else {
                giveBack(lease);
            }
        }
        for (Lease lease : List.copyOf(leases.values())) {
            if (lease.live()) {
                listener.onJoined(lease);
            }
        }
        sweep();
        save();
    }

    /** What was wrong with the leases on disk when they were read, for people; empty when nothing was. */
    public String trouble() {
        return trouble;
    }

    /** The node's prefix, once there was one. */
    public Optional<Cidr> prefix() {
        return prefix;
    }

    /**
     * Takes the prefix that the control plane granted.
     *
     * @return false when workloads still hold addresses of another one: they keep them, and the old prefix stays
     */
    public boolean grant(Cidr granted) throws IOException {
        if (prefix.isPresent() && prefix.get().equals(granted)) {
            return true;
        }
        if (leases.values().stream().anyMatch(lease -> !granted.contains(lease.address()))) {
            return false;
        }
        prefix = Optional.of(granted);
        save();
        return true;
    }

    /** All leases, oldest first. */
    public List<Lease> leases() {
        return List.copyOf(leases.values());
    }

    /** The lease of a workload, by {@code namespace/name}. */
    public Optional<Lease> lease(String key) {
        return Optional.ofNullable(leases.get(key));
    }

    /**
     * Enrols a workload.
     *
     * @param sharedAddress true in the tiers in which all workloads live on 127.0.0.1 and need ports of their own
     * @throws RefusedException with one sentence for whoever asked
     */
    public Lease enrol(EnrolSpec wanted, boolean sharedAddress) throws RefusedException, IOException {
        Cidr node = prefix.orElseThrow(() -> new RefusedException(
                Code.UNAVAILABLE,
                "this node has no address prefix yet: the control plane has not answered since the first start"));
        sweep();
        Lease known = leases.get(wanted.key());
        if (known != null && known.ofUnit() && known.spec().equals(wanted)) {
            // A unit that enrols itself at its start does so at each.
            return known;
        }
        EnrolSpec spec = named(wanted);
        checkPorts(spec, sharedAddress);
        int address = pool.take(node, spec.key(), held(node, spec.key()))
                .orElseThrow(() -> new RefusedException(
                        Code.UNAVAILABLE,
                        "no address is left in " + node + ": " + leases.size()
                                + " workloads run, the others still have sockets or were given back just now"));
        GroupFinder.Found found = finder.find(spec);
        Lease lease;
        try {
            GroupFinder.refuseOverlap(found.group(), leases());
            lease = new Lease(
                    spec,
                    address,
                    address - range.network(),
                    found.group(),
                    cgroups.id(found.group()),
                    found.own(),
                    start(),
                    cgroups.populated(found.group()) ? State.RUNNING : State.STARTING);
            leases.put(spec.key(), lease);
            save();
        } catch (RefusedException | IOException e) {
            leases.remove(spec.key());
            if (found.own()) {
                cgroups.remove(found.group(), "/");
            }
            throw e;
        }
        listener.onJoined(lease);
        return lease;
    }

    /**
     * A name that nobody has: as asked for, or, as with the pods of a Deployment, one of a further replica. A unit is
     * enrolled for good and has its name alone.
     */
    private EnrolSpec named(EnrolSpec wanted) throws RefusedException {
        Lease existing = leases.get(wanted.key());
        if (existing == null) {
            return wanted;
        }
        if (wanted.source() instanceof Source.Unit || existing.ofUnit()) {
            throw new RefusedException(Code.EXISTS, taken(existing));
        }
        for (int number = 2; number <= leases.size() + 2; number++) {
            String end = "-" + number;
            String start = wanted.name().substring(0, Math.min(wanted.name().length(), NAME_MAX - end.length()));
            EnrolSpec replica = wanted.replica(start + end);
            if (!leases.containsKey(replica.key())) {
                return replica;
            }
        }
        throw new IllegalStateException("more names than leases");
    }

    /**
     * What may not be given: what others hold, what a socket of an earlier holder still has, what processes had that still
     * run although no lease knows them, and what has just been given back, unless by the same workload.
     */
    private Set<Integer> held(Cidr node, String key) throws IOException {
        Set<Integer> held = new HashSet<>(addressUse.in(node));
        for (Map.Entry<String, Orphan> entry : Map.copyOf(orphans).entrySet()) {
            if (runs(entry.getKey(), entry.getValue())) {
                held.add(entry.getValue().address());
            } else {
                orphans.remove(entry.getKey());
            }
        }
        leases.values().forEach(lease -> held.add(lease.address()));
        Instant now = clock.instant();
        rests.values().removeIf(rest -> rest.until().isBefore(now));
        rests.forEach((address, rest) -> {
            if (!rest.key().equals(key)) {
                held.add(address);
            }
        });
        return held;
    }

    private boolean runs(String group, Orphan orphan) throws IOException {
        return cgroups.exists(group) && cgroups.id(group) == orphan.groupId() && cgroups.populated(group);
    }

    /** Now, but later than every lease that is known: it tells leases apart. */
    private Instant start() {
        Instant now = clock.instant().truncatedTo(ChronoUnit.MICROS);
        latest = now.isAfter(latest) ? now : latest.plus(1, ChronoUnit.MICROS);
        return latest;
    }

    private String taken(Lease existing) {
        return switch (existing.state()) {
            case STARTING ->
                "workload " + existing.key() + " is being started since "
                        + Duration.between(existing.started(), clock.instant()).toSeconds() + " s";
            case RUNNING -> "workload " + existing.key() + " already runs, in " + existing.group();
            case DORMANT -> "workload " + existing.key() + " is enrolled for a unit that does not run now";
        };
    }

    private void checkPorts(EnrolSpec spec, boolean sharedAddress) throws RefusedException {
        for (Publication wanted : spec.publications()) {
            publishRules.check(wanted);
            for (Lease lease : leases.values()) {
                for (Publication other : lease.spec().publications()) {
                    if (PublishRules.collide(wanted, other)) {
                        throw new RefusedException(
                                Code.EXISTS,
                                "port " + wanted.port() + " is already published by workload " + lease.key());
                    }
                }
            }
        }
        if (!sharedAddress) {
            return;
        }
        for (Lease lease : leases.values()) {
            for (WorkloadPort other : lease.spec().ports()) {
                for (WorkloadPort port : spec.ports()) {
                    if (port.number() == other.number()) {
                        throw new RefusedException(
                                Code.EXISTS,
                                "port " + port.number() + " is taken by workload " + lease.key()
                                        + ": in this tier all workloads share 127.0.0.1, so each needs a port of its"
                                        + " own (--port with another number; it is passed to the program as PORT)");
                    }
                }
            }
        }
    }

    /**
     * Ends a lease by request. Its processes go on, outside the mesh.
     *
     * @throws RefusedException when there is no such workload
     */
    public void release(String key) throws RefusedException, IOException {
        Lease lease = leases.get(key);
        if (lease == null) {
            throw new RefusedException(Code.NOT_FOUND, "workload " + key + " is not enrolled on this node");
        }
        end(lease, "released");
    }

    /** Looks at every group once: begins, ends and wakes leases. */
    public void sweep() throws IOException {
        for (Lease lease : List.copyOf(leases.values())) {
            // In this order: a process that enters between two looks must not count as one that has ended.
            boolean ran = lease.state() == State.RUNNING
                    || (lease.state() == State.STARTING && cgroups.everRan(lease.group()));
            boolean populated = cgroups.populated(lease.group());
            if (lease.state() == State.DORMANT) {
                wake(lease, populated);
            } else if (lease.ofUnit() && isAnother(lease)) {
                // The unit was stopped and started between two looks.
                stop(lease);
                wake(lease.with(State.DORMANT), populated);
            } else if (populated) {
                if (lease.state() == State.STARTING) {
                    leases.put(lease.key(), lease.with(State.RUNNING));
                    save();
                }
            } else if (ran) {
                // A command may begin and end between two looks.
                stop(lease);
            } else if (lease.started().plus(START_TIMEOUT).isBefore(clock.instant())
                    || !cgroups.exists(lease.group())) {
                end(lease, "no process was started in its group");
            }
        }
    }

    /** True when a group under the path of a lease's is not the lease's. */
    private boolean isAnother(Lease lease) throws IOException {
        return cgroups.exists(lease.group()) && cgroups.id(lease.group()) != lease.groupId();
    }

    private void stop(Lease lease) throws IOException {
        if (!lease.ofUnit()) {
            end(lease, "its last process has ended");
            return;
        }
        leases.put(lease.key(), lease.with(State.DORMANT));
        save();
        listener.onLeft(lease);
    }

    private void wake(Lease lease, boolean populated) throws IOException {
        if (!populated || !(lease.spec().source() instanceof Source.Unit)) {
            return;
        }
        Lease awake = lease.in(lease.group(), cgroups.id(lease.group()));
        leases.put(lease.key(), awake);
        save();
        listener.onJoined(awake);
    }

    private void giveBack(Lease lease) {
        pool.giveBack(lease.key(), lease.address());
        rests.put(lease.address(), new Rest(lease.key(), clock.instant().plus(REST)));
    }

    private void end(Lease lease, String why) throws IOException {
        LOG.log(System.Logger.Level.INFO, "workload " + lease.key() + " leaves the mesh: " + why);
        leases.remove(lease.key());
        giveBack(lease);
        save();
        if (lease.live()) {
            listener.onLeft(lease);
        }
        if (lease.ownGroup()) {
            try {
                cgroups.remove(lease.group(), "/");
            } catch (IOException e) {
                LOG.log(System.Logger.Level.WARNING, e.getMessage());
            }
        }
    }

    /**
     * Removes groups of the mesh that no lease knows and nobody runs in, left by a crash. Where processes run, the address
     * that they had is given to nobody until they have ended.
     *
     * @param addresses of the workloads that an earlier agent had, by the number of their group
     * @return the groups in which processes run
     */
    public List<String> sweepOrphans(Map<Long, Integer> addresses) throws IOException {
        List<String> populated = new ArrayList<>();
        for (String group : new ArrayList<>(cgroups.children(meshGroup + "/workloads"))) {
            if (leases.values().stream().anyMatch(lease -> lease.group().equals(group))) {
                continue;
            }
            if (cgroups.populated(group)) {
                populated.add(group);
                long id = cgroups.id(group);
                Integer address = addresses.get(id);
                if (address != null) {
                    orphans.put(group, new Orphan(id, address));
                }
            } else {
                LOG.log(System.Logger.Level.INFO, "removing the empty control group " + group);
                cgroups.remove(group, "/");
            }
        }
        return populated;
    }

    private void save() throws IOException {
        store.save(new LeaseStore.Contents(prefix.map(Cidr::toString).orElse(""), leases(), pool.memory()));
    }
}
