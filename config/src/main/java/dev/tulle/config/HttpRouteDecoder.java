package dev.tulle.config;

import dev.tulle.config.HttpRoute.Parent;
import dev.tulle.config.HttpRule.Action;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.RouteAction.Rewrite;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.StringMatch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Decodes Gateway API's HTTPRoute with Services as parents; filters are {@link HttpRouteFilters}'. */
final class HttpRouteDecoder {
    private static final Map<String, String> METHODS =
            words("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH");
    private static final Map<String, String> PATH_TYPES = words("Exact", "PathPrefix", "RegularExpression");
    private static final Map<String, String> VALUE_TYPES = words("Exact", "RegularExpression");

    private HttpRouteDecoder() {}

    private static Map<String, String> words(String... words) {
        Map<String, String> out = new java.util.TreeMap<>();
        for (String word : words) {
            out.put(word, word);
        }
        return out;
    }

    static ConfigResource decode(Manifest manifest, Fields document) {
        return document.requiredObject("spec")
                .map(spec -> decodeSpec(manifest, spec))
                .orElse(new HttpRoute(manifest, List.of(), List.of(), List.of()));
    }

    private static HttpRoute decodeSpec(Manifest manifest, Fields spec) {
        String namespace = manifest.ref().namespace();
        List<Parent> parents = new ArrayList<>();
        for (Fields parent : spec.objects("parentRefs")) {
            parent(parent, namespace).ifPresent(parents::add);
        }
        if (!spec.has("parentRefs")) {
            spec.error("parentRefs", "at least one Service", "this field is required");
        }
        List<String> hostnames = new ArrayList<>();
        for (String host : spec.strings("hostnames")) {
            String name = host.toLowerCase(Locale.ROOT);
            if (!IstioFields.isHost(name) || name.equals("*")) {
                spec.error("hostnames", "host names or '*.suffix'", "'" + host + "' is not a host name");
            } else {
                hostnames.add(name);
            }
        }
        spec.unsupported("useDefaultGateways");
        List<HttpRule> rules = new ArrayList<>();
        List<Fields> list = spec.objects("rules");
        for (int i = 0; i < list.size(); i++) {
            rules.add(rule(list.get(i), namespace, "rules[" + i + "]"));
        }
        if (list.isEmpty()) {
            spec.error("rules", "at least one rule", "a route without rules");
        }
        spec.done();
        return new HttpRoute(manifest, parents, hostnames, rules);
    }

    private static Optional<Parent> parent(Fields parent, String namespace) {
        String group = parent.string("group").orElse("gateway.networking.k8s.io");
        String kind = parent.string("kind").orElse("Gateway");
        String name = parent.requiredString("name");
        String own = parent.string("namespace").orElse(namespace);
        OptionalInt port = parent.port("port");
        Position position = parent.position("name");
        parent.unsupported("sectionName");
        parent.done();
        if (!(group.isEmpty() || group.equals("core")) || !kind.equals("Service")) {
            parent.unsupportedValue("kind", "a parent of kind " + shorten(kind), "group \"\" and kind Service");
            return Optional.empty();
        }
        if (!own.equals(namespace)) {
            parent.unsupportedValue(
                    "namespace",
                    "a route for clients of its own namespace only",
                    "the route in the Service's namespace");
            return Optional.empty();
        }
        return Optional.of(new Parent(own, name, port, position));
    }

    private static String shorten(String word) {
        return word.length() > 40 ? word.substring(0, 40) : word;
    }

    private static HttpRule rule(Fields rule, String namespace, String defaultName) {
        String name = rule.string("name").orElse(defaultName);
        List<HttpRule.Match> matches = new ArrayList<>();
        for (Fields match : rule.objects("matches")) {
            matches.add(new HttpRule.Match("", match(match), OptionalInt.empty()));
        }
        if (matches.isEmpty()) {
            matches.add(new HttpRule.Match("", gatewayAny(), OptionalInt.empty()));
        }
        rule.unsupported("retry", "sessionPersistence");
        HttpRouteFilters filters = HttpRouteFilters.decode(rule, namespace, matches);
        List<Destination> backends = new ArrayList<>();
        for (Fields backend : rule.objects("backendRefs")) {
            OptionalInt weight = backend.integer("weight", 0, 1_000_000);
            HeaderMutation headers = HttpRouteFilters.headersOnly(backend);
            backend(backend, namespace, weight.orElse(1), headers).ifPresent(backends::add);
        }
        Duration timeout = Duration.ZERO;
        RetryPolicy retry = RetryPolicy.DEFAULT;
        Optional<Fields> timeouts = rule.object("timeouts");
        if (timeouts.isPresent()) {
            timeout = timeouts.get().duration("request").orElse(Duration.ZERO);
            Duration perTry = timeouts.get().duration("backendRequest").orElse(Duration.ZERO);
            retry = new RetryPolicy(retry.attempts(), perTry, retry.on());
            if (!timeout.isZero() && perTry.compareTo(timeout) > 0) {
                timeouts.get().error("backendRequest", "at most timeouts.request", "longer than the whole request");
            }
            timeouts.get().done();
        }
        rule.done();
        Action action;
        if (filters.redirect().isPresent()) {
            action = new Action.Answer(filters.redirect().get());
            if (!backends.isEmpty()) {
                rule.error("backendRefs", "backendRefs or a RequestRedirect, not both", "a rule with several actions");
            }
        } else {
            action = new Action.Forward(
                    backends,
                    timeout,
                    retry,
                    Optional.empty(),
                    filters.rewrite().orElse(Rewrite.NONE),
                    filters.mirrors());
        }
        return new HttpRule(name, matches, action, FaultInjection.NONE, filters.headers());
    }

    private static RouteMatch gatewayAny() {
        return new RouteMatch(new PathMatch.SegmentPrefix("/"), false, Optional.empty(), List.of(), List.of());
    }

    /** A reference to a Service, as a destination. The rest of the mapping must have been read. */
    static Optional<Destination> backend(Fields ref, String namespace, int weight, HeaderMutation headers) {
        String group = ref.string("group").orElse("");
        String kind = ref.string("kind").orElse("Service");
        String name = ref.requiredString("name");
        String own = ref.string("namespace").orElse(namespace);
        OptionalInt port = ref.requiredPort("port");
        Position position = ref.position("name");
        ref.done();
        if (!(group.isEmpty() || group.equals("core")) || !kind.equals("Service")) {
            ref.unsupportedValue("kind", "a backend of kind " + shorten(kind), "group \"\" and kind Service");
            return Optional.empty();
        }
        if (!own.equals(namespace)) {
            ref.unsupportedValue("namespace", "a backend in another namespace", "a Service in the route's namespace");
            return Optional.empty();
        }
        return name.isEmpty() || port.isEmpty()
                ? Optional.empty()
                : Optional.of(new Destination(Hosts.serviceHostname(name, own), "", port, weight, headers, position));
    }

    private static RouteMatch match(Fields match) {
        PathMatch path = match.object("path").map(HttpRouteDecoder::path).orElse(new PathMatch.SegmentPrefix("/"));
        Optional<StringMatch> method = match.choice("method", METHODS).map(StringMatch.Exact::new);
        List<Named> headers = named(match, "headers", true);
        List<Named> params = named(match, "queryParams", false);
        match.done();
        return new RouteMatch(path, false, method, headers, params);
    }

    private static PathMatch path(Fields path) {
        String type = path.choice("type", PATH_TYPES).orElse("PathPrefix");
        String value = path.string("value").orElse("/");
        boolean regex = type.equals("RegularExpression");
        if (regex) {
            path.isRegex("value", value);
        } else if (!value.startsWith("/") || value.contains("//") || value.contains("?") || value.contains("#")) {
            path.error("value", "a path that begins with '/', without '//', '?' and '#'", "not a path");
        }
        path.done();
        if (regex) {
            return new PathMatch.Regex(value);
        }
        return type.equals("Exact") ? new PathMatch.Exact(value) : new PathMatch.SegmentPrefix(withoutSlash(value));
    }

    private static String withoutSlash(String prefix) {
        return prefix.length() > 1 && prefix.endsWith("/") ? prefix.substring(0, prefix.length() - 1) : prefix;
    }

    private static List<Named> named(Fields match, String field, boolean header) {
        List<Named> out = new ArrayList<>();
        for (Fields entry : match.objects(field)) {
            String type = entry.choice("type", VALUE_TYPES).orElse("Exact");
            String name = entry.requiredString("name");
            String value = entry.requiredString("value");
            String key = header ? name.toLowerCase(Locale.ROOT) : name;
            if (header && !name.isEmpty()) {
                IstioFields.checkHeaderName(entry, "name", name);
            }
            boolean regex = type.equals("RegularExpression");
            if (!regex || entry.isRegex("value", value)) {
                // Gateway API: of entries with the same name only the first counts.
                if (out.stream().noneMatch(n -> n.name().equals(key))) {
                    out.add(new Named(key, regex ? new StringMatch.Regex(value) : new StringMatch.Exact(value), false));
                }
            }
            entry.done();
        }
        return out;
    }
}
