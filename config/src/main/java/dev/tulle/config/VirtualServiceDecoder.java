package dev.tulle.config;

import dev.tulle.config.VirtualService.TcpRule;
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
                .orElse(new VirtualService(manifest, List.of(), List.of(), List.of(), List.of()));
    }

    private static VirtualService decodeSpec(Manifest manifest, Fields spec) {
        List<String> hosts = spec.strings("hosts");
        if (hosts.isEmpty()) {
            spec.error("hosts", "at least one host", "this field is required");
        }
        for (String host : hosts) {
            IstioFields.checkHost(spec, "hosts", host);
        }
        List<String> gateways = spec.strings("gateways");
        if (!gateways.isEmpty() && !gateways.equals(List.of("mesh"))) {
            spec.unsupportedValue("gateways", "a gateway", "\"mesh\" or nothing");
        }
        IstioFields.exportTo(spec);
        spec.unsupported("tls");
        List<HttpRule> http = new ArrayList<>();
        List<Fields> rules = spec.objects("http");
        for (int i = 0; i < rules.size(); i++) {
            http.add(HttpRuleDecoder.decode(rules.get(i), "http[" + i + "]"));
        }
        List<TcpRule> tcp = new ArrayList<>();
        for (Fields rule : spec.objects("tcp")) {
            tcp.add(tcpRule(rule));
        }
        if (http.isEmpty() && tcp.isEmpty() && !spec.has("tls")) {
            spec.error("http", "rules under http or tcp", "a virtual service without rules");
        }
        List<Position> positions = spec.positions("hosts");
        spec.done();
        return new VirtualService(manifest, positions, hosts, http, tcp);
    }

    private static TcpRule tcpRule(Fields rule) {
        List<Integer> ports = new ArrayList<>();
        for (Fields match : rule.objects("match")) {
            match.unsupported("destinationSubnets", "gateways", "sourceLabels", "sourceNamespace", "sourceSubnet");
            OptionalInt port = match.requiredPort("port");
            port.ifPresent(ports::add);
            match.done();
        }
        List<Destination> destinations = destinations(rule, "route", false);
        if (destinations.isEmpty()) {
            rule.error("route", "at least one destination", "this field is required");
        }
        rule.done();
        return new TcpRule(ports, destinations);
    }

    /** The destinations of a rule with their weights. */
    static List<Destination> destinations(Fields rule, String field, boolean http) {
        List<Destination> out = new ArrayList<>();
        List<Fields> routes = rule.objects(field);
        for (Fields route : routes) {
            OptionalInt weight = route.integer("weight", 0, 1_000_000);
            HeaderMutation headers = http ? IstioFields.headers(route) : HeaderMutation.NONE;
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
        if (!host.isEmpty() && (!IstioFields.isHost(host) || Hosts.isPattern(host))) {
            fields.error("host", "a service name or a host name", "not a host");
        }
        String subset = fields.string("subset").orElse("");
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
