package dev.tulle.config;

import dev.tulle.config.HttpRule.Action;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.RouteAction.Rewrite;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.StringMatch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Decodes Gateway API's HTTPRoute and GRPCRoute, which differ in their matches alone; filters are {@link HttpRouteFilters}',
 * parents {@link ParentRefs}'.
 */
final class HttpRouteDecoder {
    private static final Map<String, String> METHODS =
            words("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH");
    private static final Map<String, String> PATH_TYPES = words("Exact", "PathPrefix", "RegularExpression");
    private static final Map<String, String> VALUE_TYPES = words("Exact", "RegularExpression");

    private static final Pattern PATH = Pattern.compile("(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})++");

    private static final int MOST_MATCHES = 64;
    private static final int MOST_MATCHES_OF_ALL = 128;
    private static final int MOST_PATH = 1024;

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
                .orElse(new HttpRoute(manifest, List.of(), List.of(), List.of(), List.of()));
    }

    private static HttpRoute decodeSpec(Manifest manifest, Fields spec) {
        String namespace = manifest.ref().namespace();
        boolean grpc = manifest.ref().kind().equals(HttpRoute.GRPC);
        ParentRefs parents = ParentRefs.decode(spec, namespace);
        List<String> hostnames = ParentRefs.hostnames(spec);
        if (!hostnames.isEmpty() && parents.gateways().isEmpty()) {
            spec.warning("hostnames", "no such field", "host names say nothing when the parent is a Service");
        }
        spec.unsupported("useDefaultGateways");
        List<HttpRule> rules = new ArrayList<>();
        List<Fields> list = spec.objects("rules");
        spec.atMost("rules", ParentRefs.MOST);
        Set<String> names = new HashSet<>();
        for (int i = 0; i < list.size(); i++) {
            Fields rule = list.get(i);
            rules.add(rule(rule, namespace, "rules[" + i + "]", grpc));
            rule.string("name").filter(name -> !names.add(name)).ifPresent(_ -> {
                rule.error("name", "each name once", "two rules have this name");
            });
        }
        if (rules.stream().mapToInt(rule -> rule.matches().size()).sum() > MOST_MATCHES_OF_ALL) {
            spec.error("rules", "at most " + MOST_MATCHES_OF_ALL + " matches in all rules", "too many matches");
        }
        if (grpc && list.isEmpty()) {
            spec.warning("rules", "at least one rule", "a route without rules routes nothing");
        } else if (!spec.has("rules")) {
            // Gateway API: one rule for everything, which forwards nowhere.
            rules.add(emptyRule());
        } else if (list.isEmpty()) {
            spec.error("rules", "at least one rule", "a route without rules");
        }
        spec.done();
        return new HttpRoute(manifest, parents.services(), parents.gateways(), hostnames, rules);
    }

    private static HttpRule emptyRule() {
        Action nowhere = new Action.Forward(
                List.of(), Duration.ZERO, RetryPolicy.DEFAULT, Optional.empty(), Rewrite.NONE, List.of());
        HttpRule.Match any = new HttpRule.Match("", gatewayAny(), OptionalInt.empty());
        return new HttpRule("rules[0]", List.of(any), nowhere, List.of(), HeaderMutation.NONE);
    }

    private static HttpRule rule(Fields rule, String namespace, String defaultName, boolean grpc) {
        String name = rule.string("name").orElse(defaultName);
        if (rule.has("name") && !Words.isDnsDomain(name)) {
            rule.error("name", "lower-case letters, digits, '-' and '.', at most 253", "not a name");
        }
        List<HttpRule.Match> matches = new ArrayList<>();
        rule.atMost("matches", MOST_MATCHES);
        rule.atMost("backendRefs", ParentRefs.MOST);
        for (Fields match : rule.objects("matches")) {
            RouteMatch conditions = grpc ? GrpcMatches.decode(match) : match(match);
            matches.add(new HttpRule.Match("", conditions, OptionalInt.empty()));
        }
        if (matches.isEmpty()) {
            matches.add(new HttpRule.Match("", grpc ? GrpcMatches.ANY : gatewayAny(), OptionalInt.empty()));
        }
        rule.unsupported("sessionPersistence");
        if (!grpc) {
            rule.unsupported("retry");
        }
        HttpRouteFilters filters = HttpRouteFilters.decode(rule, namespace, matches, grpc);
        List<Destination> backends = new ArrayList<>();
        for (Fields backend : rule.objects("backendRefs")) {
            OptionalInt weight = backend.integer("weight", 0, 1_000_000);
            HeaderMutation headers = HttpRouteFilters.headersOnly(backend, grpc);
            ParentRefs.backend(backend, namespace, weight.orElse(1), headers).ifPresent(backends::add);
        }
        Duration timeout = Duration.ZERO;
        RetryPolicy retry = RetryPolicy.DEFAULT;
        Optional<Fields> timeouts = grpc ? Optional.empty() : rule.object("timeouts");
        if (timeouts.isPresent()) {
            timeout = timeouts.get().gatewayDuration("request").orElse(Duration.ZERO);
            Duration perTry = timeouts.get().gatewayDuration("backendRequest").orElse(Duration.ZERO);
            retry = new RetryPolicy(retry.attempts(), perTry, retry.on());
            if (!timeout.isZero() && perTry.compareTo(timeout) > 0) {
                timeouts.get().error("backendRequest", "at most timeouts.request", "longer than the whole request");
            }
            timeouts.get().done();
        }
        rule.done();
        Action action;
        if (filters.redirect().isPresent()) {
            action = new Action.Answer(filters.redirect().get(), true);
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
        return new HttpRule(name, matches, action, List.of(), filters.headers());
    }

    private static RouteMatch gatewayAny() {
        return new RouteMatch(new PathMatch.SegmentPrefix("/"), false, Optional.empty(), List.of(), List.of());
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
        if (value.length() > MOST_PATH) {
            path.error("value", "at most " + MOST_PATH + " characters", "too long");
        } else if (regex) {
            path.isRegex("value", value);
        } else if (!isPath(value)) {
            path.error(
                    "value",
                    "a path that begins with '/', of the characters of a URL, without '//', '/./', '/../' and '%2F'",
                    "not a path");
        }
        path.done();
        if (regex) {
            return new PathMatch.Regex(value);
        }
        return type.equals("Exact") ? new PathMatch.Exact(value) : new PathMatch.SegmentPrefix(withoutSlash(value));
    }

    private static boolean isPath(String value) {
        String closed = value.endsWith("/") ? value : value + "/";
        String lower = value.toLowerCase(Locale.ROOT);
        return value.startsWith("/")
                && PATH.matcher(value).matches()
                && !value.contains("//")
                && !closed.contains("/./")
                && !closed.contains("/../")
                && !lower.contains("%2f");
    }

    private static String withoutSlash(String prefix) {
        return prefix.length() > 1 && prefix.endsWith("/") ? prefix.substring(0, prefix.length() - 1) : prefix;
    }

    static List<Named> named(Fields match, String field, boolean header) {
        List<Named> out = new ArrayList<>();
        Set<String> written = new HashSet<>();
        match.atMost(field, ParentRefs.MOST);
        for (Fields entry : match.objects(field)) {
            String type = entry.choice("type", VALUE_TYPES).orElse("Exact");
            String name = HeaderChanges.gatewayName(entry);
            String value = entry.requiredString("value");
            String key = header ? name.toLowerCase(Locale.ROOT) : name;
            if (!name.isEmpty() && !written.add(name)) {
                entry.error("name", "each name once", "this name is here twice");
            }
            if (value.length() > (header ? 4096 : 1024)) {
                entry.error("value", "at most " + (header ? 4096 : 1024) + " characters", "too long");
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
