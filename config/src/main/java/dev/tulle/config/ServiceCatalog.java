package dev.tulle.config;

import dev.tulle.config.ServiceEntry.Peer;
import dev.tulle.config.ServiceEntry.Resolution;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Locality;
import dev.tulle.model.LocalityPreference;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.ServicePort;
import dev.tulle.model.Workload;
import dev.tulle.model.Workload.WorkloadPort;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Every service by host name: those of Service and ServiceEntry objects, and those that only workloads name. */
final class ServiceCatalog {
    private final TreeMap<String, Draft> byHostname = new TreeMap<>();

    /**
     * A service before it has addresses, paths and endpoints.
     *
     * @param addresses as configured; empty means that they are allocated
     * @param peers endpoints written in a ServiceEntry
     * @param selector labels of workloads of the same namespace; empty selects none
     * @param passthrough true when connections go to the dialled address
     * @param implicit true when only workloads name it: each serves the ports that it declared
     * @param stickySeconds how long a caller keeps its endpoint after its last connection; 0: not at all
     * @param preference what locality means for it where no DestinationRule says so
     */
    record Draft(
            String namespace,
            String hostname,
            List<String> addresses,
            List<ServicePort> ports,
            ResourceRef origin,
            List<Peer> peers,
            Map<String, String> selector,
            boolean passthrough,
            boolean implicit,
            int stickySeconds,
            LocalityPreference preference) {}

    private ServiceCatalog() {}

    /**
     * The catalog.
     *
     * @param remembered workloads that have left a while ago: a service that only they name is kept, without endpoints
     */
    static ServiceCatalog of(
            ConfigSnapshot config,
            Collection<Workload> workloads,
            Collection<Workload> remembered,
            List<Problem> problems) {
        ServiceCatalog catalog = new ServiceCatalog();
        for (KubernetesService service : config.services()) {
            catalog.byHostname.put(
                    service.hostname(),
                    new Draft(
                            service.namespace(),
                            service.hostname(),
                            service.addresses(),
                            service.ports(),
                            service.ref(),
                            List.of(),
                            service.selector(),
                            false,
                            false,
                            service.stickySeconds(),
                            service.preference()));
        }
        for (ServiceEntry entry : config.serviceEntries().stream()
                .sorted(ConfigResource.OLDEST_FIRST)
                .toList()) {
            for (String host : entry.hosts()) {
                catalog.add(entry, host, problems);
            }
        }
        catalog.addImplicit(workloads, problems);
        // Behind those that live, whose ports and names count.
        catalog.addImplicit(remembered, new ArrayList<>());
        return catalog;
    }

    private void add(ServiceEntry entry, String host, List<Problem> problems) {
        List<Peer> peers = entry.endpoints();
        if (entry.resolution() == Resolution.DNS
                && peers.isEmpty()
                && entry.selector().isEmpty()) {
            peers = List.of(new Peer(host, Map.of(), Map.of(), 1, Locality.NONE));
        }
        Draft draft = new Draft(
                entry.namespace(),
                host,
                entry.addresses(),
                entry.ports(),
                entry.ref(),
                peers,
                entry.selector(),
                entry.resolution() == Resolution.NONE,
                false,
                0,
                LocalityPreference.ANYWHERE);
        Draft earlier = byHostname.putIfAbsent(host, draft);
        if (earlier != null) {
            problems.add(Problems.about(
                    entry.ref(),
                    "spec.hosts",
                    host,
                    "a host that no other object declares",
                    "the host is already declared by " + earlier.origin() + ", which stays in force"));
        }
    }

    /** Services that nobody declares, from the names and ports that workloads declared. */
    private void addImplicit(Collection<Workload> workloads, List<Problem> problems) {
        TreeMap<String, List<Workload>> members = new TreeMap<>();
        for (Workload workload : workloads) {
            for (String name : workload.services()) {
                Optional<String> hostname = hostnameFor(workload, name);
                if (hostname.isEmpty()) {
                    problems.add(Problems.about(
                            workload.origin(),
                            "",
                            name,
                            "a declared service, or a service of the namespace " + workload.namespace(),
                            "workload " + workload.uid() + " names a service that nobody declares"));
                } else if (!byHostname.containsKey(hostname.get())) {
                    members.computeIfAbsent(hostname.get(), _ -> new ArrayList<>())
                            .add(workload);
                }
            }
        }
        members.forEach((hostname, list) -> addImplicit(hostname, list, problems));
    }

    private void addImplicit(String hostname, List<Workload> members, List<Problem> problems) {
        TreeMap<Integer, ServicePort> ports = new TreeMap<>();
        for (Workload workload : members) {
            for (WorkloadPort port : workload.ports()) {
                ServicePort earlier = ports.get(port.number());
                if (earlier == null || earlier.protocol() == AppProtocol.AUTO) {
                    ports.put(port.number(), new ServicePort(port.number(), port.number(), port.protocol(), ""));
                } else if (port.protocol() != AppProtocol.AUTO && port.protocol() != earlier.protocol()) {
                    problems.add(Problems.about(
                            workload.origin(),
                            "",
                            workload.uid() + " port " + port.number() + " " + port.protocol(),
                            earlier.protocol() + ", as the other workloads of " + hostname + " say",
                            "workloads of one service disagree about the protocol of a port"));
                }
            }
        }
        Workload first = members.getFirst();
        if (ports.isEmpty()) {
            problems.add(Problems.about(
                    first.origin(),
                    "",
                    hostname,
                    "a port declared by one of its workloads, or a Service object",
                    "a service without ports: none of its workloads declares one"));
            return;
        }
        byHostname.put(
                hostname,
                new Draft(
                        first.namespace(),
                        hostname,
                        List.of(),
                        List.copyOf(ports.values()),
                        first.origin(),
                        List.of(),
                        Map.of(),
                        false,
                        true,
                        0,
                        LocalityPreference.ANYWHERE));
    }

    /** The host name of a service that a workload says it belongs to; empty when it may not create that one. */
    Optional<String> hostnameFor(Workload workload, String service) {
        String namespace = workload.namespace();
        String hostname = Hosts.resolve(service, namespace, this::knows);
        if (knows(hostname)) {
            return Optional.of(hostname);
        }
        String own = "." + namespace + "." + Hosts.SERVICE_DOMAIN;
        if (hostname.equals(service) && service.endsWith("." + namespace)) {
            hostname = service + "." + Hosts.SERVICE_DOMAIN;
        }
        boolean inOwnNamespace = hostname.endsWith(own) && Words.isDnsLabel(hostname.replace(own, ""));
        return inOwnNamespace ? Optional.of(hostname) : Optional.empty();
    }

    boolean knows(String hostname) {
        return byHostname.containsKey(hostname);
    }

    Optional<Draft> find(String hostname) {
        return Optional.ofNullable(byHostname.get(hostname));
    }

    /** Ordered by host name. */
    Collection<Draft> drafts() {
        return byHostname.values();
    }
}
