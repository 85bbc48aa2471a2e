package dev.tulle.xds;

import java.time.Duration;

/**
 * What the control plane grants a node.
 *
 * @param prefix the node's own part of the workload range, for example {@code 100.64.3.0/24}; its first address is the
 *     node's own
 * @param workloadRange the range of all workloads of the mesh, for example {@code 100.64.0.0/10}
 * @param serviceRange the range of services' virtual addresses, for example {@code 240.240.0.0/16}
 * @param nodes true when there are or may be other nodes, so that this one has to serve them
 * @param timeout how long after the end of its stream the node's workloads stay in the mesh
 */
public record NodeLease(String prefix, String workloadRange, String serviceRange, boolean nodes, Duration timeout) {
    /** Of a mesh of one node. */
    public NodeLease(String prefix, String workloadRange, String serviceRange, Duration timeout) {
        this(prefix, workloadRange, serviceRange, false, timeout);
    }
}
