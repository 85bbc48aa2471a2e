package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Goal: an object is refused as its author's mistake if and only if Istio or Gateway API would refuse it. Method: the table
 * verdicts.txt, whose verdicts follow their schemas and validators.
 */
class VerdictsTest {
    private static final Map<String, String> VERSIONS = Map.of(
            "Service", "v1",
            "HTTPRoute", ApiEdge.GROUP,
            "GRPCRoute", ApiEdge.GROUP,
            "TCPRoute", ApiEdge.GROUP,
            "ApiGateway", ApiEdge.GROUP,
            "ListenerSet", ApiEdge.GROUP,
            "ReferenceGrant", ApiEdge.GROUP,
            "AuthorizationPolicy", "security.istio.io/v1");

    /** Objects that are right; the text of a case takes the place of the $. */
    private static final Map<String, String> PARTS = Map.ofEntries(
            Map.entry("VirtualService.hosts", "{hosts: $, http: [{route: [{destination: {host: web}}]}]}"),
            Map.entry("VirtualService.tcp", "{hosts: [web], tcp: [$]}"),
            Map.entry("VirtualService.rule", "{hosts: [web], http: [$]}"),
            Map.entry("VirtualService.route", "{hosts: [web], http: [{$, route: [{destination: {host: web}}]}]}"),
            Map.entry(
                    "VirtualService.match",
                    "{hosts: [web], http: [{match: [$], route: [{destination: {host: web}}]}]}"),
            Map.entry(
                    "VirtualService.headers",
                    "{hosts: [web], http: [{route: [{destination: {host: web}, headers: $}]}]}"),
            Map.entry("DestinationRule.policy", "{host: web, trafficPolicy: $}"),
            Map.entry(
                    "DestinationRule.places",
                    "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: $}}}}"),
            Map.entry(
                    "ServiceEntry.hosts",
                    "{hosts: $, ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}"),
            Map.entry("ServiceEntry.port", "{hosts: [a.example.com], ports: [$], resolution: DNS}"),
            Map.entry(
                    "ServiceEntry.endpoint",
                    "{hosts: [a.example.com], ports: [{number: 80, name: p}], resolution: STATIC, endpoints: [$]}"),
            Map.entry("Gateway.server", "{servers: [{$}]}"),
            Map.entry(
                    "Gateway.tls",
                    "{servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: [\"*\"], tls: $}]}"),
            Map.entry("AuthorizationPolicy.source", "{rules: [{from: [{source: $}]}]}"),
            Map.entry("AuthorizationPolicy.operation", "{rules: [{to: [{operation: $}]}]}"),
            Map.entry("AuthorizationPolicy.when", "{rules: [{when: [$]}]}"),
            Map.entry("HTTPRoute.hostnames", "{hostnames: $, rules: [{backendRefs: [{name: web, port: 80}]}]}"),
            Map.entry("HTTPRoute.rule", "{rules: [$]}"),
            Map.entry("GRPCRoute.rule", "{rules: [$]}"),
            Map.entry("ApiGateway.listener", "{gatewayClassName: tulle, listeners: [$]}"),
            Map.entry("HTTPRoute.match", "{rules: [{matches: [$], backendRefs: [{name: web, port: 80}]}]}"),
            Map.entry("HTTPRoute.path", "{rules: [{matches: [{path: $}], backendRefs: [{name: web, port: 80}]}]}"),
            Map.entry("HTTPRoute.filter", "{rules: [{filters: [$], backendRefs: [{name: web, port: 80}]}]}"));

    record Case(String kind, String verdict, String field, String text) {}

    static Stream<Case> cases() throws IOException {
        return Files.readAllLines(Path.of("src/test/resources/verdicts.txt"), StandardCharsets.UTF_8).stream()
                .filter(line -> !line.isBlank() && !line.startsWith("#"))
                .map(line -> {
                    String[] columns = line.split("\\|", 4);
                    return new Case(columns[0].strip(), columns[1].strip(), columns[2].strip(), columns[3].strip());
                });
    }

    private static List<Problem> errors(String text) {
        return ManifestChecker.check(List.of(new ManifestParser().parse("case.yaml", text))).stream()
                .filter(Problem::isError)
                .toList();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void asTheOriginals(Case example) {
        String kind = example.kind().split("\\.", 2)[0];
        String spec = PARTS.getOrDefault(example.kind(), "$").replace("$", example.text());
        String head = "apiVersion: " + VERSIONS.getOrDefault(kind, "networking.istio.io/v1") + "\nkind: "
                + kind.replace("ApiGateway", "Gateway")
                + "\nmetadata: {name: x}\n";
        List<Problem> errors = errors(head + (spec.isEmpty() ? "" : "spec: " + spec + "\n"));
        boolean byName =
                errors.stream().allMatch(problem -> problem.message().contains("not supported by this version"));
        String said = errors.isEmpty() ? "taken" : byName ? "unsupported" : "refused";
        assertEquals(example.verdict(), said, errors::toString);
        assertTrue(
                errors.isEmpty()
                        || errors.stream().anyMatch(problem -> problem.field().endsWith(example.field())),
                errors::toString);
        errors.forEach(problem -> assertTrue(!problem.expected().isEmpty(), problem::toString));
    }

    @Test
    void onlyAPolicyCanBeTriedOut() {
        String annotated = "metadata: {name: x, annotations: {istio.io/dry-run: \"%s\"}}\nspec: {%s}\n";
        String policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n" + annotated;
        assertEquals(List.of(), errors(policy.formatted("true", "")));
        assertEquals(List.of(), errors(policy.formatted("0", "")));
        assertEquals(
                "metadata.annotations.istio.io/dry-run",
                errors(policy.formatted("maybe", "")).getFirst().field());
        assertEquals(
                "metadata.annotations.istio.io/dry-run",
                errors(("apiVersion: networking.istio.io/v1\nkind: DestinationRule\n" + annotated)
                                .formatted("true", "host: a"))
                        .getFirst()
                        .field());
    }
}
