package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Two groups have a kind called Gateway: their resources are never taken for each other. */
class KindNamesTest {
    private static final String ISTIO = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: front}
            spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
            """;

    private static final String OWN = ApiEdge.gateway("name: front", ApiEdge.listener("http", 81, "HTTP", ""));

    @ParameterizedTest
    @CsvSource({
        "Gateway, Gateway Gateway.gateway.networking.k8s.io",
        "gateway, Gateway Gateway.gateway.networking.k8s.io",
        "Gateway.gateway.networking.k8s.io, Gateway.gateway.networking.k8s.io",
        "Gateway.networking.istio.io, Gateway",
        "VirtualService, VirtualService",
        "HTTPRoute.gateway.networking.k8s.io, HTTPRoute",
        "HTTPRoute.networking.istio.io, ''",
        "Service, Service",
        "Nothing, ''",
        "'', ''",
    })
    void aWordMeansTheKindsThatAreWrittenSo(String word, String names) {
        assertEquals(names, String.join(" ", KindNames.meant(word)));
    }

    @Test
    void resourcesOfBothGroupsWithOneNameAreTwo() {
        ParsedManifest parsed = new ManifestParser().parse("both.yaml", ISTIO + "---\n" + OWN);
        assertTrue(parsed.isClean(), parsed.problems()::toString);
        ConfigSnapshot config = new ConfigSnapshot(parsed.resources(), List.of());
        assertEquals(
                List.of("Gateway default/front", "Gateway.gateway.networking.k8s.io default/front"),
                config.resources().stream()
                        .map(resource -> resource.key().toString())
                        .toList());
        assertNotEquals(
                DirectoryState.ownName(config.resources().get(0).key()),
                DirectoryState.ownName(config.resources().get(1).key()));
    }

    @Test
    void twiceInOneGroupIsOnceTooMany() {
        List<Problem> problems =
                new ManifestParser().parse("both.yaml", OWN + "---\n" + OWN).problems();
        assertTrue(problems.getFirst().message().contains("duplicate name"), problems::toString);
    }

    @Test
    void aKindWithoutNamespacesHasNoneInItsKey() {
        ConfigSnapshot config = Fixtures.snapshot(
                ApiEdge.object("GatewayClass", "name: tulle", "controllerName: tulle.dev/gateway"),
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: other, labels: {team: blue}}\n");
        assertEquals(
                List.of("GatewayClass tulle", "Namespace other"),
                config.resources().stream()
                        .map(resource -> resource.key().toString())
                        .toList());
        assertEquals("blue", config.labelsOf("other").get("team"));
        assertEquals(
                List.of(new ResourceKey("GatewayClass", "", "tulle")),
                KindNames.keys("GatewayClass", "default", "tulle"));
    }
}
