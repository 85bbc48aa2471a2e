package dev.tulle.xds;

import java.util.Set;

/**
 * Where the registration stream's server half reports: leases and workloads are the control plane's to decide. All methods
 * are called on the server's owner thread and must not block.
 */
public interface NodeRegistry {
    /** Whether one with the certificate of this node is still a node of the mesh. */
    default boolean admits(String node) {
        return true;
    }

    /** A node connects, for the first time or again; its earlier stream, if any, has been closed without a word here. */
    HelloAnswer hello(NodeHello hello);

    /** A node announces a workload, or replaces its announcement. */
    RegistrationAnswer register(String nodeId, WorkloadRegistration workload);

    /**
     * Calls back, at once or later, when every client knows what has been registered so far, or has been waited for long
     * enough: then a workload that was accepted is told so, and its name is known.
     */
    void whenInForce(Runnable callback);

    /** A node says whether a workload is ready. */
    void health(String nodeId, String uid, boolean healthy);

    /** A node takes a workload back. */
    void deregister(String nodeId, String uid);

    /** A node has announced everything it has since its last hello; what is not among these uids is gone. */
    void announced(String nodeId, Set<String> uids);

    /**
     * A node says which roots it believes: its proxies have them in force, and it has kept them.
     *
     * @param roots SHA-256 of their certificates, hexadecimal
     */
    default void trusts(String nodeId, Set<String> roots) {}

    /** A node's stream ended; its workloads stay until the lease times out. */
    void disconnected(String nodeId, String reason);

    /** The answer to a node's hello. */
    sealed interface HelloAnswer {
        /** The node may join. */
        record Granted(NodeLease lease) implements HelloAnswer {}

        /** The node may not join. */
        record Refused(String reason) implements HelloAnswer {}
    }
}
