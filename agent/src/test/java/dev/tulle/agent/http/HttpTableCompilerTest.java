package dev.tulle.agent.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.http.HttpTableCompiler.Result;
import dev.tulle.common.Reason;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Cluster;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.Http2Options;
import dev.tulle.model.Locality;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteAction.Rewrite;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.StringMatch;
import dev.tulle.model.UpstreamTls;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Goal: what the kernel may forward, and the one word why not. Method: one feature at a time. */
class HttpTableCompilerTest {
    private static final String V1 = "outbound|9080|v1|reviews";
    private static final String V2 = "outbound|9080|v2|reviews";

    static Cluster cluster(String name, Balancing balancing) {
        return new Cluster(
                name,
                "reviews",
                9080,
                "",
                balancing,
                Duration.ofSeconds(10),
                0,
                0,
                0,
                Duration.ofHours(1),
                Cluster.Protocol.HTTP1,
                ResourceRef.DEFAULT);
    }

    static Endpoint endpoint(String address, int weight) {
        return new Endpoint(address, 9080, weight, true, "w", "default");
    }

    private static final Map<String, Cluster> CLUSTERS =
            Map.of(V1, cluster(V1, Balancing.LEAST_REQUEST), V2, cluster(V2, Balancing.RANDOM));
    private static final Map<String, EndpointSet> ENDPOINTS = Map.of(
            V1, new EndpointSet(V1, List.of(endpoint("100.64.0.10", 2), endpoint("100.64.0.11", 4))),
            V2, new EndpointSet(V2, List.of(endpoint("100.64.0.12", 7))));

    static Route route(String name, RouteMatch match, RouteAction action) {
        return new Route(name, match, action, List.of(), HeaderMutation.NONE, ResourceRef.DEFAULT);
    }

    private static RouteAction.Forward to(String... clusters) {
        return new RouteAction.Forward(
                Arrays.stream(clusters).map(c -> new WeightedCluster(c, 1)).toList(),
                Duration.ofSeconds(15),
                RetryPolicy.DEFAULT,
                Rewrite.NONE,
                List.of());
    }

    private static Result compile(Route... routes) {
        return compile(CLUSTERS, ENDPOINTS, routes);
    }

    private static Result compile(Map<String, Cluster> clusters, Map<String, EndpointSet> endpoints, Route... routes) {
        RouteConfiguration configuration = new RouteConfiguration(
                "reviews:9080", List.of(new VirtualHost("reviews:9080", List.of("reviews", "*"), List.of(routes))));
        return HttpTableCompiler.compile(
                configuration,
                clusters,
                endpoints,
                address -> address.startsWith("100.64.0."),
                Set.of(),
                _ -> Optional.of(Authorizer.NONE));
    }

    private static HttpTable table(Result result) {
        return assertInstanceOf(Result.Table.class, result, result.toString()).table();
    }

    private static void never(Reason reason, Route route) {
        Result.Never never = assertInstanceOf(Result.Never.class, compile(route));
        assertEquals(reason, never.reason(), never.text());
        assertTrue(never.text().startsWith("route " + route.name() + ": "), never.text());
    }

    private static RouteAction.Forward forward(RetryPolicy retry, Duration timeout) {
        return new RouteAction.Forward(List.of(new WeightedCluster(V1, 1)), timeout, retry, Rewrite.NONE, List.of());
    }

    private static RouteMatch header(String name, StringMatch match) {
        return new RouteMatch(
                new PathMatch.Prefix("/"), false, Optional.empty(), List.of(new Named(name, match, false)), List.of());
    }

    @Test
    void aDefaultRouteIsForwarded() {
        HttpTable table = table(compile(route("default", RouteMatch.ANY, to(V1))));
        assertEquals(1, table.routes().size());
        HttpTable.Route route = table.routes().getFirst();
        assertTrue(route.forwards());
        assertEquals(HttpWhen.ANY, route.when());
        assertEquals(15_000, route.timeoutMillis());
        assertEquals(0, route.keep());
        HttpTable.ClusterPart part = table.clusters().getFirst();
        assertTrue(part.leastRequest());
        assertEquals(
                List.of("100.64.0.10:9080", "100.64.0.11:9080", "100.64.0.11:9080"),
                part.members().stream().map(Object::toString).toList());
        assertEquals(
                "[default: any method, any path -> [Share[weight=1, cluster=0]]]",
                table.routes().toString());
    }

    @Test
    void aSplitNamesEachClusterOnce() {
        HttpTable table = table(compile(
                route(
                        "a",
                        new RouteMatch(new PathMatch.Exact("/a"), false, Optional.empty(), List.of(), List.of()),
                        to(V1, V2)),
                route("b", RouteMatch.ANY, to(V2))));
        assertEquals(
                List.of(V1, V2),
                table.clusters().stream().map(HttpTable.ClusterPart::name).toList());
        assertEquals(2, table.routes().get(0).weight());
        assertEquals(1, table.routes().get(1).shares().getFirst().cluster());
        assertEquals(1, table.clusters().get(1).members().size());
        assertEquals(3, table.endpoints().size());
    }

    @Test
    void whatTheKernelCannotDoIsNamed() {
        Route plain = route("r", RouteMatch.ANY, to(V1));
        FaultInjection fault =
                new FaultInjection(Optional.of(new FaultInjection.Delay(Duration.ofSeconds(1), 1)), Optional.empty());
        never(
                Reason.NEEDS_FAULT,
                new Route(
                        "r", RouteMatch.ANY, plain.action(), List.of(fault), HeaderMutation.NONE, ResourceRef.DEFAULT));
        HeaderMutation.Changes changes =
                new HeaderMutation.Changes(List.of(new HeaderMutation.Field("a", "b")), List.of(), List.of());
        HeaderMutation mutation = new HeaderMutation(HeaderMutation.Changes.NONE, changes);
        never(
                Reason.NEEDS_REWRITE,
                new Route("r", RouteMatch.ANY, plain.action(), List.of(), mutation, ResourceRef.DEFAULT));
        never(
                Reason.NEEDS_REWRITE,
                route(
                        "r",
                        RouteMatch.ANY,
                        new RouteAction.Forward(
                                List.of(new WeightedCluster(V1, 1, mutation)),
                                Duration.ZERO,
                                RetryPolicy.NONE,
                                Rewrite.NONE,
                                List.of())));
        never(
                Reason.NEEDS_REWRITE,
                route(
                        "r",
                        RouteMatch.ANY,
                        new RouteAction.Forward(
                                List.of(new WeightedCluster(V1, 1)),
                                Duration.ZERO,
                                RetryPolicy.NONE,
                                new Rewrite(Optional.of("x"), Optional.empty()),
                                List.of())));
        never(
                Reason.NEEDS_MIRROR,
                route(
                        "r",
                        RouteMatch.ANY,
                        new RouteAction.Forward(
                                List.of(new WeightedCluster(V1, 1)),
                                Duration.ZERO,
                                RetryPolicy.NONE,
                                Rewrite.NONE,
                                List.of(new RouteAction.Mirror(V2, 10)))));
        never(Reason.NEEDS_ANSWER, route("r", RouteMatch.ANY, new RouteAction.DirectResponse(200, "")));
        never(
                Reason.NEEDS_ANSWER,
                route(
                        "r",
                        RouteMatch.ANY,
                        new RouteAction.Redirect(
                                301, Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty())));
        never(
                Reason.NEEDS_RETRY,
                route(
                        "r",
                        RouteMatch.ANY,
                        forward(new RetryPolicy(1, Duration.ofSeconds(1), Set.of()), Duration.ZERO)));
        never(
                Reason.NEEDS_RETRY,
                route("r", RouteMatch.ANY, forward(new RetryPolicy(1, Duration.ZERO, Set.of("404")), Duration.ZERO)));
        never(Reason.NEEDS_ENDPOINT, route("r", RouteMatch.ANY, to("outbound|9080||nobody")));
        never(Reason.NEEDS_ENDPOINT, route("r", RouteMatch.ANY, to(V1, "outbound|9080||nobody")));
    }

    @Test
    void retriesThatLookAtResponsesKeepThem() {
        HttpTable.Route route = table(compile(route(
                        "r",
                        RouteMatch.ANY,
                        forward(
                                new RetryPolicy(2, Duration.ZERO, Set.of("connect-failure", "503", "reset")),
                                Duration.ofNanos(1_000_001)))))
                .routes()
                .getFirst();
        assertEquals(HttpTable.KEEP_503 | HttpTable.KEEP_BODY, route.keep());
        assertEquals(2, route.timeoutMillis());
        assertEquals(
                HttpTable.KEEP_5XX | HttpTable.KEEP_BODY,
                table(compile(route(
                                "r",
                                RouteMatch.ANY,
                                forward(new RetryPolicy(2, Duration.ZERO, Set.of("507")), Duration.ZERO))))
                        .routes()
                        .getFirst()
                        .keep());
        assertEquals(
                0,
                table(compile(route(
                                "r",
                                RouteMatch.ANY,
                                forward(new RetryPolicy(0, Duration.ZERO, Set.of("404")), Duration.ZERO))))
                        .routes()
                        .getFirst()
                        .keep());
    }

    @Test
    void clustersThatTheKernelCannotServeAreNamed() {
        Route route = route("r", RouteMatch.ANY, to(V1));
        EndpointSet away = new EndpointSet(V1, List.of(endpoint("100.64.0.10", 1), endpoint("100.64.1.10", 1)));
        EndpointSet name = new EndpointSet(V1, List.of(endpoint("example.com", 1)));
        EndpointSet many = new EndpointSet(V1, List.of(endpoint("100.64.0.10", 1), endpoint("100.64.0.11", 999)));
        for (Map.Entry<Reason, EndpointSet> one : Map.of(
                        Reason.NEEDS_MTLS, away, Reason.NEEDS_ENDPOINT, name, Reason.HTTP_TOO_LARGE, many)
                .entrySet()) {
            Result.Never never =
                    assertInstanceOf(Result.Never.class, compile(CLUSTERS, Map.of(V1, one.getValue()), route));
            assertEquals(one.getKey(), never.reason(), never.text());
        }
        Map<String, Cluster> turns = Map.of(V1, cluster(V1, Balancing.ROUND_ROBIN));
        assertEquals(
                Reason.NEEDS_BALANCING,
                assertInstanceOf(Result.Never.class, compile(turns, ENDPOINTS, route))
                        .reason());
        assertEquals(
                Reason.NEEDS_BALANCING,
                assertInstanceOf(
                                Result.Never.class,
                                compile(Map.of(V1, cluster(V1, Balancing.SOURCE_HASH)), ENDPOINTS, route))
                        .reason());
        // Taking turns with oneself is no order.
        EndpointSet alone = new EndpointSet(V1, List.of(endpoint("100.64.0.10", 3)));
        assertEquals(
                1,
                table(compile(turns, Map.of(V1, alone), route))
                        .clusters()
                        .getFirst()
                        .members()
                        .size());
        Map<String, Cluster> bounded = Map.of(
                V1,
                new Cluster(
                        V1,
                        "reviews",
                        9080,
                        "",
                        Balancing.RANDOM,
                        Duration.ofSeconds(10),
                        5,
                        0,
                        0,
                        Duration.ofHours(1),
                        Cluster.Protocol.HTTP1,
                        ResourceRef.DEFAULT));
        assertEquals(
                Reason.NEEDS_LIMIT,
                assertInstanceOf(Result.Never.class, compile(bounded, ENDPOINTS, route))
                        .reason());
        Map<String, Cluster> encrypted = Map.of(
                V1,
                new Cluster(
                        V1,
                        "reviews",
                        9080,
                        "",
                        Balancing.RANDOM,
                        Duration.ofSeconds(10),
                        0,
                        0,
                        0,
                        Duration.ofHours(1),
                        Cluster.Protocol.HTTP1,
                        Optional.of(new UpstreamTls("reviews", "", "", "", List.of())),
                        ResourceRef.DEFAULT));
        assertEquals(
                Reason.NEEDS_TLS,
                assertInstanceOf(Result.Never.class, compile(encrypted, ENDPOINTS, route))
                        .reason());
        Map<String, Cluster> announced = Map.of(
                V1,
                new Cluster(
                        V1,
                        "reviews",
                        9080,
                        "",
                        Balancing.RANDOM,
                        Duration.ofSeconds(10),
                        0,
                        0,
                        0,
                        Duration.ofHours(1),
                        Cluster.Protocol.HTTP1,
                        Http2Options.NONE,
                        Optional.empty(),
                        Cluster.ProxyProtocol.V2,
                        ResourceRef.DEFAULT));
        assertEquals(
                Reason.NEEDS_TRAFFIC_POLICY,
                assertInstanceOf(Result.Never.class, compile(announced, ENDPOINTS, route))
                        .reason());
        // One that is not ready is left out unless none is.
        Endpoint sick = new Endpoint("100.64.9.9", 9080, 1, false, "w", "default");
        EndpointSet one = new EndpointSet(V1, List.of(sick, endpoint("100.64.0.10", 3)));
        assertEquals(
                1, table(compile(CLUSTERS, Map.of(V1, one), route)).endpoints().size());
        // Nor is one of a worse priority used, be it on this host or not.
        Endpoint far = new Endpoint("100.64.9.9", 9080, 1, true, "w", "default", Locality.NONE, 1);
        EndpointSet ranked = new EndpointSet(V1, List.of(far, endpoint("100.64.0.10", 3)));
        assertEquals(
                List.of(new HttpTable.Member("100.64.0.10", 9080)),
                table(compile(CLUSTERS, Map.of(V1, ranked), route)).endpoints());
    }

    @Test
    void aMatchThatCannotBeProvenWidensAndGoesToTheProxy() {
        RouteMatch regex = new RouteMatch(
                new PathMatch.Regex("/a.*"), false, Optional.of(new StringMatch.Exact("GET")), List.of(), List.of());
        HttpTable table = table(compile(route("x", regex, to(V1)), route("r", RouteMatch.ANY, to(V2))));
        assertEquals(
                new HttpWhen(HttpWhen.PathKind.ANY, "", HttpMethod.GET.bit(), List.of()),
                table.routes().getFirst().when());
        assertEquals(Reason.NEEDS_MATCH, table.routes().getFirst().reason());
        assertTrue(table.routes().get(1).forwards());

        RouteMatch folded = new RouteMatch(new PathMatch.Exact("/1/Ab"), true, Optional.empty(), List.of(), List.of());
        table = table(compile(route("x", folded, to(V1)), route("r", RouteMatch.ANY, to(V2))));
        assertEquals("any method /1/*", table.routes().getFirst().when().toString());

        RouteMatch query = new RouteMatch(
                new PathMatch.SegmentPrefix("/q/"),
                false,
                Optional.empty(),
                List.of(),
                List.of(new Named("a", new StringMatch.Present(), false)));
        table = table(compile(route("x", query, to(V1)), route("r", RouteMatch.ANY, to(V2))));
        assertEquals("any method /q[/*]", table.routes().getFirst().when().toString());
        assertEquals("it looks at query parameters", table.routes().getFirst().text());

        table = table(compile(
                route("x", header("a", new StringMatch.Prefix("b")), to(V1)), route("r", RouteMatch.ANY, to(V2))));
        assertEquals(
                "any method, any path, a present",
                table.routes().getFirst().when().toString());

        RouteMatch unknown = new RouteMatch(
                new PathMatch.Prefix("/"), false, Optional.of(new StringMatch.Exact("PURGE")), List.of(), List.of());
        table = table(compile(route("x", unknown, to(V1)), route("r", RouteMatch.ANY, to(V2))));
        assertEquals(1, table.routes().size(), "no request that the kernel takes has this method");
    }

    @Test
    void namesRoutesAndFieldsEnd() {
        List<Route> routes = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            routes.add(route("n" + i, header("name-" + i, new StringMatch.Exact("v")), to(V1)));
        }
        HttpTable table = table(compile(routes.toArray(Route[]::new)));
        assertEquals(HttpLimits.NAMES, table.names().size());
        assertTrue(table.routes().get(3).forwards());
        assertEquals(HttpWhen.ANY, table.routes().get(4).when());
        assertTrue(!table.routes().get(4).forwards());
        routes.clear();
        for (int i = 0; i < 40; i++) {
            routes.add(route(
                    "r" + i,
                    new RouteMatch(new PathMatch.Exact("/" + i), false, Optional.empty(), List.of(), List.of()),
                    to(V1)));
        }
        assertEquals(
                HttpLimits.ROUTES,
                table(compile(routes.toArray(Route[]::new))).routes().size());
    }

    @Test
    void routesThatDependOnTheHostAreTheProxys() {
        VirtualHost named = new VirtualHost("a", List.of("a.example"), List.of(route("r", RouteMatch.ANY, to(V1))));
        Result result = HttpTableCompiler.compile(
                new RouteConfiguration("x", List.of(named)),
                CLUSTERS,
                ENDPOINTS,
                _ -> true,
                Set.of(),
                _ -> Optional.of(Authorizer.NONE));
        assertEquals(
                Reason.NEEDS_MATCH, assertInstanceOf(Result.Never.class, result).reason());
    }
}
