package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.AppProtocol;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Workload;
import dev.tulle.model.Workload.WorkloadPort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Each kind of warning: what causes it, and that its remedy ends it. */
class MeshChecksTest {
    private static Workload workload(String name, String service, Map<String, String> labels, AppProtocol protocol) {
        return new Workload(
                "n/default/" + name,
                name,
                "default",
                "default",
                "n",
                List.of("100.64.0." + (10 + name.length())),
                labels,
                List.of(service),
                List.of(new WorkloadPort(9080, protocol)),
                true,
                ResourceRef.DEFAULT);
    }

    private static final Workload WEB =
            workload("web-v1", "web", Map.of("app", "web", "version", "v1"), AppProtocol.HTTP);

    private static Set<String> codes(List<Workload> workloads, String yaml) {
        ParsedManifest parsed = new ManifestParser().parse("test.yaml", yaml);
        assertEquals(
                List.of(), parsed.problems().stream().filter(Problem::isError).toList());
        ConfigSnapshot config = new ConfigSnapshot(parsed.resources(), List.of());
        Translation translation = Translator.translate(config, workloads, Map.of(), new NumberedVipAllocator());
        List<Problem> all = new ArrayList<>(translation.problems());
        all.addAll(MeshChecks.check(config, translation.state()));
        all.addAll(ManifestChecker.check(List.of(parsed)));
        Set<String> codes = new TreeSet<>();
        for (Problem problem : all) {
            codes.add(problem.code());
            assertTrue(problem.line() > 0 && problem.file().equals("test.yaml"), problem.toString());
            assertTrue(!problem.expected().isEmpty(), "says no remedy: " + problem);
            assertTrue(problem.toString().contains("warning " + problem.code() + ": "), problem.toString());
        }
        return codes;
    }

    private static String route(String name, String host, String destination) {
        return """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: %s}
            spec: {hosts: [%s], http: [{route: [{destination: {%s}}]}]}
            ---
            """.formatted(name, host, destination);
    }

    private static String policy(String label) {
        return """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: readers}
            spec: {selector: {matchLabels: {%s}}, rules: [{to: [{operation: {methods: [GET]}}]}]}
            """.formatted(label);
    }

    private static String subset(String version) {
        return """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: web}
            spec: {host: web, subsets: [{name: s, labels: {version: %s}}]}
            """.formatted(version);
    }

    @Test
    void destinations() {
        assertEquals(Set.of(), codes(List.of(WEB), route("a", "web", "host: web")));
        assertEquals(Set.of("TUL0101"), codes(List.of(WEB), route("a", "web", "host: wbe")));
        assertEquals(Set.of("TUL0102"), codes(List.of(WEB), route("a", "web", "host: web, port: {number: 81}")));
        assertEquals(Set.of("TUL0103"), codes(List.of(WEB), route("a", "wbe", "host: web")));
        assertEquals(
                Set.of("TUL0104"),
                codes(List.of(WEB), route("a", "web", "host: web") + route("b", "web", "host: web")));
    }

    @Test
    void rulesForRequestsOfAPortThatNobodyReads() {
        Workload tcp = workload("web-v1", "web", Map.of(), AppProtocol.TCP);
        assertEquals(Set.of("TUL0105"), codes(List.of(tcp), route("a", "web", "host: web")));
        Workload grpc = workload("web-v1", "web", Map.of(), AppProtocol.GRPC);
        assertEquals(Set.of(), codes(List.of(grpc), route("a", "web", "host: web")));
    }

    @Test
    void policiesThatGuardNobody() {
        assertEquals(Set.of(), codes(List.of(WEB), policy("app: web")));
        assertEquals(Set.of("TUL0201"), codes(List.of(WEB), policy("app: reviews")));
        assertEquals(Set.of("TUL0201"), codes(List.of(), policy("app: web")));
    }

    @Test
    void subsetsAndServicesWithoutWorkloads() {
        assertEquals(Set.of(), codes(List.of(WEB), subset("v1")));
        assertEquals(Set.of("TUL0202"), codes(List.of(WEB), subset("v9")));
        String service = """
            apiVersion: v1
            kind: Service
            metadata: {name: other}
            spec: {selector: {app: %s}, ports: [{name: http, port: 9080}]}
            """;
        assertEquals(Set.of(), codes(List.of(WEB), service.formatted("web")));
        assertEquals(Set.of("TUL0203"), codes(List.of(WEB), service.formatted("nobody")));
    }

    @Test
    void everyCodeIsDocumentedOnce() throws IOException {
        String text = Files.readString(Path.of("../docs/warnings.md"));
        Set<String> codes = new TreeSet<>();
        for (Warning warning : Warning.values()) {
            assertTrue(codes.add(warning.code()), warning + " has another's code");
            assertTrue(text.contains("| " + warning.code() + " |"), warning + " is not in docs/warnings.md");
        }
    }

    @Test
    void moreRegularExpressionsThanTheProxiesCanHoldAreRefusedByName() {
        StringBuilder yaml = new StringBuilder();
        for (int i = 0; i < 26; i++) {
            yaml.append("""
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: r%02d}
                spec:
                  hosts: [h%02d.example.com]
                  http:
                """.formatted(i, i));
            for (int j = 0; j < 20; j++) {
                yaml.append("  - {match: [{uri: {regex: '/a")
                        .append(j)
                        .append(".*'}}], directResponse: {status: 200}}\n");
            }
            yaml.append("---\n");
        }
        List<Problem> errors =
                ManifestChecker.check(List.of(new ManifestParser().parse("many.yaml", yaml.toString()))).stream()
                        .filter(Problem::isError)
                        .toList();
        assertEquals(1, errors.size(), errors.toString());
        assertTrue(errors.getFirst().toString().contains("VirtualService default/r25"), errors.toString());
    }
}
