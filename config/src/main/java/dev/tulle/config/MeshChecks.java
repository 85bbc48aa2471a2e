package dev.tulle.config;

import dev.tulle.config.Problem.Severity;
import dev.tulle.model.Cluster;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.MeshState;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import dev.tulle.model.Workload;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What is probably not meant, seen from the whole mesh: resources that are right and have no effect because of the workloads
 * that are there. Pure.
 */
public final class MeshChecks {
    /** One kind of check. */
    private interface Check {
        void check(Mesh mesh);
    }

    /** The table of checks. */
    private static final List<Check> ALL =
            List.of(MeshChecks::policies, MeshChecks::ruleHosts, MeshChecks::subsets, MeshChecks::services);

    /** Values of a label that are told. */
    private static final int SHOWN = 5;

    private record Mesh(
            ConfigSnapshot config,
            MeshState state,
            Map<String, List<Service>> services,
            Policies policies,
            List<Problem> found) {
        static Mesh of(ConfigSnapshot config, MeshState state) {
            Map<String, List<Service>> services = state.services().values().stream()
                    .collect(Collectors.groupingBy(Service::hostname, TreeMap::new, Collectors.toList()));
            Policies policies = new Policies(config.destinationRules(), services::containsKey);
            return new Mesh(config, state, services, policies, new ArrayList<>());
        }

        boolean knows(String hostname) {
            return services.containsKey(hostname);
        }

        String hostOf(DestinationRule rule) {
            return Hosts.resolve(rule.host(), rule.namespace(), this::knows);
        }

        /** The services that a host name or pattern covers. */
        Stream<Service> covered(String host) {
            return Hosts.isPattern(host)
                    ? services.values().stream()
                            .flatMap(List::stream)
                            .filter(service -> Hosts.covers(host, service.hostname()))
                    : services.getOrDefault(host, List.of()).stream();
        }

        boolean isInForce(DestinationRule rule, Service service) {
            return policies.rulesOf(service.namespace(), service.hostname())
                    .rules()
                    .contains(rule);
        }

        boolean isEmpty(int port, String subset, String hostname) {
            EndpointSet set = state.endpoints().get(Cluster.nameOf(port, subset, hostname));
            return set == null || set.endpoints().isEmpty();
        }

        void warn(Warning warning, Problem problem) {
            found.add(problem.as(warning));
        }
    }

    private MeshChecks() {}

    /** Everything that the checks find. */
    public static List<Problem> check(ConfigSnapshot config, MeshState state) {
        Mesh mesh = Mesh.of(config, state);
        ALL.forEach(check -> check.check(mesh));
        return mesh.found();
    }

    private static void policies(Mesh mesh) {
        for (IstioAuthorization policy : mesh.config().authorizations()) {
            if (policy.trial() || mesh.state().workloads().values().stream().anyMatch(policy::appliesTo)) {
                continue;
            }
            String selector = policy.selector().entrySet().stream()
                    .map(label -> label.getKey() + "=" + label.getValue())
                    .collect(Collectors.joining(","));
            mesh.warn(
                    Warning.GUARDS_NOBODY,
                    Problems.about(
                            policy.ref(),
                            selector.isEmpty() ? "metadata.namespace" : "spec.selector",
                            selector.isEmpty() ? policy.namespace() : selector,
                            selector.isEmpty() ? "a namespace with workloads" : labels(mesh, policy),
                            "selects no workload: nobody is guarded by it"));
        }
    }

    /** The values that workloads have for the labels of a selector. */
    private static String labels(Mesh mesh, IstioAuthorization policy) {
        Map<String, TreeSet<String>> values = new TreeMap<>();
        for (Workload workload : mesh.state().workloads().values()) {
            if (workload.namespace().equals(policy.namespace())) {
                policy.selector().keySet().forEach(name -> values.computeIfAbsent(name, _ -> new TreeSet<>())
                        .add(workload.labels().getOrDefault(name, "(none)")));
            }
        }
        return values.isEmpty()
                ? "labels of a workload; there is none in namespace " + policy.namespace()
                : "labels of a workload; there are "
                        + values.entrySet().stream()
                                .map(entry -> entry.getKey() + "="
                                        + entry.getValue().stream().limit(SHOWN).collect(Collectors.joining("|")))
                                .collect(Collectors.joining(", "));
    }

    private static void ruleHosts(Mesh mesh) {
        for (DestinationRule rule : mesh.config().destinationRules()) {
            String hostname = mesh.hostOf(rule);
            if (!Hosts.isPattern(hostname) && !mesh.knows(hostname)) {
                mesh.warn(
                        Warning.NO_HOST,
                        Problems.at(
                                Severity.WARNING,
                                rule.ref(),
                                rule.hostPosition(),
                                rule.host(),
                                "a service that is declared or that a workload names",
                                "no such service yet: the rule takes effect when it appears"));
            }
            mesh.covered(hostname)
                    .filter(service -> !mesh.isInForce(rule, service)
                            && mesh.policies()
                                    .rulesIn(rule.namespace(), service.hostname())
                                    .rules()
                                    .contains(rule))
                    .findFirst()
                    .ifPresent(service -> mesh.warn(
                            Warning.RULE_FOR_CALLERS,
                            Problems.at(
                                    Severity.WARNING,
                                    rule.ref(),
                                    rule.hostPosition(),
                                    rule.host(),
                                    "a rule in the service's namespace, " + service.namespace(),
                                    "for " + service.hostname()
                                            + " the rule is about callers of its own namespace only,"
                                            + " which is not supported by this version of Tulle: it has no effect"
                                            + " there")));
        }
    }

    private static void subsets(Mesh mesh) {
        for (DestinationRule rule : mesh.config().destinationRules()) {
            String hostname = mesh.hostOf(rule);
            if (mesh.covered(hostname).noneMatch(service -> mesh.isInForce(rule, service))) {
                continue;
            }
            List<Integer> served = mesh.state().clusters().values().stream()
                    .filter(cluster -> cluster.hostname().equals(hostname)
                            && cluster.subset().isEmpty())
                    .map(Cluster::port)
                    .filter(port -> !mesh.isEmpty(port, "", hostname))
                    .toList();
            for (DestinationRule.Subset subset : rule.subsets()) {
                boolean empty = served.stream().allMatch(port -> mesh.isEmpty(port, subset.name(), hostname));
                if (!served.isEmpty() && empty) {
                    mesh.warn(
                            Warning.EMPTY_SUBSET,
                            Problems.at(
                                    Severity.WARNING,
                                    rule.ref(),
                                    subset.position(),
                                    subset.name(),
                                    "labels that a workload of the service has",
                                    "no workload of " + hostname + " is in this subset: requests for it get 503"));
                }
            }
        }
    }

    private static void services(Mesh mesh) {
        for (KubernetesService service : mesh.config().services()) {
            workloads(mesh, service, service.hostname(), service.ports());
        }
        for (ServiceEntry entry : mesh.config().serviceEntries()) {
            if (entry.resolution() == ServiceEntry.Resolution.STATIC) {
                entry.hosts().forEach(host -> workloads(mesh, entry, host, entry.ports()));
            }
        }
    }

    private static void workloads(Mesh mesh, ConfigResource resource, String hostname, List<ServicePort> ports) {
        boolean none = !ports.isEmpty() && ports.stream().allMatch(port -> mesh.isEmpty(port.number(), "", hostname));
        if (none) {
            mesh.warn(
                    Warning.NO_WORKLOAD,
                    Problems.about(
                            resource.ref(),
                            "",
                            hostname,
                            "a workload that runs with --service or with the labels of its selector",
                            "the service has no workload now: connections to it are refused"));
        }
    }
}
