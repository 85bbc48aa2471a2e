package dev.tulle.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Which route a request gets: virtual hosts, order, every kind of condition, splits and faults. */
class RouteTableTest {
    record Request(String method, String authority, String path, String query, Map<String, List<String>> headers)
            implements RequestView {
        static Request get(String authority, String target) {
            int mark = target.indexOf('?');
            return new Request(
                    "GET",
                    authority,
                    mark < 0 ? target : target.substring(0, mark),
                    mark < 0 ? "" : target.substring(mark + 1),
                    Map.of());
        }

        Request with(String name, String value) {
            Map<String, List<String>> more = new HashMap<>(headers);
            more.merge(name, List.of(value), (first, next) -> Stream.concat(first.stream(), next.stream())
                    .toList());
            return new Request(method, authority, path, query, more);
        }

        @Override
        public List<String> headers(String name) {
            return headers.getOrDefault(name, List.of());
        }
    }

    private static Route route(String name, RouteMatch match) {
        return new Route(
                name,
                match,
                new RouteAction.Forward(
                        List.of(new WeightedCluster(name, 1)),
                        Duration.ZERO,
                        RetryPolicy.DEFAULT,
                        RouteAction.Rewrite.NONE,
                        List.of()),
                List.of(),
                HeaderMutation.NONE,
                ResourceRef.DEFAULT);
    }

    private static RouteMatch path(RouteMatch.PathMatch path) {
        return new RouteMatch(path, false, Optional.empty(), List.of(), List.of());
    }

    private static RouteMatch header(String name, StringMatch match, boolean inverted) {
        return new RouteMatch(
                new RouteMatch.PathMatch.Prefix("/"),
                false,
                Optional.empty(),
                List.of(new RouteMatch.Named(name, match, inverted)),
                List.of());
    }

    private static RouteTable table(Route... routes) {
        return RouteTable.compile(
                new RouteConfiguration("t", List.of(new VirtualHost("v", List.of("*"), List.of(routes)))));
    }

    private static String decided(RouteTable table, RequestView request) {
        RouteDecision decision = table.decide(request, new Random(1));
        Route route = decision.route();
        return route == null ? "none" : route.name();
    }

    @Test
    void virtualHostByAuthority() {
        RouteTable table = RouteTable.compile(new RouteConfiguration(
                "t",
                List.of(
                        new VirtualHost(
                                "exact", List.of("reviews", "reviews:9080"), List.of(route("a", RouteMatch.ANY))),
                        new VirtualHost("long", List.of("*.b.example.com"), List.of(route("b", RouteMatch.ANY))),
                        new VirtualHost("short", List.of("*.example.com"), List.of(route("c", RouteMatch.ANY))),
                        new VirtualHost("any", List.of("*"), List.of(route("d", RouteMatch.ANY))))));
        assertEquals("a", decided(table, Request.get("Reviews", "/")));
        assertEquals("a", decided(table, Request.get("reviews:9080", "/")));
        assertEquals("a", decided(table, Request.get("reviews:81", "/")));
        assertEquals("b", decided(table, Request.get("x.b.example.com", "/")));
        assertEquals("c", decided(table, Request.get("x.example.com:8080", "/")));
        assertEquals("d", decided(table, Request.get(".example.com", "/")));
        assertEquals("d", decided(table, Request.get("[::1]:80", "/")));
    }

    @Test
    void nothingMatches() {
        RouteTable noHost = RouteTable.compile(new RouteConfiguration(
                "t", List.of(new VirtualHost("v", List.of("a"), List.of(route("r", RouteMatch.ANY))))));
        assertEquals(
                RouteDecision.Outcome.NO_ROUTE,
                noHost.decide(Request.get("b", "/"), new Random(1)).outcome());
        RouteDecision none = table(route("r", path(new RouteMatch.PathMatch.Exact("/a"))))
                .decide(Request.get("b", "/"), new Random(1));
        assertEquals(RouteDecision.Outcome.NO_ROUTE, none.outcome());
        assertEquals("v", none.virtualHost());
    }

    @Test
    void pathConditions() {
        RouteTable table = table(
                route("exact", path(new RouteMatch.PathMatch.Exact("/a"))),
                route("segment", path(new RouteMatch.PathMatch.SegmentPrefix("/seg"))),
                route("prefix", path(new RouteMatch.PathMatch.Prefix("/pre"))),
                route("regex", path(new RouteMatch.PathMatch.Regex("/r/[0-9]+"))),
                route(
                        "case",
                        new RouteMatch(
                                new RouteMatch.PathMatch.Exact("/Case"),
                                true,
                                Optional.empty(),
                                List.of(),
                                List.of())));
        assertEquals("exact", decided(table, Request.get("h", "/a")));
        assertEquals("exact", decided(table, Request.get("h", "/a?x=1")));
        assertEquals("none", decided(table, Request.get("h", "/a/")));
        assertEquals("segment", decided(table, Request.get("h", "/seg")));
        assertEquals("segment", decided(table, Request.get("h", "/seg/x")));
        assertEquals("none", decided(table, Request.get("h", "/segment")));
        assertEquals("prefix", decided(table, Request.get("h", "/prefix")));
        assertEquals("regex", decided(table, Request.get("h", "/r/12")));
        assertEquals("none", decided(table, Request.get("h", "/r/12x")));
        assertEquals("case", decided(table, Request.get("h", "/cASE")));
    }

    @Test
    void headerQueryAndMethodConditions() {
        assertEquals(
                "r",
                decided(
                        table(route("r", header("end-user", new StringMatch.Exact("jason"), false))),
                        Request.get("h", "/").with("end-user", "jason")));
        RouteTable inverted = table(route("r", header("x", new StringMatch.Present(), true)));
        assertEquals("r", decided(inverted, Request.get("h", "/")));
        assertEquals("none", decided(inverted, Request.get("h", "/").with("x", "")));
        assertEquals(
                "r",
                decided(
                        table(route("r", header(":authority", new StringMatch.Prefix("ab"), false))),
                        Request.get("abc", "/")));
        assertEquals(
                "none",
                decided(
                        table(route("r", header("x", new StringMatch.Regex("a+"), false))),
                        Request.get("h", "/").with("x", "aab")));
        RouteTable query = table(route(
                "r",
                new RouteMatch(
                        new RouteMatch.PathMatch.Prefix("/"),
                        false,
                        Optional.of(new StringMatch.Exact("GET")),
                        List.of(),
                        List.of(new RouteMatch.Named("k", new StringMatch.Exact("v"), false)))));
        assertEquals("r", decided(query, Request.get("h", "/?a=b&k=v&k=w")));
        assertEquals("none", decided(query, Request.get("h", "/?a=b&kk=v")));
        assertEquals("none", decided(query, new Request("POST", "h", "/", "k=v", Map.of())));
    }

    /** The values are those that Envoy 1.40 gives ({@code it/differential}). */
    @Test
    void eachLineOfAFieldIsComparedByItself() {
        Request none = Request.get("h", "/");
        Request both = none.with("x", "a").with("x", "b");
        RouteTable exact = table(route("r", header("x", new StringMatch.Exact("b"), false)));
        assertEquals("r", decided(exact, both));
        assertEquals("none", decided(exact, none.with("x", "a,b")));
        assertEquals("none", decided(table(route("r", header("x", new StringMatch.Exact("a,b"), false))), both));
        assertEquals("r", decided(table(route("r", header("x", new StringMatch.Prefix("b"), false))), both));
        RouteTable not = table(route("r", header("x", new StringMatch.Exact("b"), true)));
        assertEquals("none", decided(not, both));
        assertEquals("r", decided(not, none.with("x", "a").with("x", "a")));
        assertEquals("r", decided(table(route("r", header("x", new StringMatch.Exact("a,b"), true))), both));
    }

    @Test
    void anAbsentFieldIsAnEmptyOneForAConditionThatMustNotHold() {
        Request none = Request.get("h", "/");
        assertEquals("r", decided(table(route("r", header("x", new StringMatch.Exact("b"), true))), none));
        assertEquals("none", decided(table(route("r", header("x", new StringMatch.Regex("b?"), true))), none));
        assertEquals("none", decided(table(route("r", header("x", new StringMatch.Exact(""), true))), none));
        assertEquals("none", decided(table(route("r", header("x", new StringMatch.Regex(".*"), false))), none));
        assertEquals("r", decided(table(route("r", header("x", new StringMatch.Present(), true))), none));
    }

    /** As Istio says of ignoreUriCase: only of exact paths and prefixes. */
    @Test
    void anExpressionHasItsOwnCase() {
        RouteTable table = table(route(
                "r",
                new RouteMatch(
                        new RouteMatch.PathMatch.Regex("/[a-z]+"), true, Optional.empty(), List.of(), List.of())));
        assertEquals("r", decided(table, Request.get("h", "/a")));
        assertEquals("none", decided(table, Request.get("h", "/A")));
    }

    @Test
    void splitFollowsWeights() {
        Route split = new Route(
                "split",
                RouteMatch.ANY,
                new RouteAction.Forward(
                        List.of(
                                new WeightedCluster("a", 75),
                                new WeightedCluster("none", 0),
                                new WeightedCluster("b", 25)),
                        Duration.ZERO,
                        RetryPolicy.DEFAULT,
                        RouteAction.Rewrite.NONE,
                        List.of()),
                List.of(),
                HeaderMutation.NONE,
                ResourceRef.DEFAULT);
        RouteTable table = table(split);
        Map<String, Integer> seen = new HashMap<>();
        Random random = new Random(7);
        for (int i = 0; i < 10_000; i++) {
            RouteDecision decision = table.decide(Request.get("h", "/"), random);
            seen.merge(Objects.requireNonNull(decision.share()).cluster(), 1, Integer::sum);
            assertSame(table.plans().get(decision.plan()), decision);
        }
        assertEquals(2, seen.size());
        assertTrue(Math.abs(seen.getOrDefault("a", 0) - 7_500) < 200, seen.toString());
    }

    @Test
    void faultsAreDrawnPerRequest() {
        FaultInjection injection = new FaultInjection(
                Optional.of(new FaultInjection.Delay(Duration.ofSeconds(2), 1_000_000)),
                Optional.of(new FaultInjection.Abort(418, 500_000)));
        Random random = new Random(3);
        int aborts = 0;
        for (int i = 0; i < 1_000; i++) {
            FaultInjection.Fault fault = injection.draw(random);
            assertEquals(Duration.ofSeconds(2), fault.delay());
            aborts += fault.abortStatus() == 418 ? 1 : 0;
        }
        assertTrue(aborts > 430 && aborts < 570, "aborts " + aborts);
    }

    @Test
    void rewrites() {
        RouteMatch prefix = path(new RouteMatch.PathMatch.Prefix("/old/"));
        assertEquals(
                "/new/x", new PathRewriter(new RouteAction.PathRewrite.MatchedPrefix("/new/"), prefix).apply("/old/x"));
        RouteMatch segment = path(new RouteMatch.PathMatch.SegmentPrefix("/old"));
        PathRewriter root = new PathRewriter(new RouteAction.PathRewrite.MatchedPrefix("/"), segment);
        assertEquals("/x", root.apply("/old/x"));
        assertEquals("/", root.apply("/old"));
        assertEquals(
                "/new/x", new PathRewriter(new RouteAction.PathRewrite.MatchedPrefix("/new"), segment).apply("/old/x"));
        assertEquals("/f", new PathRewriter(new RouteAction.PathRewrite.Full("/f"), segment).apply("/old/x"));
        assertEquals(
                "/b/$/a",
                new PathRewriter(new RouteAction.PathRewrite.Regex("/(a)/(b)", "/\\2/$/\\1"), segment).apply("/a/b"));
    }

    @Test
    void balancers() {
        List<Endpoint> endpoints = List.of(
                new Endpoint("10.0.0.1", 80, 1, true, "", ""),
                new Endpoint("10.0.0.2", 80, 1, false, "", ""),
                new Endpoint("10.0.0.3", 80, 3, true, "", ""));
        Random random = new Random(5);
        EndpointBalancer robin = EndpointBalancer.of(Cluster.Balancing.ROUND_ROBIN, endpoints);
        int[] seen = new int[3];
        for (int i = 0; i < 400; i++) {
            seen[robin.pick(index -> 0, random)]++;
        }
        assertEquals(List.of(100, 0, 300), List.of(seen[0], seen[1], seen[2]));
        EndpointBalancer least = EndpointBalancer.of(
                Cluster.Balancing.LEAST_REQUEST,
                List.of(endpoints.get(0), new Endpoint("10.0.0.4", 80, 1, true, "", "")));
        for (int i = 0; i < 100; i++) {
            assertEquals(1, least.pick(index -> index == 0 ? 5 : 2, random));
            assertEquals(
                    0,
                    EndpointBalancer.of(Cluster.Balancing.RANDOM, endpoints.subList(0, 2))
                            .pick(index -> 0, random));
        }
        // The least busy one is not wanted: what is drawn anew would be it again.
        for (Cluster.Balancing balancing : Cluster.Balancing.values()) {
            EndpointBalancer some = EndpointBalancer.of(
                    balancing, List.of(endpoints.get(0), new Endpoint("10.0.0.4", 80, 1, true, "", "")));
            assertEquals(1, some.pickAmong(index -> index != 0, index -> index, random), balancing.toString());
            assertEquals(-1, some.pickAmong(index -> false, index -> index, random), balancing.toString());
        }
        EndpointBalancer weighted = EndpointBalancer.of(Cluster.Balancing.ROUND_ROBIN, endpoints);
        int heavy = 0;
        for (int i = 0; i < 4_000; i++) {
            heavy += weighted.pickAmong(index -> true, index -> 0, random) == 2 ? 1 : 0;
        }
        assertTrue(heavy > 2_850 && heavy < 3_150, "3 of 4, got " + heavy + " of 4,000");
        EndpointBalancer panic = EndpointBalancer.of(Cluster.Balancing.RANDOM, endpoints.subList(1, 2));
        assertEquals(0, panic.pick(index -> 0, random));
        assertEquals(
                -1, EndpointBalancer.of(Cluster.Balancing.RANDOM, List.of()).pick(index -> 0, random));
    }
}
