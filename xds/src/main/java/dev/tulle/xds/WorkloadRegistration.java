package dev.tulle.xds;

import dev.tulle.model.Workload;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A workload as its node announces it.
 *
 * @param name the workload's name, unique in its namespace on its node
 * @param namespace the namespace
 * @param serviceAccount the service account of its identity
 * @param addresses its addresses in text form, in the node's prefix (or the node's loopback, in the lower tiers)
 * @param labels its labels
 * @param services short or full names of the services it belongs to
 * @param ports the ports it listens on
 * @param healthy whether its readiness probes pass (true when it has none)
 */
public record WorkloadRegistration(
        String name,
        String namespace,
        String serviceAccount,
        List<String> addresses,
        Map<String, String> labels,
        List<String> services,
        List<Workload.WorkloadPort> ports,
        boolean healthy) {
    public WorkloadRegistration {
        addresses = List.copyOf(addresses);
        labels = Collections.unmodifiableMap(new TreeMap<>(labels));
        services = List.copyOf(services);
        ports = List.copyOf(ports);
    }

    /** The uid on a node: {@code node/namespace/name}. */
    public String uid(String nodeId) {
        return nodeId + "/" + namespace + "/" + name;
    }

    /** The same workload with another health. */
    public WorkloadRegistration withHealth(boolean value) {
        return new WorkloadRegistration(name, namespace, serviceAccount, addresses, labels, services, ports, value);
    }
}
