package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.config.ApiEdge.Asked;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Goal: of any listeners and routes a request gets the rule that the specification names. Method: generated Gateways with
 * routes; beside Tulle's tables a second reading of the specification, which asks every listener, route and rule of a request
 * and knows neither virtual hosts nor tables.
 */
class ApiOracleTest {
    private static final int CONFIGURATIONS = 400;
    private static final int REQUESTS = 40;

    private static final List<String> PATTERNS =
            List.of("*.com", "*.a.com", "*.b.a.com", "x.a.com", "x.b.a.com", "a.com", "y.com");
    private static final List<String> HOSTS =
            List.of("a.com", "x.a.com", "y.a.com", "x.b.a.com", "z.b.a.com", "y.com", "c.org");
    private static final List<String> PATHS = List.of("/", "/a", "/a/b", "/ab", "/a/b/c");

    record Match(String type, String path, String method, int headers, int params) {
        String yaml() {
            List<String> parts = new ArrayList<>(List.of("path: {type: %s, value: %s}".formatted(type, path)));
            if (!method.isEmpty()) {
                parts.add("method: " + method);
            }
            parts.add("headers: [" + named("h", headers) + "]");
            parts.add("queryParams: [" + named("q", params) + "]");
            return "{" + String.join(", ", parts) + "}";
        }

        private static String named(String name, int count) {
            List<String> all = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                all.add("{name: %s%d, value: v}".formatted(name, i));
            }
            return String.join(", ", all);
        }

        boolean holds(Asked asked) {
            String at = asked.path();
            boolean there = type.equals("Exact")
                    ? at.equals(path)
                    : path.equals("/") || at.equals(path) || at.startsWith(path + "/");
            boolean all = there && (method.isEmpty() || method.equals(asked.method()));
            for (int i = 0; i < headers; i++) {
                all &= asked.fields().containsKey("h" + i);
            }
            for (int i = 0; i < params; i++) {
                all &= asked.query().contains("q" + i + "=v");
            }
            return all;
        }
    }

    /** @param sections the listeners that are named; empty for the whole Gateway */
    record Route(String name, int age, List<Integer> sections, List<String> hostnames, List<Match> rules) {}

    record Configuration(List<String> listeners, List<Route> routes) {
        String[] yaml() {
            List<String> texts = new ArrayList<>();
            List<String> made = new ArrayList<>();
            for (int i = 0; i < listeners.size(); i++) {
                String hostname = listeners.get(i);
                made.add(ApiEdge.listener(
                        "l" + i, 80, "HTTP", hostname.isEmpty() ? "" : "hostname: '" + hostname + "'"));
            }
            texts.add(ApiEdge.gateway("name: front", made.toArray(String[]::new)));
            for (Route route : routes) {
                List<String> parents = route.sections().stream()
                        .map(section -> "{name: front, sectionName: l" + section + "}")
                        .toList();
                texts.add(ApiEdge.object(
                        "HTTPRoute",
                        "name: %s, creationTimestamp: '2026-01-0%dT00:00:00Z'".formatted(route.name(), route.age() + 1),
                        "parentRefs: [%s], hostnames: [%s], rules: [%s]"
                                .formatted(
                                        parents.isEmpty() ? "{name: front}" : String.join(", ", parents),
                                        String.join(
                                                ", ",
                                                route.hostnames().stream()
                                                        .map(h -> "'" + h + "'")
                                                        .toList()),
                                        String.join(
                                                ", ",
                                                route.rules().stream()
                                                        .map(match -> "{matches: [" + match.yaml()
                                                                + "], backendRefs: [{name: a, port: 8080}]}")
                                                        .toList()))));
            }
            return texts.toArray(String[]::new);
        }
    }

    private static boolean covers(String pattern, String host) {
        return pattern.isEmpty()
                || (pattern.startsWith("*.")
                        ? host.endsWith(pattern.substring(1)) && host.length() > pattern.length() - 1
                        : pattern.equals(host));
    }

    /** A rule that a request satisfies, with everything by which the specification compares. */
    private record Found(Route route, int rule, Match match, String hostname) {}

    private static String expected(Configuration configuration, Asked asked) {
        Optional<String> listener = configuration.listeners().stream()
                .filter(own -> covers(own, asked.authority()))
                .max(Comparator.comparingInt(ApiOracleTest::exactLength).thenComparingInt(String::length));
        if (listener.isEmpty()) {
            return "";
        }
        int section = configuration.listeners().indexOf(listener.get());
        List<Found> all = new ArrayList<>();
        for (Route route : configuration.routes()) {
            if (!route.sections().isEmpty() && !route.sections().contains(section)) {
                continue;
            }
            List<String> named = route.hostnames().isEmpty() ? List.of("") : route.hostnames();
            for (String hostname : named) {
                for (int i = 0; i < route.rules().size(); i++) {
                    Match match = route.rules().get(i);
                    if (covers(hostname, asked.authority()) && match.holds(asked)) {
                        all.add(new Found(route, i, match, hostname));
                    }
                }
            }
        }
        return all.stream()
                .min(Comparator.<Found>comparingInt(found -> -exactLength(found.hostname()))
                        .thenComparingInt(found -> -found.hostname().length())
                        .thenComparingInt(found -> found.match().type().equals("Exact") ? 0 : 1)
                        .thenComparingInt(found -> -found.match().path().length())
                        .thenComparingInt(found -> found.match().method().isEmpty() ? 1 : 0)
                        .thenComparingInt(found -> -found.match().headers())
                        .thenComparingInt(found -> -found.match().params())
                        .thenComparingInt(found -> found.route().age())
                        .thenComparing(found -> found.route().name())
                        .thenComparingInt(Found::rule))
                .map(found -> found.route().name() + " rules[" + found.rule() + "]")
                .orElse("");
    }

    private static int exactLength(String hostname) {
        return hostname.startsWith("*") ? 0 : hostname.length();
    }

    private static <T> T one(Random random, List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    private static List<String> some(Random random, int most) {
        List<String> all = new ArrayList<>();
        for (int i = random.nextInt(most + 1); i > 0; i--) {
            String pattern = one(random, PATTERNS);
            if (!all.contains(pattern)) {
                all.add(pattern);
            }
        }
        return all;
    }

    private static Configuration configuration(Random random) {
        List<String> listeners = some(random, 4);
        if (listeners.isEmpty() || random.nextBoolean()) {
            listeners.add("");
        }
        List<Route> routes = new ArrayList<>();
        for (int i = 1 + random.nextInt(6); i > 0; i--) {
            List<Integer> sections = new ArrayList<>();
            for (int section = 0; section < listeners.size(); section++) {
                if (random.nextInt(3) == 0) {
                    sections.add(section);
                }
            }
            List<Match> rules = new ArrayList<>();
            for (int rule = 1 + random.nextInt(3); rule > 0; rule--) {
                rules.add(new Match(
                        random.nextInt(3) == 0 ? "Exact" : "PathPrefix",
                        one(random, PATHS),
                        random.nextInt(3) == 0 ? "GET" : "",
                        random.nextInt(3),
                        random.nextInt(2)));
            }
            routes.add(new Route("r" + i, random.nextInt(3), sections, some(random, 3), rules));
        }
        return new Configuration(listeners, routes);
    }

    private static Asked asked(Random random) {
        Map<String, String> fields = new TreeMap<>();
        for (int i = random.nextInt(3) - 1; i >= 0; i--) {
            fields.put("h" + i, "v");
        }
        return new Asked(
                random.nextBoolean() ? "GET" : "POST",
                one(random, HOSTS),
                one(random, PATHS),
                random.nextBoolean() ? "q0=v" : "",
                fields);
    }

    @Test
    void aRequestGetsTheRuleThatTheSpecificationNames() {
        int routed = 0;
        for (int seed = 0; seed < CONFIGURATIONS; seed++) {
            Random random = new Random(seed);
            Configuration configuration = configuration(random);
            ApiEdge edge = new ApiEdge(configuration.yaml());
            for (int i = 0; i < REQUESTS; i++) {
                Asked asked = asked(random);
                String expected = expected(configuration, asked);
                int number = seed;
                assertEquals(
                        expected,
                        edge.ruled(80, asked),
                        () -> "seed " + number + ": " + asked + "\n" + String.join("---\n", configuration.yaml()));
                routed += expected.isEmpty() ? 0 : 1;
            }
        }
        assertTrue(routed > CONFIGURATIONS * REQUESTS / 5, routed + " requests had a rule: too few to prove anything");
    }
}
