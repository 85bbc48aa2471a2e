package dev.tulle.config;

import static dev.tulle.config.EdgeObjects.gateway;
import static dev.tulle.config.EdgeObjects.server;
import static dev.tulle.config.EdgeObjects.translate;
import static dev.tulle.config.EdgeObjects.virtualService;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Listener;
import dev.tulle.model.RequestView;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteDecision;
import dev.tulle.model.RouteTable;
import dev.tulle.model.VirtualHost;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the edge serves of Gateways and of the VirtualServices that name them. */
class EdgeTablesTest {
    private static RouteConfiguration table(Translation translation, String name) {
        return Optional.ofNullable(translation.state().routes().get(name)).orElseThrow();
    }

    private static List<Listener.Target.Chain> chains(Translation translation) {
        Listener edge = Optional.ofNullable(translation.state().listeners().get(Listener.EDGE))
                .orElseThrow();
        return ((Listener.Target.Edge) edge.target()).chains();
    }

    /** The names of the objects behind the routes of each host of a port, in their order. */
    private static Map<String, List<String>> hosts(Translation translation, int port) {
        Map<String, List<String>> hosts = new TreeMap<>();
        for (VirtualHost host : table(translation, "http." + port).virtualHosts()) {
            assertEquals(1, host.domains().size());
            hosts.put(
                    host.domains().getFirst(),
                    host.routes().stream().map(route -> route.origin().name()).toList());
        }
        return hosts;
    }

    private static List<String> warnings(Translation translation) {
        return translation.problems().stream().map(problem -> problem.code()).toList();
    }

    private static final String ANSWER = "http: [{directResponse: {status: 200}}]";

    @Test
    void withoutAGatewayThereIsNoEdge() {
        Translation translation = translate(virtualService("name: a", "reviews", "mesh", ANSWER));
        assertEquals(null, translation.state().listeners().get(Listener.EDGE));
    }

    @Test
    void aPortWithoutRoutesIsServedAllTheSame() {
        Translation translation = translate(gateway("name: front", server(80, "HTTP", "'*'")));
        assertEquals(
                List.of(80),
                chains(translation).stream().map(Listener.Target.Chain::port).toList());
        assertEquals(Map.of(), hosts(translation, 80));
    }

    @ParameterizedTest
    @CsvSource({
        "'*', '*', '*'",
        "'*', a.example.com, a.example.com",
        "a.example.com, '*', a.example.com",
        "'*.example.com', a.example.com, a.example.com",
        "a.example.com, '*.example.com', a.example.com",
        "'*.example.com', '*.a.example.com', '*.a.example.com'",
        "'*.a.example.com', '*.example.com', '*.a.example.com'",
        "A.Example.com, a.example.com, a.example.com",
        "'*.example.com', example.com, ''",
        "a.example.com, b.example.com, ''",
        "'*', reviews, reviews.default.svc.cluster.local",
        "./a.example.com, a.example.com, a.example.com",
        "other/a.example.com, a.example.com, ''",
        "'*/a.example.com', a.example.com, a.example.com",
        "default/*.example.com, a.example.com, a.example.com",
    })
    void aHostIsServedThatBothHave(String server, String service, String both) {
        Translation translation = translate(
                gateway("name: front", server(80, "HTTP", "'" + server + "'")),
                virtualService("name: a", "'" + service + "'", "front", ANSWER));
        assertEquals(both.isEmpty() ? Map.of() : Map.of(both, List.of("a")), hosts(translation, 80));
        assertEquals(both.isEmpty() ? List.of("TUL0111") : List.of(), warnings(translation));
    }

    @Test
    void onlyGatewaysThatAreNamedServeAVirtualService() {
        Translation translation = translate(
                gateway("name: front", server(80, "HTTP", "'*'")),
                gateway("name: back, namespace: other", server(81, "HTTP", "'*'")),
                virtualService("name: a", "a.example.com", "front", ANSWER),
                virtualService("name: b", "b.example.com", "other/back", ANSWER),
                virtualService("name: c", "reviews", "mesh, front", ANSWER));
        assertEquals(
                Map.of("a.example.com", List.of("a"), "reviews.default.svc.cluster.local", List.of("c")),
                hosts(translation, 80));
        assertEquals(Map.of("b.example.com", List.of("b")), hosts(translation, 81));
        assertEquals(List.of(), warnings(translation));
    }

    @Test
    void inTheMeshOnlyThoseOfTheMeshRoute() {
        Translation translation = translate(
                gateway("name: front", server(80, "HTTP", "'*'")),
                virtualService("name: a", "reviews", "front", ANSWER));
        List<Route> routes = table(translation, "reviews.default.svc.cluster.local:9080")
                .virtualHosts()
                .getFirst()
                .routes();
        assertEquals(1, routes.size());
        assertTrue(routes.getFirst().action() instanceof RouteAction.Forward);
    }

    @Test
    void aMatchMaySayWhereItHolds() {
        String rules = """
            http: [{name: edge, match: [{gateways: [front]}], directResponse: {status: 201}},
                   {name: mesh, match: [{gateways: [mesh]}], directResponse: {status: 202}},
                   {name: port, match: [{port: 81}], directResponse: {status: 203}},
                   {name: both, directResponse: {status: 204}}]""";
        Translation translation = translate(
                gateway("name: front", server(80, "HTTP", "'*'")),
                virtualService("name: a", "reviews", "mesh, front", rules));
        assertEquals(
                List.of("edge", "both"),
                table(translation, "http.80").virtualHosts().getFirst().routes().stream()
                        .map(Route::name)
                        .toList());
        assertEquals(
                List.of("mesh", "both"),
                table(translation, "reviews.default.svc.cluster.local:9080").virtualHosts().getFirst().routes().stream()
                        .map(Route::name)
                        .toList());
    }

    @Test
    void severalVirtualServicesOfOneHostArePutTogetherOldestFirst() {
        Translation translation = translate(
                gateway("name: front", server(80, "HTTP", "'*'")),
                virtualService(
                        "name: new, creationTimestamp: '2026-02-01T00:00:00Z'",
                        "a.example.com",
                        "front",
                        "http: [{match: [{uri: {prefix: /new}}], directResponse: {status: 200}}]"),
                virtualService(
                        "name: old, creationTimestamp: '2026-01-01T00:00:00Z'",
                        "a.example.com",
                        "front",
                        "http: [{match: [{uri: {prefix: /old}}], directResponse: {status: 200}},"
                                + " {name: rest, directResponse: {status: 404}}]"));
        assertEquals(Map.of("a.example.com", List.of("old", "new", "old")), hosts(translation, 80));
    }

    @Test
    void gatewaysShareAPortForRequests() {
        Translation translation = translate(
                gateway("name: one", server(80, "HTTP", "a.example.com")),
                gateway("name: two", server(80, "HTTP2", "b.example.com")),
                virtualService("name: a", "a.example.com", "one", ANSWER),
                virtualService("name: b", "b.example.com", "two", ANSWER),
                virtualService("name: c", "'*.example.com'", "one, two", ANSWER));
        assertEquals(
                Map.of("a.example.com", List.of("a", "c"), "b.example.com", List.of("b", "c")), hosts(translation, 80));
        assertEquals(List.of(), warnings(translation));
    }

    /** It does where all of its servers say so. */
    @ParameterizedTest
    @CsvSource({"HTTP2, GRPC, true", "GRPC, GRPC, true", "HTTP, HTTP2, false", "HTTP2, HTTP, false", "HTTP, HTTP, false"
    })
    void aPortSaysThatHttp2IsSpoken(String one, String other, boolean http2) {
        Translation translation = translate(
                gateway("name: one", server(80, one, "a.example.com")),
                gateway("name: two", server(80, other, "b.example.com")),
                virtualService("name: a", "a.example.com", "one", ANSWER));
        assertEquals(
                http2, ((Listener.Target.Http) chains(translation).getFirst().target()).http2());
    }

    @Test
    void ofTwoProtocolsAtAPortTheOldestGatewaysCounts() {
        String http = gateway("name: a, creationTimestamp: '2026-02-01T00:00:00Z'", server(80, "HTTP", "'*'"));
        String tcp = gateway("name: b, creationTimestamp: '2026-01-01T00:00:00Z'", server(80, "TCP", "'*'"));
        String rules = virtualService(
                "name: v", "reviews", "a, b", "tcp: [{route: [{destination: {host: reviews, port: {number: 9080}}}]}]");
        Translation translation = translate(http, tcp, rules);
        Listener.Target.Chain chain = chains(translation).getFirst();
        assertTrue(chain.target() instanceof Listener.Target.Tcp, chain.toString());
        assertEquals("b", chain.origin().name());
        assertEquals(List.of("TUL0110"), warnings(translation));
    }

    @Test
    void aPortForBytesWithoutARuleIsNotServed() {
        Translation translation = translate(gateway("name: a", server(9000, "TCP", "'*'")));
        assertEquals(null, translation.state().listeners().get(Listener.EDGE));
    }

    @Test
    void aGatewayThatThereIsNotIsToldOf() {
        assertEquals(List.of("TUL0109"), warnings(translate(virtualService("name: a", "reviews", "front", ANSWER))));
    }

    @Test
    void aDestinationWithoutAPortIsTheOnlyOneOfItsService() {
        Translation translation = translate(
                gateway("name: front", server(80, "HTTP", "'*'")),
                virtualService("name: a", "'*'", "front", "http: [{route: [{destination: {host: productpage}}]}]"));
        Route route =
                table(translation, "http.80").virtualHosts().getFirst().routes().getFirst();
        assertEquals(
                "outbound|9080||productpage.default.svc.cluster.local",
                ((RouteAction.Forward) route.action()).clusters().getFirst().cluster());
    }

    private static String secure(String name, String hosts) {
        return "{port: {number: 443, name: %s, protocol: HTTPS}, hosts: [%s], tls: {mode: SIMPLE, "
                        .formatted(name, hosts)
                + "serverCertificate: /%s.pem, privateKey: /%s.key}}".formatted(name, name);
    }

    /** What a table answers to a host: the status of a direct response or redirect, or the object of the route. */
    private static String answer(Translation translation, String table, String host) {
        RouteTable compiled = RouteTable.compile(table(translation, table));
        RouteDecision decision = compiled.decide(new Asked(host), new Random(1));
        Route route = decision.route();
        if (route == null) {
            return "404";
        }
        return switch (route.action()) {
            case RouteAction.DirectResponse direct -> Integer.toString(direct.status());
            case RouteAction.Redirect redirect ->
                redirect.status() + " " + redirect.scheme().orElse("");
            case RouteAction.Forward _ -> route.origin().name();
        };
    }

    private record Asked(String authority) implements RequestView {
        @Override
        public String method() {
            return "GET";
        }

        @Override
        public String path() {
            return "/";
        }

        @Override
        public String query() {
            return "";
        }

        @Override
        public String scheme() {
            return "https";
        }

        @Override
        public List<String> headers(String name) {
            return List.of();
        }
    }

    private static final String FORWARD = "http: [{route: [{destination: {host: reviews, port: {number: 9080}}}]}]";

    @Test
    void eachServerOfHttpsHasItsCertificateAndItsRoutes() {
        Translation translation = translate(
                gateway("name: front", secure("one", "a.example.com"), secure("two", "'*.example.com'")),
                gateway("name: rest", secure("three", "'*'")),
                virtualService("name: a", "a.example.com", "front", FORWARD),
                virtualService("name: b", "b.example.com", "front", FORWARD),
                virtualService("name: c", "'*'", "rest", FORWARD));
        List<Listener.Target.Chain> chains = chains(translation);
        assertEquals(
                List.of(List.of("a.example.com"), List.of("*.example.com"), List.of()),
                chains.stream().map(Listener.Target.Chain::serverNames).toList());
        assertEquals("/two.pem", chains.get(1).tls().orElseThrow().certificate());
        String one = tableOf(chains.get(0));
        String two = tableOf(chains.get(1));
        String rest = tableOf(chains.get(2));
        assertTrue(one.startsWith("https.443.default/front."), one);
        assertTrue(rest.startsWith("https.443.default/rest."), rest);
        assertEquals("a", answer(translation, one, "a.example.com"));
        assertEquals("421", answer(translation, one, "b.example.com"));
        assertEquals("421", answer(translation, one, "example.org"));
        assertEquals("421", answer(translation, two, "a.example.com"));
        assertEquals("b", answer(translation, two, "b.example.com"));
        assertEquals("404", answer(translation, two, "c.example.com"));
        assertEquals("421", answer(translation, two, "example.org"));
        assertEquals("421", answer(translation, rest, "a.example.com"));
        assertEquals("421", answer(translation, rest, "b.example.com"));
        assertEquals("c", answer(translation, rest, "example.org"));
        assertEquals(List.of(), warnings(translation));
    }

    @Test
    void aHostOfTwoCertificatesHasTheOldest() {
        Translation translation = translate(
                gateway("name: a", secure("one", "a.example.com")),
                gateway("name: b", secure("two", "a.example.com, b.example.com")));
        assertEquals(
                List.of(List.of("a.example.com"), List.of("b.example.com")),
                chains(translation).stream()
                        .map(Listener.Target.Chain::serverNames)
                        .toList());
        assertEquals(List.of("TUL0110"), warnings(translation));
    }

    @Test
    void plainTextIsSentToHttps() {
        Translation translation = translate(
                gateway(
                        "name: front",
                        "{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.example.com'],"
                                + " tls: {httpsRedirect: true}}",
                        secure("one", "'*.example.com'")),
                gateway("name: other", server(80, "HTTP", "plain.org")),
                virtualService("name: a", "a.example.com", "front", FORWARD),
                virtualService("name: b", "plain.org", "other", FORWARD));
        assertEquals("301 https", answer(translation, "http.80", "a.example.com"));
        assertEquals("301 https", answer(translation, "http.80", "b.example.com"));
        assertEquals("b", answer(translation, "http.80", "plain.org"));
        assertEquals("a", answer(translation, tableOf(chains(translation).getLast()), "a.example.com"));
    }

    private static String tableOf(Listener.Target.Chain chain) {
        return ((Listener.Target.Http) chain.target()).routeConfiguration();
    }

    @Test
    void aServerOfEverybodyKeepsTheNamesThatItHasBeside() {
        Translation translation = translate(
                gateway("name: front", secure("one", "'*', a.example.com"), secure("two", "'*.example.com'")),
                virtualService("name: a", "a.example.com", "front", FORWARD),
                virtualService("name: c", "c.org", "front", FORWARD));
        List<Listener.Target.Chain> chains = chains(translation);
        assertEquals(
                List.of(List.of("a.example.com"), List.of(), List.of("*.example.com")),
                chains.stream().map(Listener.Target.Chain::serverNames).toList());
        assertEquals(
                List.of("/one.pem", "/one.pem", "/two.pem"),
                chains.stream()
                        .map(chain -> chain.tls().orElseThrow().certificate())
                        .toList());
        assertEquals(
                3, chains.stream().map(Listener.Target.Chain::name).distinct().count());
        assertEquals(chains.get(0).target(), chains.get(1).target());
        assertEquals("a", answer(translation, tableOf(chains.get(0)), "a.example.com"));
        assertEquals("c", answer(translation, tableOf(chains.get(1)), "c.org"));
        assertEquals("421", answer(translation, tableOf(chains.get(2)), "a.example.com"));
        assertEquals(List.of(), warnings(translation));
    }

    /** The names of the chain and the table of a name that is asked for. */
    private static String named(String asked, String... servers) {
        Listener.Target.Chain found = chains(translate(gateway("name: front", servers))).stream()
                .filter(chain -> chain.serverNames().contains(asked))
                .findFirst()
                .orElseThrow();
        return found.name() + " " + tableOf(found);
    }

    @Test
    void aChainIsNamedByWhomItIsForAndNotByItsPlace() {
        String a = secure("one", "a.example.com");
        String b = secure("two", "b.example.com");
        String name = named("a.example.com", a);
        assertEquals(name, named("a.example.com", a, b));
        assertEquals(name, named("a.example.com", b, a));
        assertEquals(name, named("a.example.com", secure("other", "a.example.com")), "another certificate");
        String two = named("a.example.com", secure("one", "a.example.com, c.example.com"));
        assertEquals(two, named("a.example.com", secure("one", "c.example.com, a.example.com")));
        List<String> all = List.of(
                name,
                two,
                named("b.example.com", a, b),
                named("a.example.com", a.replace("}}", ", minProtocolVersion: TLSV1_3}}")),
                named("a.example.com", a.replace("SIMPLE", "MUTUAL").replace("}}", ", caCertificates: /x.pem}}")),
                named("a.example.com", a.replace("SIMPLE", "MUTUAL").replace("}}", ", caCertificates: /y.pem}}")));
        assertEquals(all.size(), all.stream().distinct().count(), all.toString());
    }
}
