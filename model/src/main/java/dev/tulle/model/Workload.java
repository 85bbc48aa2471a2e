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
        Locality locality) {
    public Workload {
        addresses = List.copyOf(addresses);
        labels = java.util.Collections.unmodifiableMap(new TreeMap<>(labels));
        services = List.copyOf(services);
        ports = List.copyOf(ports);
        policies = policies.stream().sorted().toList();
    }

    /** A workload of unknown locality. */
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
            List<String> policies,
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
                policies,
                origin,
                Locality.NONE);
    }

    /** A workload of unknown locality without authorization policies. */
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
                origin);
    }

    /** The same with other policies. */
    public Workload withPolicies(List<String> names) {
        return with(names, locality);
    }

    /** The same somewhere else. */
    public Workload in(Locality place) {
        return with(policies, place);
    }

    private Workload with(List<String> names, Locality place) {
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
                healthy,
                names,
                origin,
                place);
    }

    /** A port that a workload listens on. */
    public record WorkloadPort(int number, AppProtocol protocol) {}
}
