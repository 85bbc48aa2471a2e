package dev.tulle.model;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * One running instance with an address and an identity.
 *
 * @param uid unique in the mesh, for example {@code node1/default/reviews-v1}
 * @param name the workload's name, for example {@code reviews-v1}
 * @param namespace the namespace
 * @param serviceAccount the service account of its identity
 * @param node the node it runs on
 * @param addresses its addresses in text form, IPv4 first; may be empty for one known by host name only
 * @param labels its labels, sorted by key
 * @param services short or full names of the services it declared itself to belong to
 * @param ports the ports it declared
 * @param healthy whether its readiness probes pass (true when it has none)
 * @param policies names of the {@link AuthorizationPolicy authorization policies} that apply to it, sorted
 * @param origin the registration or WorkloadEntry behind it
 * @param locality where it is
 * @param nodeAddress the address of its node, where other nodes reach it through a tunnel; empty when there is none
 */
public record Workload(
        String uid,
        String name,
        String namespace,
        String serviceAccount,
        String node,
        List<String> addresses,
        Map<String, String> labels,
        List<String> services,
        List<WorkloadPort> ports,
        boolean healthy,
        List<String> policies,
        ResourceRef origin,
        Locality locality,
        String nodeAddress) {
    public Workload {
        addresses = List.copyOf(addresses);
        labels = java.util.Collections.unmodifiableMap(new TreeMap<>(labels));
        services = List.copyOf(services);
        ports = List.copyOf(ports);
        policies = policies.stream().sorted().toList();
    }

    /** A workload of unknown locality that only its own node reaches, without authorization policies. */
    public Workload(
            String uid,
            String name,
            String namespace,
            String serviceAccount,
            String node,
            List<String> addresses,
            Map<String, String> labels,
            List<String> services,
            List<WorkloadPort> ports,
            boolean healthy,
            ResourceRef origin) {
        this(
                uid,
                name,
                namespace,
                serviceAccount,
                node,
                addresses,
                labels,
                services,
                ports,
                healthy,
                List.of(),
                origin,
                Locality.NONE,
                "");
    }

    /** Where it is. */
    public NodePlace place() {
        return nodeAddress.isEmpty() ? NodePlace.NONE : new NodePlace(node, nodeAddress);
    }

    /** The same with other policies. */
    public Workload withPolicies(List<String> names) {
        return with(healthy, names, locality, nodeAddress);
    }

    /** The same somewhere else. */
    public Workload in(Locality place) {
        return with(healthy, policies, place, nodeAddress);
    }

    /** The same on a node with this address. */
    public Workload reachedAt(String address) {
        return with(healthy, policies, locality, address);
    }

    /** The same in another state of health. */
    public Workload withHealth(boolean isHealthy) {
        return with(isHealthy, policies, locality, nodeAddress);
    }

    private Workload with(boolean isHealthy, List<String> names, Locality place, String address) {
        return new Workload(
                uid,
                name,
                namespace,
                serviceAccount,
                node,
                addresses,
                labels,
                services,
                ports,
                isHealthy,
                names,
                origin,
                place,
                address);
    }

    /** A port that a workload listens on. */
    public record WorkloadPort(int number, AppProtocol protocol) {}
}
