package dev.tulle.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * A RouteRule of 2018 (config.istio.io/v1alpha2), read far enough to be written as one rule of a VirtualService.
 *
 * @param host the destination as a host that a VirtualService in the rule's namespace can name
 * @param precedence the higher one is tried first
 * @param rule the entry for {@code spec.http}, without its destinations and mirror
 * @param destinations where it sends requests; empty when it redirects
 * @param mirror where copies go
 */
record RouteRule(
        String namespace,
        String name,
        String host,
        int precedence,
        Map<String, Object> rule,
        List<Target> destinations,
        Optional<Target> mirror) {
    static final String API_VERSION = "config.istio.io/v1alpha2";

    private static final List<String> STRING_MATCH = List.of("exact", "prefix", "regex");

    /** A service and the labels of the instances that are meant. */
    record Target(String host, Map<String, String> labels, OptionalInt weight) {}

    /** Reads a rule; whether it can be used is told by the findings. */
    static RouteRule decode(String namespace, String name, Fields spec) {
        String host = spec.requiredObject("destination")
                .map(destination -> service(destination, namespace).host())
                .orElse("");
        int precedence =
                spec.integer("precedence", Integer.MIN_VALUE, Integer.MAX_VALUE).orElse(0);
        Map<String, Object> rule = new LinkedHashMap<>();
        rule.put("name", name);
        spec.object("match").ifPresent(match -> {
            Map<String, Object> conditions = conditions(match);
            if (!conditions.isEmpty()) {
                rule.put("match", List.of(conditions));
            }
        });
        spec.object("httpFault").ifPresent(fault -> rule.put("fault", fault(fault)));
        spec.object("redirect").ifPresent(redirect -> rule.put("redirect", strings(redirect, "uri", "authority")));
        spec.object("rewrite").ifPresent(rewrite -> rule.put("rewrite", strings(rewrite, "uri", "authority")));
        spec.object("httpReqTimeout")
                .flatMap(timeout -> simple(timeout, "simpleTimeout", "custom"))
                .ifPresent(simple -> {
                    durationText(simple, "timeout").ifPresent(text -> rule.put("timeout", text));
                    simple.unsupported("overrideHeaderName");
                    simple.done();
                });
        spec.object("httpReqRetries")
                .flatMap(retries -> simple(retries, "simpleRetry", "custom"))
                .ifPresent(simple -> rule.put("retries", retries(simple)));
        spec.object("appendHeaders").ifPresent(headers -> rule.put("headers", appended(headers)));
        List<Target> destinations = destinations(spec, namespace, host);
        if (rule.containsKey("redirect")) {
            destinations = List.of();
        }
        Optional<Target> mirror = spec.object("mirror").map(m -> service(m, namespace));
        // An upgrade to WebSocket needs no permission any more.
        spec.tolerate("websocketUpgrade");
        spec.unsupported("corsPolicy", "l4Fault");
        spec.done();
        return new RouteRule(namespace, name, host, precedence, rule, destinations, mirror);
    }

    private static List<Target> destinations(Fields spec, String namespace, String host) {
        List<Target> out = new ArrayList<>();
        for (Fields route : spec.objects("route")) {
            String target = route.object("destination")
                    .map(destination -> service(destination, namespace).host())
                    .orElse(host);
            Map<String, String> labels = new TreeMap<>(route.stringMap("labels"));
            // The first releases of 2017 called them tags.
            labels.putAll(route.stringMap("tags"));
            out.add(new Target(target, labels, route.integer("weight", 0, 100)));
            route.done();
        }
        return out.isEmpty() ? List.of(new Target(host, Map.of(), OptionalInt.empty())) : out;
    }

    /** A reference to a service: a short name in its namespace, or a full one. */
    private static Target service(Fields fields, String namespace) {
        Optional<String> full = fields.string("service");
        String name = full.isPresent() ? full.get() : fields.requiredString("name");
        Optional<String> other = fields.string("namespace");
        Optional<String> domain = fields.string("domain");
        Map<String, String> labels = fields.stringMap("labels");
        String field = full.isPresent() ? "service" : "name";
        IstioFields.checkHost(fields, field, name);
        fields.done();
        String host = name;
        if (full.isEmpty()
                && (domain.isPresent()
                        || other.filter(o -> !o.equals(namespace)).isPresent())) {
            host = name + "." + other.orElse(namespace) + "." + domain.orElse(Hosts.SERVICE_DOMAIN);
        }
        return new Target(host, labels, OptionalInt.empty());
    }

    private static Map<String, Object> conditions(Fields match) {
        match.unsupported("source", "tcp", "udp");
        Map<String, Object> out = new LinkedHashMap<>();
        Map<String, Object> headers = new LinkedHashMap<>();
        Optional<Fields> request = match.object("request");
        Optional<Fields> fields = request.flatMap(r -> r.object("headers"));
        if (fields.isPresent()) {
            for (String name : fields.get().names()) {
                Optional<Map<String, Object>> condition =
                        fields.get().object(name).map(RouteRule::stringMatch);
                switch (name) {
                    case "uri", "scheme", "method", "authority" -> condition.ifPresent(c -> out.put(name, c));
                    default -> condition.ifPresent(c -> headers.put(name, c));
                }
            }
        }
        request.ifPresent(Fields::done);
        match.done();
        if (!headers.isEmpty()) {
            out.put("headers", headers);
        }
        return out;
    }

    private static Map<String, Object> stringMatch(Fields fields) {
        Map<String, Object> out = new LinkedHashMap<>();
        for (String kind : STRING_MATCH) {
            (kind.equals("regex") ? IstioFields.regex(fields, kind) : fields.string(kind))
                    .ifPresent(text -> out.put(kind, text));
        }
        if (out.size() != 1 && STRING_MATCH.stream().filter(fields::has).count() != 1) {
            fields.error("", "exactly one of exact, prefix and regex", "not one condition");
        }
        fields.done();
        return out;
    }

    private static Map<String, Object> fault(Fields fault) {
        Map<String, Object> out = new LinkedHashMap<>();
        fault.object("delay").ifPresent(delay -> {
            Map<String, Object> to = new LinkedHashMap<>();
            share(delay, to);
            durationText(delay, "fixedDelay").ifPresent(text -> to.put("fixedDelay", text));
            delay.unsupported("exponentialDelay", "overrideHeaderName");
            delay.done();
            out.put("delay", to);
        });
        fault.object("abort").ifPresent(abort -> {
            Map<String, Object> to = new LinkedHashMap<>();
            share(abort, to);
            abort.integer("httpStatus", 200, 599).ifPresent(status -> to.put("httpStatus", (long) status));
            abort.unsupported("grpcStatus", "http2Error", "overrideHeaderName");
            abort.done();
            out.put("abort", to);
        });
        fault.done();
        return out;
    }

    private static void share(Fields fault, Map<String, Object> to) {
        OptionalDouble percent = fault.number("percent", 0, 100);
        percent.ifPresent(value ->
                to.put("percentage", Map.of("value", value == Math.rint(value) ? (Object) (long) value : value)));
    }

    private static Optional<Fields> simple(Fields owner, String name, String custom) {
        owner.unsupported(custom);
        Optional<Fields> simple = owner.object(name);
        owner.done();
        return simple;
    }

    private static Map<String, Object> retries(Fields simple) {
        Map<String, Object> out = new LinkedHashMap<>();
        simple.requiredInteger("attempts", 0, 100).ifPresent(attempts -> out.put("attempts", (long) attempts));
        durationText(simple, "perTryTimeout").ifPresent(text -> out.put("perTryTimeout", text));
        simple.unsupported("overrideHeaderName");
        simple.done();
        return out;
    }

    private static Optional<String> durationText(Fields fields, String name) {
        return fields.duration(name).isPresent() ? fields.string(name) : Optional.empty();
    }

    private static Map<String, Object> strings(Fields fields, String... names) {
        Map<String, Object> out = new LinkedHashMap<>();
        for (String name : names) {
            fields.string(name).ifPresent(text -> out.put(name, text));
        }
        fields.done();
        return out;
    }

    private static Map<String, Object> appended(Fields headers) {
        Map<String, Object> add = new LinkedHashMap<>();
        for (String name : headers.names()) {
            headers.string(name).ifPresent(value -> {
                if (HeaderChanges.field(headers, name, value, true).isPresent()) {
                    add.put(name, value);
                }
            });
        }
        return Map.of("request", Map.of("add", add));
    }
}
