package dev.tulle.config;

import static dev.tulle.config.EdgeObjects.translate;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Listener;
import dev.tulle.model.WeightedCluster;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where TLS goes that does not end at the edge, or ends there and is bytes. */
class EdgePassagesTest {
    private static final String PASSING =
            "{port: {number: 443, name: p, protocol: TLS}, hosts: [%s], tls: {mode: PASSTHROUGH}}";
    private static final String ENDING =
            "{port: {number: 443, name: e, protocol: %s}, hosts: [%s], tls: {mode: SIMPLE, serverCertificate: /a.pem, privateKey: /a.key}}";

    private static String gateway(String... servers) {
        return """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: front}
            spec: {servers: [%s]}
            """.formatted(String.join(", ", servers));
    }

    private static String rules(String name, String hosts, String rules) {
        return """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: %s}
            spec: {hosts: [%s], gateways: [front], %s}
            """.formatted(name, hosts, rules);
    }

    private static String rule(String names, String to) {
        return "{match: [{sniHosts: [%s]}], route: [{destination: {host: %s}}]}".formatted(names, to);
    }

    /** Each chain: whom it is for, whether TLS ends there, and where it goes. */
    private static List<String> chains(Translation translation) {
        Listener edge = Optional.ofNullable(translation.state().listeners().get(Listener.EDGE))
                .orElseThrow();
        return ((Listener.Target.Edge) edge.target())
                .chains().stream()
                        .map(chain -> (chain.serverNames().isEmpty() ? "all" : String.join(",", chain.serverNames()))
                                + (chain.passes()
                                        ? " passes"
                                        : " ends " + chain.tls().orElseThrow().offered())
                                + " to " + target(chain.target()))
                        .toList();
    }

    private static String target(Listener.Target target) {
        return switch (target) {
            case Listener.Target.Tcp(List<WeightedCluster> split) ->
                split.isEmpty()
                        ? "nobody"
                        : split.stream()
                                .map(one -> one.weight() + " "
                                        + one.cluster().replaceAll(".*\\|", "").replaceAll("\\..*", ""))
                                .collect(Collectors.joining(", "));
            case Listener.Target.Http _ -> "requests";
            case Listener.Target.Edge _ -> throw new AssertionError();
        };
    }

    @Test
    void namesChooseTheDestination() {
        Translation translation = translate(
                gateway(PASSING.formatted("'*.example.com'")),
                rules(
                        "one",
                        "'*.example.com'",
                        "tls: [%s, %s, {match: [{sniHosts: ['*.example.com']}], route: [{destination: {host: reviews},"
                                        .formatted(
                                                rule("a.example.com, b.example.com", "details"),
                                                rule("b.example.com", "ratings"))
                                + " weight: 3}, {destination: {host: ratings}, weight: 1}]}]"));
        assertEquals(
                List.of(
                        "a.example.com,b.example.com passes to 100 details",
                        "*.example.com passes to 3 reviews, 1 ratings"),
                chains(translation));
        assertEquals(List.of(), translation.problems());
    }

    @Test
    void theNamesOfAnOlderObjectAreItsOwn() {
        Translation translation = translate(
                gateway(PASSING.formatted("'*'")),
                rules("b", "a.example.com", "tls: [%s]".formatted(rule("a.example.com", "ratings"))),
                rules("a", "a.example.com", "tls: [%s]".formatted(rule("a.example.com", "details"))));
        assertEquals(List.of("a.example.com passes to 100 details"), chains(translation));
    }

    @Test
    void serversOfOnePortEndTlsOrLetItPassEachForItsHosts() {
        Translation translation = translate(
                gateway(
                        ENDING.formatted("HTTPS", "shop.example.com"),
                        PASSING.formatted("'*.example.com', idle.example.org"),
                        ENDING.replace("name: e", "name: b").formatted("TLS", "bytes.example.com"),
                        ENDING.replace("name: e", "name: n").formatted("TLS", "none.example.com")),
                rules(
                        "one",
                        "'*.example.com'",
                        "tls: [%s], tcp: [{route: [{destination: {host: ratings}}]}], http: [{route: [{destination: {host: reviews}}]}]"
                                .formatted(rule("'*.example.com', shop.example.com", "details"))));
        assertEquals(
                List.of(
                        "shop.example.com ends [h2, http/1.1] to requests",
                        "*.example.com passes to 100 details",
                        "idle.example.org passes to nobody",
                        "bytes.example.com ends [] to 100 ratings",
                        "none.example.com ends [] to 100 ratings"),
                chains(translation));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "a.org  | 443 | front | all names of another host | no host of the virtual service covers it",
                "1.2.3.4 | 443 | front | an address | an address, which nobody asks for",
                "a.example.com | 443 | mesh | the mesh's own | not supported by this version of Tulle",
            })
    void whatIsWrongIsToldByItsPlace(String name, int port, String gateways, String _what, String said) {
        ParsedManifest parsed = new ManifestParser().parse("x.yaml", """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: x}
                spec:
                  hosts: [a.example.com]
                  gateways: [%s]
                  tls: [{match: [{sniHosts: [%s], port: %d}], route: [{destination: {host: details}}]}]
                """.formatted(gateways, name, port));
        assertTrue(
                parsed.problems().toString().contains(said), parsed.problems().toString());
    }

    @Test
    void aRuleForAnotherPortOrGatewayIsNotForThisOne() {
        Translation translation = translate(
                gateway(PASSING.formatted("a.example.com")),
                rules(
                        "one",
                        "a.example.com",
                        "tls: [{match: [{sniHosts: [a.example.com], port: 8443}, {sniHosts: [a.example.com], gateways:"
                                + " [other]}], route: [{destination: {host: details}}]}]"));
        assertEquals(List.of("a.example.com passes to nobody"), chains(translation));
    }
}
