package dev.tulle.config;

import static dev.tulle.config.EdgeObjects.gateway;
import static dev.tulle.config.EdgeObjects.server;
import static dev.tulle.config.EdgeObjects.translate;
import static dev.tulle.config.EdgeObjects.virtualService;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Listener;
import dev.tulle.model.RouteAction;
import dev.tulle.model.VirtualHost;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is said to stand before a gateway: trusted proxies, and headers of the PROXY protocol. */
class GatewayTopologyTest {
    private static final String ANSWER = "http: [{directResponse: {status: 200}}]";

    private static Listener.Target.Edge edge(Translation translation) {
        return (Listener.Target.Edge)
                Optional.ofNullable(translation.state().listeners().get(Listener.EDGE))
                        .orElseThrow()
                        .target();
    }

    private static List<String> warnings(Translation translation) {
        return translation.problems().stream().map(problem -> problem.code()).toList();
    }

    private static String before(String name, String topology) {
        return "name: " + name + ", annotations: {proxy.istio.io/config: '{gatewayTopology: " + topology + "}'}";
    }

    @Test
    void whatStandsBeforeAGatewayIsSaidInIstiosAnnotation() {
        Translation translation = translate(
                gateway(before("a", "{numTrustedProxies: 2, proxyProtocol: {}}"), server(80, "HTTP", "'*'")),
                gateway(before("b", "{\"numTrustedProxies\": 1}"), server(81, "HTTP", "'*'")),
                gateway("name: c", server(82, "HTTP", "'*'")));
        assertEquals(
                List.of("http.80 2", "http.81 1", "http.82 0"),
                edge(translation).chains().stream()
                        .map(chain -> (Listener.Target.Http) chain.target())
                        .map(http -> http.routeConfiguration() + " " + http.trustedHops())
                        .toList());
        assertEquals(Set.of(80), edge(translation).announced());
        assertEquals(List.of(), warnings(translation));
    }

    @Test
    void theOldestGatewayOfAPortSaysWhatStandsBeforeIt() {
        Translation translation = translate(
                gateway(before("a", "{numTrustedProxies: 2}"), server(80, "HTTP", "a.example.com")),
                gateway(before("b", "{numTrustedProxies: 1}"), server(80, "HTTP", "b.example.com")));
        assertEquals(List.of("TUL0110"), warnings(translation));
        assertEquals(
                2, ((Listener.Target.Http) edge(translation).chains().getFirst().target()).trustedHops());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{gatewayTopology: {numTrustedProxies: -1}} | an integer, 0 or more",
                "{gatewayTopology: {numTrustedProxies: two}} | an integer, 0 or more",
                "{gatewayTopology: {numTrusted: 1}} | one of",
                "{gatewayTopology: {proxyProtocol: true}} | a mapping",
                "{gatewayTopology: {proxyProtocol: {version: 2}}} | no field",
                "{gatewayTopology: {forwardClientCertDetails: FORWARD_ONLY}} | SANITIZE",
                "{concurrency: 2} | this field to be left out",
                "nothing | a mapping with gatewayTopology",
                "'{' | JSON or YAML",
            })
    void anythingElseInTheAnnotationIsRefused(String text, String expected) {
        ParsedManifest parsed = new ManifestParser()
                .parse(
                        "test.yaml",
                        gateway(
                                "name: a, annotations: {proxy.istio.io/config: \"" + text.replace("'", "") + "\"}",
                                server(80, "HTTP", "'*'")));
        assertEquals(1, parsed.problems().size(), parsed.problems().toString());
        assertTrue(
                parsed.problems().getFirst().expected().contains(expected),
                parsed.problems().toString());
        assertTrue(
                parsed.problems().getFirst().field().startsWith("metadata.annotations.proxy.istio.io/config"),
                parsed.problems().toString());
    }

    /** A trusted proxy may say that its caller used HTTPS: only others are sent there. */
    @Test
    void aRedirectToHttpsAsksTrustedProxies() {
        String redirecting = "{port: {number: 80, name: h, protocol: HTTP}, hosts: ['*'], tls: {httpsRedirect: true}}";
        Translation translation = translate(
                gateway(before("front", "{numTrustedProxies: 1}"), redirecting),
                virtualService("name: a", "a.example.com", "front", ANSWER));
        VirtualHost host =
                Optional.ofNullable(translation.state().routes().get("http.80")).orElseThrow().virtualHosts().stream()
                        .filter(one -> one.domains().contains("a.example.com"))
                        .findFirst()
                        .orElseThrow();
        assertEquals(2, host.routes().size(), host.toString());
        assertEquals(
                ":scheme", host.routes().getFirst().match().headers().getFirst().name());
        assertInstanceOf(RouteAction.DirectResponse.class, host.routes().get(1).action());
    }
}
