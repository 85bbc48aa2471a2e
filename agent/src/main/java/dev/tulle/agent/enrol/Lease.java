package dev.tulle.agent.enrol;

import dev.tulle.agent.enrol.EnrolSpec.Source;
import dev.tulle.common.Ip;
import dev.tulle.model.Caller;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * One enrolled workload: what it asked for and what it got.
 *
 * @param spec what it asked for
 * @param address its IPv4 address as a number, the first byte highest
 * @param id its number for the kernel: the address's place in the workload range, so unique in the mesh
 * @param group its control group, relative to the hierarchy's mount point
 * @param groupId the kernel's number of the group; another number under the same path is another group
 * @param ownGroup true when the agent made the group and removes it at the end
 * @param started when it was enrolled; two leases of a node differ by a microsecond at least
 * @param state how far it is
 */
public record Lease(
        EnrolSpec spec,
        int address,
        int id,
        String group,
        long groupId,
        boolean ownGroup,
        Instant started,
        State state) {
    /** How far a lease is. */
    public enum State {
        /** No process has been seen in the group yet. */
        STARTING,
        /** Processes run. */
        RUNNING,
        /** A unit that has stopped and may start again: not in the mesh until then. */
        DORMANT
    }

    /**
     * Its number among all leases of this node, never another's: an address, and with it {@link #id}, may be given again.
     */
    public long number() {
        return ChronoUnit.MICROS.between(Instant.EPOCH, started);
    }

    /** Namespace and name. */
    public String key() {
        return spec.key();
    }

    /** Who it is to authorization policies. */
    public Caller caller() {
        return new Caller(
                Caller.TRUST_DOMAIN + "/ns/" + spec.namespace() + "/sa/" + spec.serviceAccount(), spec.namespace());
    }

    /** The address in text form. */
    public String addressText() {
        return Ip.text4(address);
    }

    /** True while it is part of the mesh. */
    public boolean live() {
        return state != State.DORMANT;
    }

    /** True for a systemd unit, whose lease outlives its processes. */
    public boolean ofUnit() {
        return spec.source() instanceof Source.Unit;
    }

    /** The same lease, further on. */
    public Lease with(State next) {
        return new Lease(spec, address, id, group, groupId, ownGroup, started, next);
    }

    /** The same lease in a new group. */
    public Lease in(String newGroup, long newGroupId) {
        return new Lease(spec, address, id, newGroup, newGroupId, ownGroup, started, State.RUNNING);
    }
}
