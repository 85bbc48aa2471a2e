package dev.tulle.config;

import static dev.tulle.config.ApiEdge.gateway;
import static dev.tulle.config.ApiEdge.listener;
import static dev.tulle.config.ApiEdge.object;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.config.ApiEdge.Asked;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which of several routes of Gateway API a request gets: host, path, method, header fields, query, age, name, place. */
class ApiPrecedenceTest {
    private static final String FRONT = gateway("name: front", listener("http", 80, "HTTP", ""));

    private static String http(String metadata, String hostnames, String... rules) {
        return object(
                "HTTPRoute",
                metadata,
                "parentRefs: [{name: front}], %srules: [%s]"
                        .formatted(
                                hostnames.isEmpty() ? "" : "hostnames: [" + hostnames + "], ",
                                String.join(", ", rules)));
    }

    private static String rule(String matches, String backend) {
        return "{matches: [%s], backendRefs: [{name: %s, port: 8080}]}".formatted(matches, backend);
    }

    private static String path(String type, String value) {
        return "{path: {type: %s, value: %s}}".formatted(type, value);
    }

    @ParameterizedTest
    @CsvSource({
        "example.com, /, '', a",
        "example.com, /example, '', a",
        "example.net, /example, version=one, a",
        "example.net, /example, version=two, a",
        "example.com, /v2, '', b",
        "example.com, /v2/example, version=one, b",
        "example.com, /, version=two, b",
        "example.net, /v2, version=two, a",
        "example.org, /, '', 404",
    })
    void routesOfOneHostArePutTogether(String host, String path, String fields, String expected) {
        ApiEdge edge = new ApiEdge(
                FRONT,
                http(
                        "name: part1",
                        "example.com, example.net",
                        rule(path("PathPrefix", "/") + ", {headers: [{name: version, value: one}]}", "a")),
                http(
                        "name: part2",
                        "example.com",
                        rule(path("PathPrefix", "/v2") + ", {headers: [{name: version, value: two}]}", "b")));
        assertEquals(expected, edge.answer(80, Asked.of(host, path).with(fields)));
    }

    @ParameterizedTest
    @CsvSource({
        // What the more specific host has no rule for goes to the less specific one: rules are compared, not hosts.
        "x.example.com, /a, a",
        "x.example.com, /b, b",
        "x.example.com, /c, c",
        "y.example.com, /a, b",
        "y.example.com, /c, c",
        "example.com, /c, c",
        "example.com, /a, 404",
    })
    void theMoreSpecificHostsRulesComeFirstWhateverTheirPath(String host, String path, String expected) {
        ApiEdge edge = new ApiEdge(
                FRONT,
                http("name: exact", "x.example.com", rule(path("PathPrefix", "/a"), "a")),
                http("name: wide", "'*.example.com'", rule(path("Exact", "/a") + ", " + path("PathPrefix", "/b"), "b")),
                http("name: all", "", rule(path("PathPrefix", "/c"), "c")));
        assertEquals(expected, edge.answer(80, Asked.of(host, path)));
    }

    @ParameterizedTest
    @CsvSource({
        "/match/exact/one, c",
        "/match/exact, b",
        "/match, a",
        "/match/prefix/one/any, b",
        "/match/prefix/any, a",
        "/match/any, c",
        "/matchless, 404",
    })
    void exactPathsThenTheLongestPrefix(String path, String expected) {
        ApiEdge edge = new ApiEdge(
                FRONT,
                http(
                        "name: r",
                        "",
                        rule(path("PathPrefix", "/match/"), "c"),
                        rule(path("Exact", "/match"), "a"),
                        rule(path("PathPrefix", "/match/prefix/"), "a"),
                        rule(path("Exact", "/match/exact"), "b"),
                        rule(path("PathPrefix", "/match/prefix/one"), "b"),
                        rule(path("Exact", "/match/exact/one"), "c")));
        assertEquals(expected, edge.answer(80, Asked.of("x.org", path)));
    }

    @Test
    void thenMethodThenMostHeadersThenMostParameters() {
        ApiEdge edge = new ApiEdge(
                FRONT,
                http(
                        "name: r",
                        "",
                        rule("{queryParams: [{name: q, value: x}]}", "a"),
                        rule("{headers: [{name: one, value: x}]}", "b"),
                        rule("{method: GET}", "c")));
        Asked all = new Asked("GET", "x.org", "/", "q=x", Map.of("one", "x"));
        assertEquals("c", edge.answer(80, all));
        assertEquals("b", edge.answer(80, new Asked("POST", "x.org", "/", "q=x", Map.of("one", "x"))));
        assertEquals("a", edge.answer(80, new Asked("POST", "x.org", "/", "q=x", Map.of())));
    }

    @ParameterizedTest
    @CsvSource({
        "'name: b, creationTimestamp: \"2026-01-01T00:00:00Z\"', 'name: a, creationTimestamp: \"2026-02-01T00:00:00Z\"'",
        "'name: a', 'name: b'",
        // NAMESPACE/NAME in alphabetical order, not the name first.
        "'name: z, namespace: default', 'name: a, namespace: other'",
    })
    void whatIsEqualGoesToTheOldestThenByNamespaceAndName(String first, String second) {
        String parents = "parentRefs: [{name: front, namespace: default}], ";
        String rules = "rules: [" + rule(path("PathPrefix", "/"), "$") + "]";
        String open = gateway("name: front", listener("http", 80, "HTTP", "allowedRoutes: {namespaces: {from: All}}"));
        ApiEdge edge = new ApiEdge(
                open,
                object("HTTPRoute", second, parents + rules.replace("$", "b")),
                object("HTTPRoute", first, parents + rules.replace("$", "a")));
        assertEquals("a", edge.answer(80, Asked.of("x.org", "/")));
    }

    private static String redirect(String settings) {
        return "{filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org%s}}]}"
                .formatted(settings.isEmpty() ? "" : ", " + settings);
    }

    @ParameterizedTest
    @CsvSource({
        // port of the listener, protocol, what the rule says, scheme and port of the answer
        "80, HTTP, '', http 80",
        "80, HTTP, 'port: 8080', http 8080",
        "80, HTTP, 'scheme: https', https 443",
        "80, HTTP, 'scheme: https, port: 8443', https 8443",
        "8080, HTTP, '', http 8080",
        "8080, HTTP, 'port: 80', http 80",
        "8080, HTTP, 'scheme: https', https 443",
        "443, HTTPS, '', https 443",
        "443, HTTPS, 'port: 443', https 443",
        "443, HTTPS, 'port: 8443', https 8443",
        "443, HTTPS, 'scheme: http', http 80",
        "443, HTTPS, 'scheme: http, port: 8080', http 8080",
    })
    void aRedirectHasTheListenersSchemeAndPortUnlessItNamesOthers(
            int port, String protocol, String settings, String expected) {
        String tls = "tls: {options: {tulle.dev/certificate: /a.pem, tulle.dev/private-key: /a.key}}";
        ApiEdge edge = new ApiEdge(
                gateway("name: front", listener("l", port, protocol, protocol.equals("HTTPS") ? tls : "")),
                http("name: r", "", redirect(settings)));
        assertEquals("302 " + expected, edge.answer(port, Asked.of("x.org", "/")));
    }

    private static String grpc(String metadata, String parents, String hostnames, String... rules) {
        return object(
                "GRPCRoute",
                metadata,
                "parentRefs: [%s], %srules: [%s]"
                        .formatted(
                                parents,
                                hostnames.isEmpty() ? "" : "hostnames: [" + hostnames + "], ",
                                String.join(", ", rules)));
    }

    private static final String[] CALLS = {
        rule("{}", "c"),
        rule("{method: {method: Echo}}", "b"),
        rule("{method: {service: shop.Orders}}", "a"),
        rule("{method: {service: shop.Orders, method: Cancel}}", "b"),
        rule("{method: {type: RegularExpression, service: 'bank[.](Pay|Loan)s', method: 'Get.+'}}", "a"),
        rule("{method: {service: shop.Orders}, headers: [{name: version, value: two}]}", "c"),
    };

    @ParameterizedTest
    @CsvSource({
        "/shop.Orders/Place, '', a",
        "/shop.Orders/Place, version=two, c",
        "/shop.Orders/Cancel, '', b",
        "/shop.Orders/Cancel, version=two, b",
        "/shop.Orders/Echo, '', a",
        "/any.Service/Echo, '', b",
        "/any.Service/Other, '', c",
        "/shop.OrdersToo/Place, '', c",
        "/bank.Pays/GetAll, '', a",
        "/bank.Pays/Get, '', c",
        "/bank.Cards/GetAll, '', c",
    })
    void callsOfGrpcAreMatchedByServiceAndMethod(String path, String fields, String expected) {
        Asked asked = new Asked("POST", "x.org", path, "", Map.of()).with(fields);
        ApiEdge edge = new ApiEdge(FRONT, grpc("name: r", "{name: front}", "", CALLS));
        assertEquals(expected, edge.answer(80, asked));
        ApiEdge mesh = new ApiEdge(grpc("name: r", "{group: '', kind: Service, name: a}", "", CALLS));
        assertEquals(expected, mesh.answer("a.default.svc.cluster.local:8080", asked), "inside the mesh");
        assertEquals(List.of(), edge.warnings());
    }

    @Test
    void aCallForABackendThatThereIsNotIsUnavailable() {
        ApiEdge edge = new ApiEdge(
                FRONT, grpc("name: r", "{name: front}", "", rule("{method: {method: Gone}}", "nobody"), "{}"));
        assertEquals("503", edge.answer(80, Asked.of("x.org", "/s/Gone")));
        assertEquals("503", edge.answer(80, Asked.of("x.org", "/s/Other")));
    }

    @ParameterizedTest
    @CsvSource({
        "'', '', true",
        "a.example.com, a.example.com, true",
        "a.example.com, '\"*.example.com\"', true",
        "a.example.com, b.example.com, false",
    })
    void routesOfHttpAndOfGrpcDoNotShareAHost(String http, String grpc, boolean conflict) {
        ApiEdge edge = new ApiEdge(
                FRONT,
                grpc("name: g, creationTimestamp: '2026-02-01T00:00:00Z'", "{name: front}", grpc, rule("{}", "b")),
                http("name: h, creationTimestamp: '2026-01-01T00:00:00Z'", http, rule("{}", "a")));
        assertEquals("a", edge.answer(80, Asked.of(http.isEmpty() ? "x.org" : http, "/")));
        assertEquals(conflict ? List.of("TUL0104") : List.of(), edge.warnings());
        assertEquals(
                !conflict,
                edge.status("GRPCRoute", "g")
                        .parents()
                        .getFirst()
                        .conditions()
                        .getFirst()
                        .status());
    }

    @Test
    void inTheMeshTheOlderKindRoutesAServiceAlone() {
        String parent = "{group: '', kind: Service, name: a}";
        ApiEdge edge = new ApiEdge(
                grpc("name: g, creationTimestamp: '2026-01-01T00:00:00Z'", parent, "", rule("{}", "b")),
                object(
                        "HTTPRoute",
                        "name: h, creationTimestamp: '2026-02-01T00:00:00Z'",
                        "parentRefs: [%s], rules: [%s]".formatted(parent, rule("{}", "c"))));
        assertEquals("b", edge.answer("a.default.svc.cluster.local:8080", Asked.of("a", "/s/M")));
        assertEquals(List.of("TUL0104"), edge.warnings());
    }
}
