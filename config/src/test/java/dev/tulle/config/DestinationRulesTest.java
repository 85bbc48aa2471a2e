package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.MeshState;
import dev.tulle.model.PortPath;
import dev.tulle.model.Service;
import dev.tulle.model.UpstreamTls;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which DestinationRules are about a service, and what several of them mean together: as in Istio. */
class DestinationRulesTest {
    private static final String WEB = "web.default.svc.cluster.local";
    private static final String SERVICE = """
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
            """;

    private static String rule(String metadata, String spec) {
        return """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {%s}
            spec: {%s}
            """.formatted(metadata, spec);
    }

    private static String policy(String host, String simple) {
        return "host: '" + host + "', trafficPolicy: {loadBalancer: {simple: " + simple + "}}";
    }

    private static MeshState state(String... texts) {
        String[] all = new String[texts.length + 1];
        all[0] = SERVICE;
        System.arraycopy(texts, 0, all, 1, texts.length);
        return Fixtures.translate(List.of(), all).state();
    }

    private static Cluster cluster(MeshState state, String subset) {
        return Optional.ofNullable(state.clusters().get(Cluster.nameOf(80, subset, WEB)))
                .orElseThrow();
    }

    private static List<String> warnings(String... texts) {
        String all = SERVICE + "---\n" + String.join("---\n", texts);
        ParsedManifest parsed = new ManifestParser().parse("test.yaml", all);
        ConfigSnapshot config = new ConfigSnapshot(parsed.resources(), List.of());
        List<Problem> found = new java.util.ArrayList<>(ManifestChecker.check(List.of(parsed)));
        found.addAll(MeshChecks.check(
                config,
                Translator.translate(config, List.of(), Map.of(), Fixtures.vips())
                        .state()));
        return found.stream()
                .filter(p -> !p.code().equals("TUL0203"))
                .map(p -> (p.isError() ? "error " : p.code() + " ") + p.resource() + " " + p.field())
                .toList();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            default      | web                            | RANDOM
            third        | web.default.svc.cluster.local  | LEAST_REQUEST
            third        | *.default.svc.cluster.local    | LEAST_REQUEST
            istio-system | web.default.svc.cluster.local  | RANDOM
            istio-system | *.svc.cluster.local            | RANDOM
            tulle-system | *                              | RANDOM
            """)
    void theServicesNamespaceAndTheRootCount(String namespace, String host, Balancing expected) {
        MeshState state = state(rule("name: r, namespace: " + namespace, policy(host, "RANDOM")));
        assertEquals(expected, cluster(state, "").balancing());
    }

    @Test
    void aPatternInTheServicesNamespaceComesBeforeTheRootsExactHost() {
        MeshState state = state(
                rule("name: r, namespace: istio-system", policy(WEB, "RANDOM")),
                rule("name: r", policy("*.svc.cluster.local", "ROUND_ROBIN")));
        assertEquals(Balancing.ROUND_ROBIN, cluster(state, "").balancing());
    }

    @Test
    void aRuleForCallersOfAnotherNamespaceSaysThatItHasNoEffect() {
        String other = rule("name: r, namespace: third", policy(WEB, "RANDOM"));
        assertEquals(List.of("TUL0108 DestinationRule third/r spec.host"), warnings(other));
        assertEquals(List.of(), warnings(rule("name: r, namespace: istio-system", policy("*", "RANDOM"))));
        assertEquals(List.of(), warnings(rule("name: r", policy("web", "RANDOM"))));
    }

    @Test
    void aSubsetOfARuleForCallersIsNotSupported() {
        String other = rule("name: r, namespace: third", "host: " + WEB + ", subsets: [{name: v1, labels: {v: '1'}}]");
        String route = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: web, namespace: third}
            spec: {hosts: [%s], http: [{route: [{destination: {host: %s, subset: v1}}]}]}
            """.formatted(WEB, WEB);
        ParsedManifest parsed = new ManifestParser().parse("test.yaml", SERVICE + "---\n" + other + "---\n" + route);
        List<Problem> errors = ManifestChecker.check(List.of(parsed)).stream()
                .filter(Problem::isError)
                .toList();
        assertEquals(1, errors.size(), errors.toString());
        assertTrue(errors.getFirst().message().contains("not supported by this version of Tulle"), errors.toString());
    }

    @Test
    void twoRulesOfOneNamespaceAreOne() {
        String first = rule(
                "name: a",
                "host: web, trafficPolicy: {loadBalancer: {simple: RANDOM}},"
                        + " subsets: [{name: v1, labels: {v: '1'}, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}]");
        String second = rule(
                "name: b",
                "host: " + WEB + ", trafficPolicy: {connectionPool: {tcp: {connectTimeout: 5s}}},"
                        + " subsets: [{name: v2, labels: {v: '2'}}, {name: v1, labels: {v: '3'}}]");
        MeshState state = state(first, second);
        assertEquals(Balancing.RANDOM, cluster(state, "").balancing());
        assertEquals(Cluster.DEFAULT_CONNECT_TIMEOUT, cluster(state, "").connectTimeout(), "one policy is the whole");
        assertEquals(Balancing.ROUND_ROBIN, cluster(state, "v1").balancing());
        assertEquals(Balancing.RANDOM, cluster(state, "v2").balancing(), "the policy that counts is for all subsets");
        assertEquals("b", cluster(state, "v2").origin().name());
        assertEquals(
                List.of(
                        "TUL0107 DestinationRule default/b spec.host",
                        "TUL0107 DestinationRule default/b spec.subsets[1].name"),
                warnings(first, second).stream()
                        .filter(w -> !w.startsWith("TUL0202"))
                        .toList());
    }

    @Test
    void thePolicyOfTheSecondRuleCountsWhereTheFirstHasNone() {
        String subsets = rule("name: a", "host: web, subsets: [{name: v1, labels: {v: '1'}}]");
        String policy = rule("name: b", "host: web, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 5s}}}");
        MeshState state = state(subsets, policy);
        assertEquals(Duration.ofSeconds(5), cluster(state, "").connectTimeout());
        assertEquals("b", cluster(state, "").origin().name());
        assertEquals(Duration.ofSeconds(5), cluster(state, "v1").connectTimeout());
        assertEquals(List.of(), warnings(subsets, policy));
        String plain = rule("name: a", "host: web, trafficPolicy: {tls: {mode: DISABLE}}");
        assertEquals(
                Cluster.DEFAULT_CONNECT_TIMEOUT,
                cluster(state(plain, policy), "").connectTimeout(),
                "one that only says that nothing is encrypted is a policy as well");
    }

    @Test
    void tlsOfASubsetReplacesThatOfTheRule() {
        MeshState state = state(
                rule(
                        "name: a",
                        "host: web, trafficPolicy: {tls: {mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem,"
                                + " caCertificates: /ca.pem, subjectAltNames: [a.example, b.example]}}, subsets: ["
                                + "{name: same, labels: {v: '1'}},"
                                + "{name: plain, labels: {v: '2'}, trafficPolicy: {tls: {mode: DISABLE}}},"
                                + "{name: other, labels: {v: '3'}, trafficPolicy: {tls: {mode: SIMPLE, sni: c.example, caCertificates: /other.pem}}},"
                                + "{name: any, labels: {v: '4'}, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}}}]"));
        UpstreamTls mutual = new UpstreamTls(WEB, "/c.pem", "/k.pem", "/ca.pem", List.of("a.example", "b.example"));
        assertEquals(Optional.of(mutual), cluster(state, "").tls());
        assertEquals(Optional.of(mutual), cluster(state, "same").tls());
        assertEquals(Optional.empty(), cluster(state, "plain").tls());
        assertEquals(
                Optional.of(new UpstreamTls("c.example", "", "", "/other.pem", List.of("c.example"))),
                cluster(state, "other").tls());
        assertEquals(
                Optional.of(new UpstreamTls(WEB, "", "", "", List.of())),
                cluster(state, "any").tls());
    }

    @Test
    void theHostsAuthoritiesAndTheServicesNameAreTheDefault() {
        UpstreamTls tls = cluster(state(rule("name: a", "host: web, trafficPolicy: {tls: {mode: SIMPLE}}")), "")
                .tls()
                .orElseThrow();
        assertEquals(WEB, tls.serverName());
        assertEquals(List.of(WEB), tls.names());
        assertTrue(tls.authorities().startsWith("/etc/"), tls.authorities());
    }

    @Test
    void endpointsAreToldForWhomConnectionsAre() {
        String both = "host: web, trafficPolicy: {proxyProtocol: {}}, "
                + "subsets: [{name: v1, trafficPolicy: {proxyProtocol: {version: V2}}}, {name: v2}]";
        MeshState state = state(rule("name: a", both));
        assertEquals(Cluster.ProxyProtocol.V1, cluster(state, "").proxyProtocol());
        assertEquals(Cluster.ProxyProtocol.V2, cluster(state, "v1").proxyProtocol());
        assertEquals(Cluster.ProxyProtocol.V1, cluster(state, "v2").proxyProtocol());
        assertEquals(Cluster.ProxyProtocol.NONE, cluster(state(), "").proxyProtocol());
    }

    @ParameterizedTest
    @CsvSource({"'tls: {mode: SIMPLE}', TLS to endpoints", "'proxyProtocol: {}', the PROXY protocol to endpoints"})
    void theKernelTakesNoConnectionsThatBeginWithSomething(String policy, String reason) {
        String bytes = """
            apiVersion: v1
            kind: Service
            metadata: {name: bytes}
            spec: {selector: {app: bytes}, ports: [{name: tcp-a, port: 70}, {name: grpc-a, port: 71}]}
            """;
        String rule = rule("name: b", "host: bytes, trafficPolicy: {" + policy + "}");
        MeshState state = state(bytes, rule);
        Service service = Optional.ofNullable(state.services().get("default/bytes.default.svc.cluster.local"))
                .orElseThrow();
        for (PortPath path : service.paths()) {
            assertEquals(PortPath.Path.PROXY, path.path(), path.toString());
            assertTrue(path.reason().contains("sets " + reason), path.reason());
        }
        assertEquals(2, service.paths().size());
    }

    @Test
    void theOldestComesFirstWhateverItIsCalled() {
        String younger = rule("name: a, creationTimestamp: '2026-02-01T00:00:00Z'", policy("web", "RANDOM"));
        String older = rule("name: b, creationTimestamp: '2026-01-01T00:00:00Z'", policy("web", "ROUND_ROBIN"));
        assertEquals(Balancing.ROUND_ROBIN, cluster(state(younger, older), "").balancing());
        assertEquals(List.of("TUL0107 DestinationRule default/a spec.host"), warnings(younger, older));
    }
}
