package dev.tulle.config;

import dev.tulle.config.ServiceEntry.Peer;
import dev.tulle.config.ServiceEntry.Resolution;
import dev.tulle.model.Locality;
import dev.tulle.model.ServicePort;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Decodes Istio's ServiceEntry and WorkloadEntry. */
final class ServiceEntryDecoder {
    private static final Map<String, Optional<Resolution>> RESOLUTIONS = Map.of(
            "NONE", Optional.of(Resolution.NONE),
            "STATIC", Optional.of(Resolution.STATIC),
            "DNS", Optional.of(Resolution.DNS),
            "DNS_ROUND_ROBIN", Optional.of(Resolution.DNS),
            "DYNAMIC_DNS", Optional.empty());

    private static final Map<String, Boolean> LOCATIONS = Map.of("MESH_EXTERNAL", true, "MESH_INTERNAL", false);

    private static final int MOST = 256;

    private ServiceEntryDecoder() {}

    static ConfigResource decode(Manifest manifest, Fields document) {
        return document.requiredObject("spec")
                .map(spec -> decodeSpec(manifest, spec))
                .orElse(new ServiceEntry(
                        manifest, List.of(), List.of(), List.of(), true, Resolution.NONE, List.of(), Map.of()));
    }

    private static ServiceEntry decodeSpec(Manifest manifest, Fields spec) {
        boolean external = spec.choice("location", LOCATIONS).orElse(true);
        String word = spec.string("resolution").orElse("NONE");
        Optional<Resolution> chosen = spec.choice("resolution", RESOLUTIONS).orElse(Optional.of(Resolution.NONE));
        if (chosen.isEmpty()) {
            spec.unsupportedValue("resolution", "DYNAMIC_DNS", "NONE, STATIC or DNS");
        }
        Resolution resolution = chosen.orElse(Resolution.NONE);
        List<Fields> peers = spec.objects("endpoints");
        List<String> hosts = hosts(spec, resolution == Resolution.DNS && peers.isEmpty());
        List<String> addresses = addresses(spec, resolution);
        if (hosts.size() > 1 && !addresses.isEmpty()) {
            spec.unsupportedValue("addresses", "an address shared by several hosts", "one host, or no addresses");
        }
        IstioFields.exportTo(spec, manifest.ref().namespace(), true);
        spec.unsupported("subjectAltNames");
        List<ServicePort> ports = EntryPorts.decode(spec, spec.count("hosts") > 1 && resolution != Resolution.NONE);
        Set<String> portNames = ports.stream().map(ServicePort::name).collect(Collectors.toSet());
        List<Peer> endpoints = new ArrayList<>();
        for (Fields endpoint : peers) {
            endpoints.add(peer(endpoint, Optional.of(resolution)));
            checkPortNames(endpoint, portNames);
            endpoint.tolerate("serviceAccount");
            endpoint.done();
        }
        if (word.equals("DNS_ROUND_ROBIN") && endpoints.size() > 1) {
            spec.error("endpoints", "one endpoint at most, or resolution DNS", "several endpoints");
        }
        Map<String, String> selector = selector(spec);
        if (resolution == Resolution.NONE && !endpoints.isEmpty()) {
            spec.error("resolution", "STATIC or DNS when there are endpoints", "NONE uses no endpoints");
        }
        if (resolution == Resolution.NONE && spec.has("workloadSelector")) {
            spec.unsupportedValue("workloadSelector", "a selector with resolution NONE", "resolution STATIC");
        }
        if (resolution == Resolution.NONE && spec.count("addresses") == 0) {
            spec.unsupportedForm(
                    "addresses",
                    "the addresses that programs dial, or resolution DNS",
                    "resolution NONE without addresses reaches nothing");
        }
        spec.done();
        return new ServiceEntry(manifest, hosts, addresses, ports, external, resolution, endpoints, selector);
    }

    private static List<String> hosts(Fields spec, boolean lookedUp) {
        List<String> hosts = new ArrayList<>();
        spec.atMost("hosts", MOST);
        List<Item> written = spec.texts("hosts");
        for (Item host : written) {
            String name = host.text().toLowerCase(Locale.ROOT);
            if (name.equals("*") || !Names.isDomainOrPattern(name)) {
                host.error("host names", "'" + host.text() + "' is not a host name");
            } else if (Hosts.isPattern(name) && lookedUp) {
                host.error("full host names, or endpoints", "a wildcard cannot be looked up");
            } else if (Hosts.isPattern(name)) {
                host.unsupported("a wildcard host", "full host names");
            } else if (!Words.isDnsName(name)) {
                host.unsupportedForm("host names", "a host name of an unusual form");
            } else if (!hosts.contains(name)) {
                hosts.add(name);
            }
        }
        if (written.isEmpty()) {
            spec.error("hosts", "at least one host name", "this field is required");
        }
        return hosts;
    }

    private static List<String> addresses(Fields spec, Resolution resolution) {
        List<String> addresses = new ArrayList<>();
        spec.atMost("addresses", MOST);
        for (Item address : spec.texts("addresses")) {
            if (!Names.isAddressOrRange(address.text())) {
                address.error("IP addresses", "'" + address.text() + "' is not an IP address");
            } else if (!address.text().contains("/")) {
                addresses.add(address.text());
            } else if (resolution == Resolution.DNS) {
                address.error("single IP addresses, or resolution STATIC", "a range beside resolution DNS");
            } else {
                address.unsupported("an address range", "single IP addresses");
            }
        }
        return addresses;
    }

    private static Map<String, String> selector(Fields spec) {
        Optional<Fields> workloads = spec.object("workloadSelector");
        if (workloads.isEmpty()) {
            return Map.of();
        }
        Map<String, String> selector = IstioFields.selector(workloads.get(), "labels");
        workloads.get().done();
        if (spec.has("endpoints")) {
            spec.error("workloadSelector", "endpoints or workloadSelector, not both", "two sources of endpoints");
        } else if (workloads.get().names().isEmpty() || selector.isEmpty()) {
            spec.unsupportedValue("workloadSelector", "a selector without labels", "at least one label");
        }
        return selector;
    }

    /** An endpoint gives numbers to ports that the entry has. */
    private static void checkPortNames(Fields endpoint, Set<String> portNames) {
        endpoint.object("ports").ifPresent(ports -> ports.names().stream()
                .filter(name -> !portNames.contains(name))
                .forEach(name ->
                        ports.error(name, "one of " + String.join(", ", new TreeSet<>(portNames)), "no such port")));
    }

    /** Address, ports, labels and weight; the caller reads the rest and closes. */
    private static Peer peer(Fields fields, Optional<Resolution> resolution) {
        boolean dns = resolution.equals(Optional.of(Resolution.DNS));
        String expected = dns ? "an IP address or a host name" : "an IP address";
        String address = fields.string("address").orElse("");
        boolean nameAllowed = dns || resolution.isEmpty();
        if (address.isEmpty() && fields.has("network") && !dns) {
            fields.unsupportedValue("address", "an endpoint of which only the network is known", expected);
        } else if (address.isEmpty()) {
            fields.requiredString("address");
        } else if (address.startsWith("unix://") && !dns) {
            checkSocket(fields, address.substring("unix://".length()));
        } else if (!Words.isIpAddress(address) && !(nameAllowed && Names.isDomain(address))) {
            fields.error("address", expected, "not an address");
        } else if (!Words.isIpAddress(address) && resolution.isEmpty()) {
            fields.unsupportedValue("address", "a host name as address of a workload", expected);
        } else if (!Words.isIpAddress(address) && !Words.isDnsName(address.toLowerCase(Locale.ROOT))) {
            fields.unsupportedForm("address", expected, "a host name of an unusual form");
        }
        fields.unsupported("network");
        OptionalInt weight = fields.integerUpTo("weight", 0, 1_000_000);
        Map<String, String> labels = IstioFields.labels(fields, "labels");
        Map<String, Integer> ports = fields.portMap("ports");
        fields.object("ports").ifPresent(map -> map.names().stream()
                .filter(name -> !Names.isLabel(name) || name.length() >= 63)
                .forEach(name -> map.error(name, "letters, digits and inner '-', at most 62", "not a port's name")));
        return new Peer(address, ports, labels, Math.max(1, weight.orElse(1)), locality(fields, labels));
    }

    private static void checkSocket(Fields fields, String socket) {
        boolean abstractName = socket.startsWith("@");
        if ((!abstractName && !socket.startsWith("/")) || socket.endsWith("/")) {
            fields.error("address", "an absolute path, or @NAME", "not a Unix socket");
        } else if (fields.has("ports")) {
            fields.error("ports", "no such field beside a Unix socket", "a Unix socket has no ports");
        } else {
            fields.unsupportedValue("address", "a Unix socket", "an IP address");
        }
    }

    /** What the field says, else the label. */
    private static Locality locality(Fields fields, Map<String, String> labels) {
        Optional<String> written = fields.string("locality");
        try {
            return written.isPresent() ? Locality.parse(written.get()) : Locality.of(labels, Locality.NONE);
        } catch (IllegalArgumentException e) {
            String field = written.isPresent() ? "locality" : "labels";
            String what = written.isPresent() ? "not a locality" : "the label " + Locality.LABEL + " is not a locality";
            fields.unsupportedForm(field, Locality.EXPECTED, what);
            return Locality.NONE;
        }
    }

    static ConfigResource decodeWorkloadEntry(Manifest manifest, Fields document) {
        return document.requiredObject("spec")
                .map(spec -> {
                    Peer peer = peer(spec, Optional.empty());
                    String account = spec.string("serviceAccount").orElse("default");
                    spec.done();
                    return new WorkloadEntry(manifest, peer, account);
                })
                .orElse(new WorkloadEntry(manifest, new Peer("", Map.of(), Map.of(), 1, Locality.NONE), "default"));
    }
}
