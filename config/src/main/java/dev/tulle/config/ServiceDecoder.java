package dev.tulle.config;

import dev.tulle.model.AppProtocol;
import dev.tulle.model.LocalityPreference;
import dev.tulle.model.ServicePort;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Decodes Kubernetes' Service. */
final class ServiceDecoder {
    private static final Map<String, Boolean> TYPES =
            Map.of("ClusterIP", true, "NodePort", true, "LoadBalancer", true, "ExternalName", false);

    private static final Map<String, Boolean> AFFINITIES = Map.of("None", false, "ClientIP", true);

    private static final Map<String, Optional<LocalityPreference>> DISTRIBUTIONS = Map.of(
            "PreferClose", Optional.of(new LocalityPreference.Nearest(Map.of())),
            "PreferSameZone", Optional.of(new LocalityPreference.Nearest(Map.of())),
            "PreferSameNode", Optional.empty());

    /** Kubernetes' default: three hours. */
    private static final int STICKY_SECONDS = 10_800;

    private static final Map<String, AppProtocol> TRANSPORTS =
            Map.of("TCP", AppProtocol.TCP, "UDP", AppProtocol.UDP, "SCTP", AppProtocol.AUTO);

    private ServiceDecoder() {}

    static ConfigResource decode(Manifest manifest, Fields document) {
        if (!document.has("spec")) {
            document.unsupportedValue("spec", "a Service without ports", "a spec with at least one port");
        }
        return document.object("spec")
                .map(spec -> decodeSpec(manifest, spec))
                .orElse(new KubernetesService(
                        manifest, List.of(), false, Map.of(), List.of(), 0, LocalityPreference.ANYWHERE));
    }

    private static KubernetesService decodeSpec(Manifest manifest, Fields spec) {
        if (!Words.isDnsLabel(manifest.ref().name())) {
            spec.findings()
                    .error(
                            manifest.ref().line(),
                            1,
                            "metadata.name",
                            manifest.ref().name(),
                            "lower-case letters, digits and '-', at most 63",
                            "not a name for a Service");
        }
        boolean here = spec.choice("type", TYPES).orElse(true);
        if (!here) {
            spec.unsupportedValue("type", "ExternalName", "ClusterIP (a ServiceEntry can name an outside host)");
        }
        boolean headless = false;
        List<String> addresses = new ArrayList<>();
        List<String> given = new ArrayList<>(spec.strings("clusterIPs"));
        spec.string("clusterIP").filter(ip -> !given.contains(ip)).ifPresent(ip -> given.add(0, ip));
        for (String ip : given) {
            if (ip.equals("None")) {
                headless = true;
                spec.warning(
                        "clusterIP",
                        "an address, or none given",
                        "a headless service gets a virtual address in this version of Tulle all the same");
            } else if (Words.isIpAddress(ip)) {
                addresses.add(ip);
            } else if (!ip.isEmpty()) {
                spec.error("clusterIP", "an IP address, None, or nothing", "not an IP address");
            }
        }
        int sticky = spec.choice("sessionAffinity", AFFINITIES).orElse(false) ? stickySeconds(spec) : 0;
        spec.tolerate(
                "allocateLoadBalancerNodePorts",
                "externalTrafficPolicy",
                "healthCheckNodePort",
                "internalTrafficPolicy",
                "ipFamilies",
                "ipFamilyPolicy",
                "loadBalancerClass",
                "loadBalancerIP",
                "loadBalancerSourceRanges",
                "publishNotReadyAddresses",
                "sessionAffinityConfig"); // looked at with ClientIP only
        LocalityPreference preference = LocalityPreference.ANYWHERE;
        Optional<Optional<LocalityPreference>> distribution = spec.choice("trafficDistribution", DISTRIBUTIONS);
        if (distribution.isPresent()) {
            preference = distribution.get().orElse(preference);
            if (distribution.get().isEmpty()) {
                spec.unsupportedValue("trafficDistribution", "PreferSameNode", "PreferClose or PreferSameZone");
            }
        }
        spec.unsupported("externalIPs", "externalName");
        Map<String, String> selector = spec.stringMap("selector");
        List<ServicePort> ports = ports(spec, headless || !here);
        spec.done();
        return new KubernetesService(manifest, addresses, headless, selector, ports, sticky, preference);
    }

    private static int stickySeconds(Fields spec) {
        Optional<Fields> config = spec.object("sessionAffinityConfig");
        Optional<Fields> client = config.flatMap(c -> c.object("clientIP"));
        int seconds = client.isPresent()
                ? client.get().integer("timeoutSeconds", 1, 86_400).orElse(STICKY_SECONDS)
                : STICKY_SECONDS;
        client.ifPresent(Fields::done);
        config.ifPresent(Fields::done);
        return seconds;
    }

    /** @param optional whether Kubernetes takes the service without ports */
    private static List<ServicePort> ports(Fields spec, boolean optional) {
        List<ServicePort> ports = new ArrayList<>();
        Set<String> names = new HashSet<>();
        Map<Integer, String> numbers = new HashMap<>();
        List<Fields> list = spec.objects("ports");
        if (list.isEmpty() && optional) {
            spec.unsupportedValue("ports", "a service without ports", "at least one port");
        } else if (list.isEmpty()) {
            spec.error("ports", "at least one port", "a service without ports serves nothing");
        }
        for (Fields port : list) {
            String name = port.string("name").orElse("");
            int number = port.requiredPort("port").orElse(0);
            AppProtocol transport = port.choice("protocol", TRANSPORTS).orElse(AppProtocol.TCP);
            if (transport == AppProtocol.AUTO) {
                port.unsupportedValue("protocol", "SCTP", "TCP or UDP");
            }
            port.tolerate("nodePort");
            AppProtocol protocol = protocol(port, name, transport);
            int target = targetPort(port, number);
            if (list.size() > 1 && name.isEmpty()) {
                port.error("name", "a name for each port when there are several", "this field is required");
            }
            if (!name.isEmpty() && !names.add(name)) {
                port.error("name", "each name once", "two ports have this name");
            }
            // UDP and TCP may share a number, but a port path and a listener are per number.
            String word = port.string("protocol").orElse("TCP");
            String earlier = number > 0 ? numbers.putIfAbsent(number, word) : null;
            if (word.equals(earlier)) {
                port.error("port", "each port number once", "two ports have this number");
            } else if (earlier != null) {
                port.unsupportedForm("port", "each port number once", "two ports have this number");
            }
            port.done();
            if (number > 0) {
                ports.add(new ServicePort(number, target, protocol, name));
            }
        }
        return ports;
    }

    private static AppProtocol protocol(Fields port, String name, AppProtocol transport) {
        Optional<String> app = port.string("appProtocol");
        if (transport == AppProtocol.UDP) {
            return AppProtocol.UDP;
        }
        if (app.isPresent()) {
            return switch (app.get()) {
                case "kubernetes.io/h2c" -> AppProtocol.HTTP2;
                case "kubernetes.io/ws" -> AppProtocol.HTTP;
                case "kubernetes.io/wss" -> AppProtocol.TLS;
                default -> AppProtocol.parse(app.get()).orElse(AppProtocol.AUTO);
            };
        }
        return AppProtocol.parse(name).filter(p -> p != AppProtocol.UDP).orElse(AppProtocol.AUTO);
    }

    private static int targetPort(Fields port, int number) {
        Tree.Scalar target = port.numberOrName("targetPort");
        if (target == null) {
            return number;
        }
        if (target.type() == Tree.ScalarType.STRING) {
            port.unsupportedValue("targetPort", "a port by name", "a port number");
            return number;
        }
        return port.port("targetPort").orElse(number);
    }
}
