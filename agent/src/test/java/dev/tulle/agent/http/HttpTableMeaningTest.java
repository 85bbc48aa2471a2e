package dev.tulle.agent.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.http.HttpTableCompiler.Result;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Caller;
import dev.tulle.model.Cluster;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.RequestView;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteAction.Rewrite;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteDecision;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.RouteTable;
import dev.tulle.model.StringMatch;
import dev.tulle.model.TextPattern;
import dev.tulle.model.Verdict;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Goal: whatever a compiled table forwards, the proxy would have sent to the same share of the same route. Method:
 * generated route tables and requests, the table's interpreter against {@link RouteTable}; a failure names its seed.
 */
class HttpTableMeaningTest {
    private static final int TABLES = 1_500;
    private static final int REQUESTS = 40;
    private static final List<String> NAMES = List.of("a", "b", "c", "d");
    private static final List<String> METHODS = List.of("GET", "GET", "POST", "PUT", "HEAD", "PATCH", "OPTIONS");
    private static final List<String> PATHS =
            List.of("/", "/a", "/a/", "/a/b", "/ab", "/A", "/1", "/1/x", "/a/b/c", "/" + "x".repeat(70), "/a/B");
    private static final List<String> VALUES = List.of("", "v", "w", "v1", "x".repeat(33), "V", "a b");
    private static final List<String> FIELDS = List.of("one", "two", "three", "four", "five", "six");
    private static final List<String> PRINCIPALS =
            List.of("td/ns/ns1/sa/a", "td/ns/ns1/sa/b", "td/ns/ns2/sa/a", "td/ns");
    private static final Set<Caller> CALLERS =
            Set.of(new Caller(PRINCIPALS.get(0), "ns1"), new Caller(PRINCIPALS.get(2), "ns2"));
    private static final List<String> HOSTS = List.of("reviews", "reviews:9080", "other");

    private final Random random = new Random();

    record Request(String method, String path, String query, String authority, Map<String, String> fields)
            implements RequestView {
        @Override
        public List<String> headers(String name) {
            String value = name.equals("host") ? authority : fields.get(name);
            return value == null ? List.of() : List.of(value);
        }
    }

    private <T> T one(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    private boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    private StringMatch text(List<String> values) {
        int kind = random.nextInt(20);
        String value = one(values);
        if (kind == 0) {
            return new StringMatch.Prefix(value);
        }
        if (kind == 1) {
            return new StringMatch.Regex("v.?");
        }
        return kind < 6 ? new StringMatch.Present() : new StringMatch.Exact(value);
    }

    private PathMatch path() {
        String path = one(PATHS);
        int kind = random.nextInt(20);
        if (kind == 0) {
            return new PathMatch.Regex("/a.*");
        }
        if (kind < 7) {
            return new PathMatch.Exact(path);
        }
        return kind < 14 ? new PathMatch.Prefix(path) : new PathMatch.SegmentPrefix(path);
    }

    private RouteMatch match() {
        List<Named> headers = new ArrayList<>();
        for (int n = chance(50) ? random.nextInt(4) : 0; n > 0; n--) {
            int kind = random.nextInt(12);
            if (kind == 0) {
                headers.add(new Named(":authority", text(HOSTS), chance(30)));
            } else if (kind == 1) {
                headers.add(new Named(":scheme", text(List.of("http", "https")), chance(30)));
            } else if (kind == 2) {
                headers.add(new Named(":method", text(METHODS), chance(30)));
            } else {
                headers.add(new Named(one(FIELDS), text(VALUES), chance(25)));
            }
        }
        List<Named> query = chance(6) ? List.of(new Named("q", text(VALUES), chance(25))) : List.of();
        Optional<StringMatch> method = chance(30)
                ? Optional.of(chance(10) ? new StringMatch.Exact("PURGE") : text(METHODS))
                : Optional.empty();
        return new RouteMatch(path(), chance(8), method, headers, query);
    }

    private Route route(int number) {
        List<WeightedCluster> split = new ArrayList<>();
        for (int n = chance(30) ? 3 : 1; n > 0; n--) {
            split.add(new WeightedCluster(one(NAMES), chance(10) ? 0 : 1 + random.nextInt(5)));
        }
        RouteAction action = chance(8)
                ? new RouteAction.DirectResponse(200, "")
                : new RouteAction.Forward(
                        split, Duration.ofSeconds(random.nextInt(3)), RetryPolicy.DEFAULT, Rewrite.NONE, List.of());
        List<RouteFilter> filters = chance(5)
                ? List.of(new FaultInjection(Optional.empty(), Optional.of(new FaultInjection.Abort(503, 500_000))))
                : List.of();
        return new Route("r" + number, match(), action, filters, HeaderMutation.NONE, ResourceRef.DEFAULT);
    }

    private TextPattern pattern(List<String> values) {
        String text = one(values);
        int kind = random.nextInt(10);
        if (kind == 0) {
            return new TextPattern.Suffix(text);
        }
        if (kind == 1) {
            return new TextPattern.Present();
        }
        return kind < 4 ? new TextPattern.Prefix(text) : new TextPattern.Exact(text);
    }

    private List<TextPattern> patterns(int percent, List<String> values) {
        List<TextPattern> patterns = new ArrayList<>();
        for (int n = chance(percent) ? 1 + random.nextInt(3) : 0; n > 0; n--) {
            patterns.add(pattern(values));
        }
        return patterns;
    }

    private AuthorizationPolicy policy(int number) {
        List<AuthorizationPolicy.Rule> rules = new ArrayList<>();
        for (int n = random.nextInt(3); n >= 0; n--) {
            List<AuthorizationPolicy.Source> from = new ArrayList<>();
            if (chance(50)) {
                from.add(new AuthorizationPolicy.Source(
                        patterns(60, PRINCIPALS),
                        patterns(10, PRINCIPALS),
                        patterns(20, List.of("ns1", "ns2")),
                        List.of()));
            }
            List<AuthorizationPolicy.Operation> to = new ArrayList<>();
            for (int i = chance(70) ? 1 + random.nextInt(2) : 0; i > 0; i--) {
                to.add(new AuthorizationPolicy.Operation(
                        chance(10) ? List.of(1234) : List.of(),
                        List.of(),
                        patterns(15, HOSTS),
                        patterns(5, HOSTS),
                        patterns(40, METHODS),
                        patterns(8, METHODS),
                        patterns(60, PATHS),
                        patterns(8, PATHS)));
            }
            List<AuthorizationPolicy.Condition> when = new ArrayList<>();
            for (int i = chance(30) ? 1 + random.nextInt(2) : 0; i > 0; i--) {
                when.add(new AuthorizationPolicy.Condition.Header(
                        one(FIELDS), patterns(80, VALUES), patterns(30, VALUES)));
            }
            rules.add(new AuthorizationPolicy.Rule(from, to, when));
        }
        return new AuthorizationPolicy(
                "ns/p" + number,
                AuthorizationPolicy.Scope.NAMESPACE,
                chance(50) ? AuthorizationPolicy.Action.ALLOW : AuthorizationPolicy.Action.DENY,
                rules,
                ResourceRef.DEFAULT);
    }

    private Request request() {
        Map<String, String> fields = new TreeMap<>();
        FIELDS.forEach(name -> {
            if (chance(30)) {
                fields.put(name, one(VALUES));
            }
        });
        // Only plain paths reach the table.
        String path = (one(PATHS) + (chance(20) ? one(PATHS) : "")).replace("//", "/");
        return new Request(one(METHODS), path, chance(30) ? "q=v" : "", one(HOSTS), fields);
    }

    @Test
    void whatIsForwardedIsWhatTheProxyWouldDo() {
        Map<String, Cluster> clusters = new TreeMap<>();
        Map<String, EndpointSet> endpoints = new TreeMap<>();
        for (String name : NAMES) {
            clusters.put(name, HttpTableCompilerTest.cluster(name, Balancing.LEAST_REQUEST));
            endpoints.put(name, new EndpointSet(name, List.of(HttpTableCompilerTest.endpoint("100.64.0.10", 1))));
        }
        // Nothing can be shown of what has no endpoint.
        endpoints.put("d", new EndpointSet("d", List.of()));
        int forwarded = 0;
        int needless = 0;
        for (int seed = 0; seed < TABLES; seed++) {
            random.setSeed(seed);
            List<Route> routes = new ArrayList<>();
            for (int i = random.nextInt(12) + (chance(3) ? 30 : 1); i > 0; i--) {
                routes.add(route(routes.size()));
            }
            RouteConfiguration configuration =
                    new RouteConfiguration("x", List.of(new VirtualHost("x", List.of("*"), routes)));
            if (!(HttpTableCompiler.compile(
                            configuration, clusters, endpoints, _ -> true, CALLERS, _ -> Optional.of(Authorizer.NONE))
                    instanceof Result.Table(HttpTable table))) {
                continue;
            }
            RouteTable proxy = RouteTable.compile(configuration);
            boolean exact = table.routes().stream().allMatch(HttpTable.Route::forwards);
            for (int i = 0; i < REQUESTS; i++) {
                Request request = request();
                HttpInterpreter.Outcome kernel = HttpInterpreter.decide(table, request, Caller.NONE, false);
                RouteDecision decision = proxy.decide(request, random);
                int number = seed;
                Supplier<@Nullable String> story =
                        () -> "seed " + number + ": " + request + "\n" + table + "\n" + decision;
                if (kernel.forwards()) {
                    forwarded++;
                    same(Objects.requireNonNull(kernel.route()), decision, table, story);
                } else if (exact) {
                    // Nothing was left out, so only a request without a route may go to the proxy.
                    boolean cut = routes.size() > HttpLimits.ROUTES;
                    assertTrue(cut || decision.outcome() == RouteDecision.Outcome.NO_ROUTE, story);
                } else if (decision.outcome() == RouteDecision.Outcome.FORWARD) {
                    needless++;
                }
            }
        }
        assertTrue(forwarded > 5_000, "only " + forwarded + " were forwarded");
        System.out.println(forwarded + " forwarded, " + needless + " left to the proxy");
    }

    @Test
    void whatIsForwardedIsAllowed() {
        RouteConfiguration configuration = new RouteConfiguration(
                "x",
                List.of(new VirtualHost(
                        "x",
                        List.of("*"),
                        List.of(new Route(
                                "r",
                                RouteMatch.ANY,
                                new RouteAction.Forward(
                                        List.of(new WeightedCluster("a", 1)),
                                        Duration.ZERO,
                                        RetryPolicy.DEFAULT,
                                        Rewrite.NONE,
                                        List.of()),
                                List.of(),
                                HeaderMutation.NONE,
                                ResourceRef.DEFAULT)))));
        Map<String, Cluster> clusters = Map.of("a", HttpTableCompilerTest.cluster("a", Balancing.RANDOM));
        Map<String, EndpointSet> endpoints =
                Map.of("a", new EndpointSet("a", List.of(HttpTableCompilerTest.endpoint("100.64.0.10", 1))));
        int forwarded = 0;
        int needless = 0;
        for (int seed = 0; seed < 4 * TABLES; seed++) {
            random.setSeed(seed);
            List<AuthorizationPolicy> policies = new ArrayList<>();
            for (int i = random.nextInt(4); i >= 0; i--) {
                policies.add(policy(i));
            }
            Authorizer authorizer = Authorizer.of(policies);
            if (!(HttpTableCompiler.compile(
                            configuration, clusters, endpoints, _ -> true, CALLERS, _ -> Optional.of(authorizer))
                    instanceof Result.Table(HttpTable table))) {
                continue;
            }
            for (int i = 0; i < REQUESTS; i++) {
                Request request = request();
                Caller caller = one(List.copyOf(CALLERS));
                HttpInterpreter.Outcome kernel = HttpInterpreter.decide(table, request, caller, false);
                Verdict verdict = authorizer.http(caller, 9080).decide(request);
                int number = seed;
                Supplier<@Nullable String> story = () -> "seed " + number + ": " + request + " of " + caller + "\n"
                        + policies + "\n" + table + "\n" + verdict;
                if (kernel.forwards()) {
                    forwarded++;
                    assertTrue(verdict.allowed(), story);
                } else if (verdict.allowed()) {
                    needless++;
                }
            }
            Caller stranger = new Caller("td/ns/ns9/sa/x", "ns9");
            if (!table.rules().isEmpty()) {
                assertFalse(HttpInterpreter.decide(table, request(), stranger, false)
                        .forwards());
            }
        }
        System.out.println("policies: " + forwarded + " forwarded, " + needless + " left to the proxy");
        assertTrue(forwarded > 25_000 && needless < forwarded, forwarded + " forwarded, " + needless + " not");
    }

    /** Same route, same shares, same timeout, and nothing else to do. */
    private static void same(
            HttpTable.Route kernel, RouteDecision proxy, HttpTable table, Supplier<@Nullable String> story) {
        assertEquals(RouteDecision.Outcome.FORWARD, proxy.outcome(), story);
        Route route = Objects.requireNonNull(proxy.route());
        assertEquals(route.name(), kernel.name(), story);
        assertEquals(List.of(), route.filters(), story);
        RouteAction.Forward forward = (RouteAction.Forward) route.action();
        Map<String, Double> wanted = new TreeMap<>();
        long total =
                forward.clusters().stream().mapToLong(WeightedCluster::weight).sum();
        if (total == 0) {
            wanted.put(forward.clusters().getFirst().cluster(), 1.0);
        }
        for (WeightedCluster share : forward.clusters()) {
            if (share.weight() > 0) {
                wanted.merge(share.cluster(), (double) share.weight() / total, Double::sum);
            }
        }
        Map<String, Double> found = new TreeMap<>();
        for (HttpTable.Share share : kernel.shares()) {
            String name = table.clusters().get(share.cluster()).name();
            found.merge(name, (double) share.weight() / kernel.weight(), Double::sum);
        }
        assertEquals(wanted.keySet(), found.keySet(), story);
        wanted.forEach((name, part) -> assertEquals(part, found.getOrDefault(name, 0.0), 1e-9, story));
        assertEquals(forward.timeout().toMillis(), kernel.timeoutMillis(), story);
        assertFalse(Set.copyOf(found.keySet()).contains("d"), story);
    }
}
