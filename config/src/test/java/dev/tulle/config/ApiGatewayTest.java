package dev.tulle.config;

import static dev.tulle.config.ApiEdge.gateway;
import static dev.tulle.config.ApiEdge.grant;
import static dev.tulle.config.ApiEdge.listener;
import static dev.tulle.config.ApiEdge.object;
import static dev.tulle.config.ApiEdge.route;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.config.ApiEdge.Asked;
import dev.tulle.model.Listener;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Goal: parents, hosts and ports of Gateway API's objects mean at the edge what its specification says. Method: the
 * behaviours that its conformance tests ask of an implementation, as far as they are about what one address serves.
 */
class ApiGatewayTest {
    private static final String ALL = "allowedRoutes: {namespaces: {from: All}}";

    private static Asked get(String host, String path) {
        return Asked.of(host, path);
    }

    @ParameterizedTest
    @CsvSource({
        // listener, route, host that is served, host that is not
        "'', '', anything.example, ''",
        "'', a.example.com, a.example.com, b.example.com",
        "a.example.com, '', a.example.com, b.example.com",
        "'*.example.com', '', a.b.example.com, example.com",
        "'*.example.com', a.example.com, a.example.com, b.example.com",
        "a.example.com, '*.example.com', a.example.com, b.example.com",
        "'*.example.com', '*.a.example.com', x.a.example.com, a.example.com",
        "'*.a.example.com', '*.example.com', x.a.example.com, b.example.com",
        "very.specific.com, 'non.matching.com, \"*.nonmatchingwildcard.io\", very.specific.com', very.specific.com, non.matching.com",
    })
    void whatListenerAndRouteHaveInCommonIsServed(String own, String hostnames, String served, String other) {
        ApiEdge edge = new ApiEdge(
                gateway("name: front", listener("http", 80, "HTTP", own.isEmpty() ? "" : "hostname: '" + own + "'")),
                route(
                        "name: r",
                        "{name: front}",
                        hostnames.replace("*.", "'*.").isEmpty() ? "" : quoted(hostnames),
                        "a"));
        assertEquals("a", edge.answer(80, get(served, "/")));
        if (!other.isEmpty()) {
            assertEquals("404", edge.answer(80, get(other, "/")));
        }
        assertEquals(List.of(), edge.warnings());
    }

    private static String quoted(String hostnames) {
        return String.join(
                ", ",
                java.util.Arrays.stream(hostnames.split(", "))
                        .map(host -> host.startsWith("\"") ? host : "'" + host + "'")
                        .toList());
    }

    @ParameterizedTest
    @CsvSource({
        "'*.example.com', example.com",
        "a.example.com, b.example.com",
        "'*.example.com', a.example.net",
        "very.specific.com, '*.wildcard.io'",
    })
    void aRouteWithoutACommonHostIsNotAttached(String own, String hostname) {
        ApiEdge edge = new ApiEdge(
                gateway("name: front", listener("http", 80, "HTTP", "hostname: '" + own + "'")),
                route("name: r", "{name: front}", "'" + hostname + "'", "a"));
        assertEquals(List.of("TUL0122"), edge.warnings());
        assertEquals("404", edge.answer(80, get(hostname.replace("*", "x"), "/")));
        GatewayStatus.Condition accepted =
                edge.status("HTTPRoute", "r").parents().getFirst().conditions().getFirst();
        assertEquals("NoMatchingListenerHostname", accepted.reason());
        assertEquals(
                0,
                edge.status(Kinds.API_GATEWAY, "front").listeners().getFirst().attachedRoutes());
    }

    private static final String SIX = gateway(
            "name: front",
            listener("one", 80, "HTTP", ""),
            listener("two", 8080, "HTTP", ""),
            listener("three", 8081, "HTTP", ALL),
            listener("bytes", 9000, "TCP", ""));

    @ParameterizedTest
    @CsvSource({
        "'{name: front}', 80 8080 8081, ''",
        "'{name: front, sectionName: two}', 8080, ''",
        "'{name: front, port: 8080}', 8080, ''",
        "'{name: front, sectionName: two, port: 8080}', 8080, ''",
        "'{name: front, sectionName: one}, {name: front, sectionName: two}', 80 8080, ''",
        "'{name: front, sectionName: one}, {name: front, port: 80}', 80, ''",
        "'{name: front, sectionName: two, port: 80}', '', NoMatchingParent TUL0120",
        "'{name: front, sectionName: four}', '', NoMatchingParent TUL0120",
        "'{name: front, port: 81}', '', NoMatchingParent TUL0120",
        "'{name: other}', '', NoMatchingParent TUL0120",
        "'{name: front, namespace: other}', '', NoMatchingParent TUL0120",
        "'{name: front, sectionName: bytes}', '', NotAllowedByListeners TUL0121",
        "'{name: front, port: 9000}', '', NotAllowedByListeners TUL0121",
        "'{kind: ListenerSet, name: front}', '', NoMatchingParent TUL0120",
    })
    void aParentMeansAllListenersOrOneOrThoseOfAPort(String parents, String ports, String refused) {
        ApiEdge edge = new ApiEdge(SIX, route("name: r", parents, "", "a"));
        for (String port : List.of("80", "8080", "8081")) {
            String expected = List.of(ports.split(" ")).contains(port) ? "a" : "404";
            assertEquals(expected, edge.answer(Integer.parseInt(port), get("x.org", "/")), port);
        }
        GatewayStatus.Condition accepted =
                edge.status("HTTPRoute", "r").parents().getFirst().conditions().getFirst();
        assertEquals(refused.isEmpty(), accepted.status());
        assertEquals(
                refused,
                accepted.status()
                        ? ""
                        : accepted.reason() + " " + edge.warnings().getFirst());
    }

    private static final String OTHER_LABELS = """
            apiVersion: v1
            kind: Namespace
            metadata: {name: other, labels: {team: blue, tier: back}}
            """;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''                                                                   | default | true",
                "''                                                                   | other   | false",
                "from: Same                                                           | other   | false",
                "from: All                                                            | other   | true",
                "from: Selector, selector: {matchLabels: {team: blue}}                | other   | true",
                "from: Selector, selector: {matchLabels: {team: blue}}                | default | false",
                "from: Selector, selector: {matchLabels: {team: blue, tier: front}}   | other   | false",
                "from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: other}} | other | true",
                "from: Selector, selector: {}                                         | other   | true",
                "from: Selector, selector: {matchExpressions: [{key: team, operator: In, values: [red, blue]}]} | other | true",
                "from: Selector, selector: {matchExpressions: [{key: team, operator: NotIn, values: [blue]}]}   | other | false",
                "from: Selector, selector: {matchExpressions: [{key: team, operator: NotIn, values: [blue]}]}   | default | true",
                "from: Selector, selector: {matchExpressions: [{key: team, operator: Exists}]}       | other | true",
                "from: Selector, selector: {matchExpressions: [{key: team, operator: DoesNotExist}]} | other | false",
            })
    void aListenerSaysOfWhichNamespacesItTakesRoutes(String namespaces, String of, boolean taken) {
        ApiEdge edge = new ApiEdge(
                OTHER_LABELS,
                gateway(
                        "name: front",
                        listener(
                                "http",
                                80,
                                "HTTP",
                                namespaces.isEmpty() ? "" : "allowedRoutes: {namespaces: {" + namespaces + "}}")),
                route("name: r, namespace: " + of, "{name: front, namespace: default}", "", "a"));
        String backend = of.equals("default") ? "a" : "a.other";
        assertEquals(taken ? backend : "404", edge.answer(80, get("x.org", "/")));
        assertEquals(taken ? List.of() : List.of("TUL0121"), edge.warnings());
    }

    @Test
    void aListenerSaysWhichKindsItTakes() {
        ApiEdge edge = new ApiEdge(
                gateway("name: front", listener("grpc", 80, "HTTP", "allowedRoutes: {kinds: [{kind: GRPCRoute}]}")),
                route("name: r", "{name: front}", "", "a"));
        assertEquals("404", edge.answer(80, get("x.org", "/")));
        assertEquals(List.of("TUL0121"), edge.warnings());
    }

    /** Each listener has one route, whose hosts are those of all of them, and which says by its path whose it is. */
    private static ApiEdge isolated(String hostnames) {
        String[] names = {"", "*.example.com", "*.foo.example.com", "abc.foo.example.com"};
        String[] listeners = new String[names.length];
        String[] texts = new String[names.length + 1];
        for (int i = 0; i < names.length; i++) {
            listeners[i] = listener("l" + i, 80, "HTTP", names[i].isEmpty() ? "" : "hostname: '" + names[i] + "'");
            texts[i] = object(
                    "HTTPRoute",
                    "name: r" + i,
                    "parentRefs: [{name: front, sectionName: l%d}], %srules: [{matches: [{path: {value: /l%d}}], backendRefs: [{name: a, port: 8080}]}]"
                            .formatted(i, hostnames, i));
        }
        texts[names.length] = gateway("name: front", listeners);
        return new ApiEdge(texts);
    }

    @ParameterizedTest
    @CsvSource({
        "bar.com, 0",
        "bar.example.com, 1",
        "x.y.example.com, 1",
        "bar.foo.example.com, 2",
        "abc.foo.example.com, 3",
    })
    void aRequestBelongsToTheListenerThatFitsBestAndToNoOther(String host, int own) {
        ApiEdge open = isolated("");
        ApiEdge named = isolated("hostnames: [bar.com, '*.example.com', '*.foo.example.com', abc.foo.example.com], ");
        for (int i = 0; i < 4; i++) {
            assertEquals(i == own ? "a" : "404", open.answer(80, get(host, "/l" + i)), "l" + i);
            assertEquals(i == own ? "a" : "404", named.answer(80, get(host, "/l" + i)), "l" + i);
        }
        assertEquals(List.of(), open.warnings());
        assertEquals(List.of(), named.warnings());
    }

    @Test
    void aListenerWithoutARouteTakesItsHostFromTheOthersAllTheSame() {
        ApiEdge edge = new ApiEdge(
                gateway(
                        "name: front",
                        listener("all", 80, "HTTP", ""),
                        listener("one", 80, "HTTP", "hostname: a.example.com")),
                route("name: r", "{name: front, sectionName: all}", "", "a"));
        assertEquals("a", edge.answer(80, get("b.example.com", "/")));
        assertEquals("404", edge.answer(80, get("a.example.com", "/")));
    }

    @Test
    void ofTwoListenersForTheSameTheOlderGatewaysCounts() {
        ApiEdge edge = new ApiEdge(
                gateway("name: a, creationTimestamp: '2026-02-01T00:00:00Z'", listener("http", 80, "HTTP", "")),
                gateway("name: b, creationTimestamp: '2026-01-01T00:00:00Z'", listener("http", 80, "HTTP", "")),
                route("name: ra", "{name: a}", "", "a"),
                route("name: rb", "{name: b}", "", "b"));
        assertEquals("b", edge.answer(80, get("x.org", "/")));
        assertEquals(List.of("TUL0110"), edge.warnings());
        GatewayStatus status = edge.status(Kinds.API_GATEWAY, "a");
        assertEquals("ListenersNotValid", status.conditions().getFirst().reason());
        assertEquals(
                Map.of("Accepted", false, "ResolvedRefs", true, "Programmed", false),
                status.listeners().getFirst().conditions().stream()
                        .collect(java.util.stream.Collectors.toMap(
                                GatewayStatus.Condition::type, GatewayStatus.Condition::status)));
        assertEquals(1, status.listeners().getFirst().attachedRoutes(), "attached to what is not served");
    }

    @Test
    void gatewaysShareAPortWhereTheirHostsDiffer() {
        ApiEdge edge = new ApiEdge(
                gateway("name: one", listener("http", 80, "HTTP", "hostname: a.example.com")),
                gateway("name: two", listener("http", 80, "HTTP", "hostname: '*.example.com'")),
                route("name: ra", "{name: one}", "", "a"),
                route("name: rb", "{name: two}", "", "b"));
        assertEquals("a", edge.answer(80, get("a.example.com", "/")));
        assertEquals("b", edge.answer(80, get("b.example.com", "/")));
        assertEquals(List.of(), edge.warnings());
    }

    @ParameterizedTest
    @CsvSource({"2026-01-01T00:00:00Z, Istio", "2026-03-01T00:00:00Z, Gateway API"})
    void aPortIsIstiosOrGatewayApis(String istio, String winner) {
        ApiEdge edge = new ApiEdge(
                """
                apiVersion: networking.istio.io/v1
                kind: Gateway
                metadata: {name: front, creationTimestamp: '%s'}
                spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
                """.formatted(istio),
                """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: v}
                spec: {hosts: ['*'], gateways: [front], http: [{directResponse: {status: 200}}]}
                """,
                gateway("name: front, creationTimestamp: '2026-02-01T00:00:00Z'", listener("http", 80, "HTTP", "")),
                route("name: r", "{name: front}", "", "a"));
        boolean first = winner.equals("Istio");
        assertEquals(first ? "200" : "a", edge.answer(80, get("x.org", "/")));
        assertEquals(
                List.of(first ? Kinds.API_GATEWAY + " default/front" : "Gateway default/front"),
                edge.problems().stream()
                        .filter(problem -> problem.code().equals("TUL0110"))
                        .map(Problem::resource)
                        .toList());
    }

    private static String secure(String name, String hostname) {
        return listener(
                name,
                443,
                "HTTPS",
                (hostname.isEmpty() ? "" : "hostname: '" + hostname + "', ")
                        + "tls: {options: {tulle.dev/certificate: /%s.pem, tulle.dev/private-key: /%s.key}}"
                                .formatted(name, name));
    }

    @Test
    void eachListenerOfHttpsHasItsCertificateAndItsRoutes() {
        ApiEdge edge = new ApiEdge(
                gateway(
                        "name: front",
                        secure("one", "a.example.com"),
                        secure("two", "*.example.com"),
                        secure("rest", "")),
                route("name: ra", "{name: front, sectionName: one}", "", "a"),
                route("name: rb", "{name: front, sectionName: two}", "b.example.com", "b"),
                route("name: rc", "{name: front, sectionName: rest}", "", "c"));
        assertEquals(
                "/two.pem", edge.chain(443, "b.example.com").tls().orElseThrow().certificate());
        assertEquals("a", edge.answer(443, "a.example.com", get("a.example.com", "/")));
        assertEquals("421", edge.answer(443, "a.example.com", get("b.example.com", "/")));
        assertEquals("421", edge.answer(443, "a.example.com", get("x.org", "/")));
        assertEquals("b", edge.answer(443, "b.example.com", get("b.example.com", "/")));
        assertEquals("404", edge.answer(443, "b.example.com", get("c.example.com", "/")));
        assertEquals("421", edge.answer(443, "b.example.com", get("a.example.com", "/")));
        assertEquals("c", edge.answer(443, "x.org", get("x.org", "/")));
        assertEquals("421", edge.answer(443, "x.org", get("a.example.com", "/")));
        assertEquals(List.of(), edge.warnings());
    }

    @ParameterizedTest
    @CsvSource({
        // the name that is asked for, the host of the request, what it gets
        "example.org, example.org, a",
        "example.org, second-example.org, 421",
        "example.org, unknown-example.org, 404",
        "second-example.org, second-example.org, b",
        "second-example.org, example.org, 421",
        "second-example.org, unknown-example.org, 421",
        "third.wildcard.org, third.wildcard.org, c",
        "third.wildcard.org, fifth.wildcard.org, c",
        "third.wildcard.org, fourth.wildcard.org, 421",
        "third.wildcard.org, second-example.org, 421",
        "third.wildcard.org, unknown-example.org, 421",
        "fourth.wildcard.org, fourth.wildcard.org, a",
        "fourth.wildcard.org, fifth.wildcard.org, 421",
        "unknown-example.org, example.org, a",
        "unknown-example.org, unknown-example.org, 404",
    })
    void aRequestForAHostOfAnotherCertificateIsMisdirected(String name, String host, String expected) {
        ApiEdge edge = new ApiEdge(
                gateway(
                        "name: front",
                        secure("l1", ""),
                        secure("l2", "second-example.org"),
                        secure("l3", "*.wildcard.org"),
                        secure("l4", "fourth.wildcard.org")),
                route("name: r1", "{name: front, sectionName: l1}", "example.org", "a"),
                route("name: r2", "{name: front, sectionName: l2}", "", "b"),
                route("name: r3", "{name: front, sectionName: l3}", "", "c"),
                route("name: r4", "{name: front, sectionName: l4}", "", "a"));
        assertEquals(expected, edge.answer(443, name, get(host, "/")));
    }

    @Test
    void tablesOfManyListenersOfHttpsStaySmall() {
        String[] listeners = new String[64];
        for (int i = 0; i < listeners.length; i++) {
            listeners[i] = secure("l" + i, "h" + i + ".example.com");
        }
        ApiEdge edge = new ApiEdge(gateway("name: front", listeners), route("name: r", "{name: front}", "", "a"));
        assertEquals(64, edge.chains().size());
        for (Listener.Target.Chain chain : edge.chains()) {
            String table = ((Listener.Target.Http) chain.target()).routeConfiguration();
            assertEquals(2, edge.table(table).virtualHosts().size(), table);
        }
        assertEquals("421", edge.answer(443, "h1.example.com", get("h63.example.com", "/")));
    }

    @Test
    void aHostThatNoListenerOfHttpsHasIsNotMisdirected() {
        ApiEdge edge = new ApiEdge(
                gateway("name: front", secure("one", "a.example.com"), secure("two", "b.example.com")),
                route("name: ra", "{name: front}", "", "a"));
        assertEquals("404", edge.answer(443, "a.example.com", get("x.org", "/")));
        assertEquals("421", edge.answer(443, "a.example.com", get("b.example.com", "/")));
    }

    @ParameterizedTest
    @CsvSource({
        "other, HTTPRoute, default, Service, true",
        "other, HTTPRoute, default, 'Service, name: a', true",
        "other, HTTPRoute, default, 'Service, name: b', false",
        "other, HTTPRoute, default, Secret, false",
        "other, GRPCRoute, default, Service, false",
        "other, HTTPRoute, third, Service, false",
        "default, HTTPRoute, default, Service, false",
    })
    void aBackendOfAnotherNamespaceNeedsAGrant(String in, String kind, String from, String to, boolean granted) {
        ApiEdge edge = new ApiEdge(
                gateway("name: front", listener("http", 80, "HTTP", "")),
                grant(in, kind, from, to),
                route("name: r", "{name: front}", "", "a, namespace: other"));
        assertEquals(granted ? "a.other" : "500", edge.answer(80, get("x.org", "/")));
        assertEquals(granted ? List.of() : List.of("TUL0123"), edge.warnings());
        GatewayStatus.Condition resolved =
                edge.status("HTTPRoute", "r").parents().getFirst().conditions().getLast();
        assertEquals(granted ? "ResolvedRefs" : "RefNotPermitted", resolved.reason());
    }

    @Test
    void whatIsShownOfAParentHasNoControlCharacters() {
        ApiEdge edge = new ApiEdge(route("name: r", "{name: \"\\e[2Jx\"}", "", "a"));
        assertEquals(
                "Gateway.gateway.networking.k8s.io default/?[2Jx",
                edge.status("HTTPRoute", "r").parents().getFirst().parent());
    }

    @Test
    void aBackendThatThereIsNotIs500AndSaid() {
        ApiEdge edge = new ApiEdge(
                gateway("name: front", listener("http", 80, "HTTP", "")),
                route("name: r", "{name: front}", "", "nobody"));
        assertEquals("500", edge.answer(80, get("x.org", "/")));
        assertEquals(List.of("TUL0101"), edge.warnings());
        GatewayStatus.ParentStatus at = edge.status("HTTPRoute", "r").parents().getFirst();
        assertTrue(at.conditions().getFirst().status());
        assertEquals("BackendNotFound", at.conditions().getLast().reason());
    }
}
