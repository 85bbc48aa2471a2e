package dev.tulle.config;

import dev.tulle.config.VirtualService.TcpMatch;
import dev.tulle.config.VirtualService.TcpRule;
import dev.tulle.config.VirtualService.TlsRule;
import dev.tulle.model.HeaderMutation;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Decodes Istio's VirtualService: hosts, and the rules for connections; requests are {@link HttpRuleDecoder}'s. */
final class VirtualServiceDecoder {
    private VirtualServiceDecoder() {}

    static ConfigResource decode(Manifest manifest, Fields document) {
        return document.requiredObject("spec")
                .map(spec -> decodeSpec(manifest, spec))
                .orElse(new VirtualService(manifest, List.of(), List.of(), List.of(), List.of(), List.of(), List.of()));
    }

    private static VirtualService decodeSpec(Manifest manifest, Fields spec) {
        List<Item> hosts = spec.texts("hosts");
        String namespace = manifest.ref().namespace();
        List<String> named = IstioFields.gateways(spec, namespace);
        List<String> gateways = named.isEmpty() ? List.of(VirtualService.MESH) : named;
        boolean ofMesh = gateways.contains(VirtualService.MESH);
        hosts.forEach(host -> checkHost(host, ofMesh));
        checkOverlaps(hosts);
        IstioFields.exportTo(spec, namespace, false);
        if (hosts.isEmpty()) {
            checkDelegate(spec);
        }
        List<HttpRule> http = new ArrayList<>();
        List<Fields> rules = spec.objects("http");
        for (int i = 0; i < rules.size(); i++) {
            http.add(HttpRuleDecoder.decode(rules.get(i), "http[" + i + "]", namespace));
        }
        List<TlsRule> tls = new ArrayList<>();
        for (Fields rule : spec.objects("tls")) {
            tls.add(TlsRuleDecoder.decode(rule, namespace, hosts, gateways));
        }
        List<TcpRule> tcp = new ArrayList<>();
        for (Fields rule : spec.objects("tcp")) {
            tcp.add(tcpRule(rule, namespace));
        }
        if (http.isEmpty() && tcp.isEmpty() && tls.isEmpty()) {
            spec.error("http", "rules under http, tls or tcp", "a virtual service without rules");
        }
        spec.done();
        return new VirtualService(
                manifest,
                hosts.stream().map(Item::at).toList(),
                hosts.stream().map(Item::text).toList(),
                gateways,
                http,
                tls,
                tcp);
    }

    private static void checkHost(Item host, boolean ofMesh) {
        if (Words.isIpAddress(host.text())) {
            host.unsupported("an address as host", "a service name or a host name");
        } else if (host.text().equals("*") && ofMesh) {
            host.error("the hosts that are meant", "the mesh's own traffic cannot be routed for every host at once");
        } else {
            IstioFields.checkHost(host);
        }
    }

    /** Two hosts of one virtual service must not stand for the same. */
    private static void checkOverlaps(List<Item> hosts) {
        for (int i = 0; i < hosts.size(); i++) {
            for (int j = 0; j < i; j++) {
                if (Names.overlap(hosts.get(j).text(), hosts.get(i).text())) {
                    hosts.get(i)
                            .error(
                                    "hosts of which no two overlap",
                                    "covered by " + hosts.get(j).text() + " as well");
                    break;
                }
            }
        }
    }

    /** Without hosts it is a part of another virtual service, and may hold rules for requests only. */
    private static void checkDelegate(Fields spec) {
        if (spec.has("gateways") || spec.has("tcp") || spec.has("tls")) {
            spec.error("hosts", "at least one host", "this field is required");
        } else {
            spec.unsupportedValue("hosts", "a virtual service without hosts, to be delegated to,", "at least one host");
        }
    }

    private static TcpRule tcpRule(Fields rule, String namespace) {
        List<TcpMatch> matches = new ArrayList<>();
        for (Fields match : rule.objects("match")) {
            match.unsupported("destinationSubnets", "sourceLabels", "sourceNamespace", "sourceSubnet");
            List<String> gateways = IstioFields.gateways(match, namespace);
            matches.add(new TcpMatch(match.portOrNone("port"), gateways));
            match.done();
        }
        List<Destination> destinations = destinations(rule, "route", false);
        if (destinations.isEmpty()) {
            rule.error("route", "at least one destination", "this field is required");
        }
        rule.done();
        return new TcpRule(matches, destinations);
    }

    /** The destinations of a rule with their weights. */
    static List<Destination> destinations(Fields rule, String field, boolean http) {
        List<Destination> out = new ArrayList<>();
        List<Fields> routes = rule.objects(field);
        for (Fields route : routes) {
            OptionalInt weight = route.integerUpTo("weight", 0, 1_000_000);
            HeaderMutation headers = http ? HeaderChanges.of(route) : HeaderMutation.NONE;
            // Istio: a single destination takes everything, whatever its weight says.
            int share = weight.orElse(routes.size() == 1 ? 100 : 0);
            route.requiredObject("destination")
                    .ifPresent(destination -> out.add(destination(destination, share, headers)));
            route.done();
        }
        if (routes.size() > 1 && out.size() == routes.size() && out.stream().noneMatch(d -> d.weight() > 0)) {
            rule.error(field, "a weight above 0 on at least one destination", "all weights are 0");
        }
        return routes.size() == 1 && out.size() == 1 && out.get(0).weight() == 0
                ? List.of(withWeight(out.get(0), 1))
                : out;
    }

    private static Destination withWeight(Destination d, int weight) {
        return new Destination(d.host(), d.subset(), d.port(), weight, d.headers(), d.position());
    }

    static Destination destination(Fields fields, int weight, HeaderMutation headers) {
        String host = fields.requiredString("host");
        if (host.equals("*") || (!host.isEmpty() && !Names.isDomainOrPattern(host))) {
            fields.error("host", "a service name or a host name", "not a host");
        } else if (Hosts.isPattern(host)) {
            fields.unsupportedValue("host", "a wildcard as destination", "a service name or a host name");
        } else {
            IstioFields.checkHost(fields, "host", host);
        }
        String subset = fields.string("subset").orElse("");
        IstioFields.checkSubset(fields, "subset", subset);
        OptionalInt port = OptionalInt.empty();
        var selector = fields.object("port");
        if (selector.isPresent()) {
            port = selector.get().requiredPort("number");
            selector.get().done();
        }
        Position position = fields.position(subset.isEmpty() ? "host" : "subset");
        fields.done();
        return new Destination(host, subset, port, weight, headers, position);
    }
}
