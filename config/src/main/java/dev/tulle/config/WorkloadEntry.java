package dev.tulle.config;

/**
 * Istio's WorkloadEntry: one workload that no node registers, such as a program on a machine without an agent.
 *
 * @param peer address, ports, labels and weight
 * @param serviceAccount the service account of its identity, {@code default} when not given
 */
public record WorkloadEntry(Manifest manifest, ServiceEntry.Peer peer, String serviceAccount)
        implements ConfigResource {}
