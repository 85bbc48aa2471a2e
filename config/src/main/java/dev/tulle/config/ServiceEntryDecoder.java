package dev.tulle.config;

import dev.tulle.config.ServiceEntry.Peer;
import dev.tulle.config.ServiceEntry.Resolution;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Locality;
import dev.tulle.model.ServicePort;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** Decodes Istio's ServiceEntry and WorkloadEntry. */
final class ServiceEntryDecoder {
    private static final Map<String, Optional<Resolution>> RESOLUTIONS = Map.of(
            "NONE", Optional.of(Resolution.NONE),
            "STATIC", Optional.of(Resolution.STATIC),
            "DNS", Optional.of(Resolution.DNS),
            "DNS_ROUND_ROBIN", Optional.of(Resolution.DNS),
            "DYNAMIC_DNS", Optional.empty());

    private static final Map<String, Boolean> LOCATIONS = Map.of("MESH_EXTERNAL", true, "MESH_INTERNAL", false);

    private ServiceEntryDecoder() {}

    static ConfigResource decode(Manifest manifest, Fields document) {
        return document.requiredObject("spec")
                .map(spec -> decodeSpec(manifest, spec))
                .orElse(new ServiceEntry(
                        manifest, List.of(), List.of(), List.of(), true, Resolution.NONE, List.of(), Map.of()));
    }

    private static ServiceEntry decodeSpec(Manifest manifest, Fields spec) {
        List<String> hosts = new ArrayList<>();
        for (String host : spec.strings("hosts")) {
            String name = host.toLowerCase(Locale.ROOT);
            if (Hosts.isPattern(name)) {
                spec.unsupportedValue("hosts", "a wildcard host", "full host names");
            } else if (!Words.isDnsName(name) || hosts.contains(name)) {
                spec.error("hosts", "host names, each once", "'" + host + "' is not a host name, or here twice");
            } else {
                hosts.add(name);
            }
        }
        if (!spec.has("hosts")) {
            spec.error("hosts", "at least one host name", "this field is required");
        }
        List<String> addresses = spec.strings("addresses");
        for (String address : addresses) {
            if (address.contains("/")) {
                spec.unsupportedValue("addresses", "an address range", "single IP addresses");
            } else if (!Words.isIpAddress(address)) {
                spec.error("addresses", "IP addresses", "'" + address + "' is not an IP address");
            }
        }
        if (hosts.size() > 1 && !addresses.isEmpty()) {
            spec.unsupportedValue("addresses", "an address shared by several hosts", "one host, or no addresses");
        }
        IstioFields.exportTo(spec);
        spec.unsupported("subjectAltNames");
        boolean external = spec.choice("location", LOCATIONS).orElse(true);
        Optional<Resolution> chosen = spec.choice("resolution", RESOLUTIONS).orElse(Optional.of(Resolution.NONE));
        if (chosen.isEmpty()) {
            spec.unsupportedValue("resolution", "DYNAMIC_DNS", "NONE, STATIC or DNS");
        }
        Resolution resolution = chosen.orElse(Resolution.NONE);
        List<ServicePort> ports = ports(spec);
        List<Peer> endpoints = new ArrayList<>();
        for (Fields endpoint : spec.objects("endpoints")) {
            endpoints.add(peer(endpoint, Optional.of(resolution)));
            endpoint.tolerate("serviceAccount");
            endpoint.done();
        }
        Map<String, String> selector = Map.of();
        Optional<Fields> workloads = spec.object("workloadSelector");
        if (workloads.isPresent()) {
            selector = workloads.get().stringMap("labels");
            workloads.get().done();
            if (!endpoints.isEmpty()) {
                spec.error("workloadSelector", "endpoints or workloadSelector, not both", "two sources of endpoints");
            }
            if (selector.isEmpty()) {
                workloads.get().error("labels", "at least one label", "this field is required");
            }
        }
        if (resolution == Resolution.NONE && (!endpoints.isEmpty() || !selector.isEmpty())) {
            spec.error("resolution", "STATIC or DNS when there are endpoints", "NONE uses no endpoints");
        }
        if (resolution == Resolution.NONE && addresses.isEmpty()) {
            spec.error(
                    "addresses",
                    "the addresses that programs dial, or resolution DNS",
                    "resolution NONE without addresses reaches nothing");
        }
        spec.done();
        return new ServiceEntry(manifest, hosts, addresses, ports, external, resolution, endpoints, selector);
    }

    private static List<ServicePort> ports(Fields spec) {
        List<ServicePort> ports = new ArrayList<>();
        Set<Integer> numbers = new HashSet<>();
        Set<String> names = new HashSet<>();
        List<Fields> list = spec.objects("ports");
        if (list.isEmpty()) {
            spec.error("ports", "at least one port", "a service without ports serves nothing");
        }
        for (Fields port : list) {
            int number = port.requiredPort("number").orElse(0);
            String name = port.requiredString("name");
            int target = port.port("targetPort").orElse(number);
            Optional<String> word = port.string("protocol");
            AppProtocol protocol = AppProtocol.parse(name).orElse(AppProtocol.AUTO);
            if (word.isPresent()) {
                Optional<AppProtocol> parsed = AppProtocol.parse(word.get());
                if (parsed.isEmpty()) {
                    port.error("protocol", "one of HTTP, HTTP2, GRPC, HTTPS, TLS, TCP, UDP", "unknown protocol");
                }
                protocol = parsed.orElse(protocol);
            }
            if (number > 0 && !numbers.add(number)) {
                port.error("number", "each port number once", "two ports have this number");
            }
            if (!name.isEmpty() && !names.add(name)) {
                port.error("name", "each name once", "two ports have this name");
            }
            port.done();
            if (number > 0) {
                ports.add(new ServicePort(number, target, protocol, name));
            }
        }
        return ports;
    }

    /** Address, ports, labels and weight; the caller reads the rest and closes. */
    private static Peer peer(Fields fields, Optional<Resolution> resolution) {
        String address = fields.requiredString("address");
        boolean ip = Words.isIpAddress(address);
        boolean name = Words.isDnsName(address.toLowerCase(Locale.ROOT)) && !looksLikeIp(address);
        if (address.startsWith("unix://")) {
            fields.unsupportedValue("address", "a Unix socket", "an IP address");
        } else if (!address.isEmpty() && !ip && !(name && resolution.equals(Optional.of(Resolution.DNS)))) {
            fields.error(
                    "address",
                    resolution.equals(Optional.of(Resolution.DNS)) ? "an IP address or a host name" : "an IP address",
                    "not an address");
        }
        fields.unsupported("network");
        OptionalInt weight = fields.integer("weight", 0, 1_000_000);
        Map<String, String> labels = fields.stringMap("labels");
        return new Peer(
                address, fields.portMap("ports"), labels, Math.max(1, weight.orElse(1)), locality(fields, labels));
    }

    /** What the field says, else the label. */
    private static Locality locality(Fields fields, Map<String, String> labels) {
        Optional<String> written = fields.string("locality");
        try {
            return written.isPresent() ? Locality.parse(written.get()) : Locality.of(labels, Locality.NONE);
        } catch (IllegalArgumentException e) {
            String field = written.isPresent() ? "locality" : "labels";
            String what = written.isPresent() ? "not a locality" : "the label " + Locality.LABEL + " is not a locality";
            fields.error(field, Locality.EXPECTED, what);
            return Locality.NONE;
        }
    }

    private static boolean looksLikeIp(String address) {
        int dot = address.lastIndexOf('.');
        return dot >= 0
                && !address.substring(dot + 1).isEmpty()
                && address.substring(dot + 1).chars().allMatch(Character::isDigit);
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
