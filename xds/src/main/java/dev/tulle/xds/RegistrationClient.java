package dev.tulle.xds;

import java.util.Set;
import java.util.concurrent.CompletableFuture;

/**
 * The node's half of registration: one long-lived stream that leases the node's prefix, announces the node's workloads and
 * keeps both alive. Thread-safe. When the stream breaks it reconnects by itself, asks for the same prefix and announces
 * every workload again; the control plane keeps them for the lease's timeout, so that a short break is not seen by anyone.
 */
public interface RegistrationClient extends AutoCloseable {
    /**
     * Connects, for a client that was made to wait for this. What is registered before is announced together: the control
     * plane takes a node that has announced itself at its word, also when it names no workload.
     */
    default void begin() {}

    /**
     * Announces a workload, or replaces the announcement with the same {@link WorkloadRegistration#uid}. It stays
     * announced over reconnects until {@link #deregister}.
     *
     * @return completed once, when the control plane first answers; while it is away, that takes until it is back
     */
    CompletableFuture<RegistrationAnswer> register(WorkloadRegistration workload);

    /** Changes the health of an announced workload; unknown uids are ignored. */
    void health(String uid, boolean healthy);

    /** Takes a workload back; unknown uids are ignored. */
    void deregister(String uid);

    /**
     * Says which roots the node believes from now on, to be called when its proxies have them in force and they are kept,
     * so that it will after any restart. Roots that nobody has said it of hold up their rotation.
     *
     * @param roots SHA-256 of their certificates, hexadecimal
     */
    default void trusts(Set<String> roots) {}

    /** The state of the stream. */
    RegistrationStatus status();

    /**
     * Ends the stream. The control plane keeps the workloads until the lease times out, so that a restarted agent finds
     * them in place; call {@link #deregister} first for those that really ended.
     */
    @Override
    void close();

    /** Told about the lease; called on the client's single owner thread, must not block. */
    interface Listener {
        /**
         * The node holds this lease. Called after each connect; the same node id gets the same prefix back, so that it
         * changes only when the control plane's state was lost.
         */
        void onLease(NodeLease lease);

        /**
         * Whom to believe from now on. Called after each connect, and when it changes; {@link RegistrationClient#trusts} is
         * the answer.
         */
        default void onTrust(Trust trust) {}

        /** The control plane refuses the node or is away; the last lease stays in force. */
        void onTrouble(String reason);
    }
}
