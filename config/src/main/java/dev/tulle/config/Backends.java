package dev.tulle.config;

import dev.tulle.config.ServiceCatalog.Draft;
import dev.tulle.config.ServiceEntry.Peer;
import dev.tulle.model.Endpoint;
import dev.tulle.model.ServicePort;
import dev.tulle.model.Workload;
import dev.tulle.model.Workload.WorkloadPort;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;

/** Finds the endpoints of services among workloads; indexed so that many services cost little each. */
final class Backends {
    /** An endpoint with the labels that subsets select by, and the names of the policies that guard it. */
    record Backend(Endpoint endpoint, Map<String, String> labels, List<String> policies) {}

    /** Key of the label index: namespace, label and value. */
    private record Label(String namespace, String name, String value) {}

    private final Map<Label, List<Workload>> byLabel = new HashMap<>();
    private final Map<String, List<Workload>> byService = new HashMap<>();
    private final Map<String, Peer> peers;

    /** @param peers for workloads that come from a WorkloadEntry, by uid */
    Backends(Collection<Workload> workloads, Map<String, Peer> peers, ServiceCatalog catalog) {
        this.peers = peers;
        for (Workload workload : workloads) {
            workload.labels().forEach((name, value) -> byLabel.computeIfAbsent(
                            new Label(workload.namespace(), name, value), _ -> new ArrayList<>())
                    .add(workload));
            for (String service : workload.services()) {
                catalog.hostnameFor(workload, service).ifPresent(hostname -> byService
                        .computeIfAbsent(hostname, _ -> new ArrayList<>())
                        .add(workload));
            }
        }
    }

    /** True when all wanted labels are there with their values. */
    static boolean matches(Map<String, String> wanted, Map<String, String> labels) {
        return labels.entrySet().containsAll(wanted.entrySet());
    }

    /** The endpoints of a service port: written ones first, then workloads ordered by uid. */
    List<Backend> of(Draft draft, ServicePort port) {
        Map<String, Backend> out = new LinkedHashMap<>();
        for (Peer peer : draft.peers()) {
            int number = peer.ports().getOrDefault(port.name(), port.targetPort());
            Endpoint endpoint = new Endpoint(peer.address(), number, peer.weight(), true, "", "").in(peer.locality());
            put(out, endpoint, peer.labels(), List.of());
        }
        TreeMap<String, Workload> members = new TreeMap<>();
        for (Workload workload : byService.getOrDefault(draft.hostname(), List.of())) {
            members.put(workload.uid(), workload);
        }
        for (Workload workload : selected(draft)) {
            members.put(workload.uid(), workload);
        }
        for (Workload workload : members.values()) {
            OptionalInt number = portOf(draft, port, workload);
            if (number.isPresent() && !workload.addresses().isEmpty()) {
                Peer peer = peers.get(workload.uid());
                put(
                        out,
                        new Endpoint(
                                        workload.addresses().getFirst(),
                                        number.getAsInt(),
                                        peer == null ? 1 : peer.weight(),
                                        workload.healthy(),
                                        workload.name(),
                                        workload.namespace())
                                .in(workload.locality())
                                .on(workload.place()),
                        workload.labels(),
                        workload.policies());
            }
        }
        return List.copyOf(out.values());
    }

    private static void put(
            Map<String, Backend> out, Endpoint endpoint, Map<String, String> labels, List<String> policies) {
        out.putIfAbsent(endpoint.address() + " " + endpoint.port(), new Backend(endpoint, labels, policies));
    }

    private List<Workload> selected(Draft draft) {
        List<Workload> candidates = null;
        for (Map.Entry<String, String> label : draft.selector().entrySet()) {
            List<Workload> found =
                    byLabel.getOrDefault(new Label(draft.namespace(), label.getKey(), label.getValue()), List.of());
            if (candidates == null || found.size() < candidates.size()) {
                candidates = found;
            }
        }
        return candidates == null
                ? List.of()
                : candidates.stream()
                        .filter(w -> matches(draft.selector(), w.labels()))
                        .toList();
    }

    private OptionalInt portOf(Draft draft, ServicePort port, Workload workload) {
        Peer peer = peers.get(workload.uid());
        if (peer != null) {
            return OptionalInt.of(peer.ports().getOrDefault(port.name(), port.targetPort()));
        }
        List<WorkloadPort> declared = workload.ports();
        boolean serves = declared.stream().anyMatch(p -> p.number() == port.targetPort());
        if (serves || (declared.isEmpty() && !draft.implicit())) {
            return OptionalInt.of(port.targetPort());
        }
        if (draft.implicit()) {
            return OptionalInt.empty();
        }
        // Where workloads share one address (tiers without the bind hook), each has a port of its own: the one port of
        // the workload then stands for the one port of the service.
        return OptionalInt.of(
                declared.size() == 1 && draft.ports().size() == 1
                        ? declared.getFirst().number()
                        : port.targetPort());
    }
}
