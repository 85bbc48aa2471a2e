package dev.tulle.control.authority;

import dev.tulle.common.pki.SpiffeId;
import java.util.Optional;
import java.util.Set;

/** What the control plane knows of nodes and workloads, as far as certificates depend on it. Thread-safe. */
public interface Holders {
    /**
     * A node with a workload of this identity.
     *
     * @param node the only node that counts; empty: any
     * @return its name; empty when there is none
     */
    Optional<String> holder(SpiffeId workload, String node);

    /** Whether one with the certificate of this node is still a node of the mesh. */
    boolean admits(String node);

    /** True when there is a node of this name. */
    boolean isNode(String name);

    /** The nodes that are connected. */
    Set<String> connected();
}
