package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Locality;
import dev.tulle.model.LocalityPreference;
import dev.tulle.model.LocalityPreference.Nearest;
import dev.tulle.model.LocalityPreference.Share;
import dev.tulle.model.LocalityPreference.Split;
import dev.tulle.model.MeshState;
import dev.tulle.model.Workload;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What manifests say of localities, and what clusters and endpoints it becomes. */
class LocalityTest {
    private static final String SERVICE = Fixtures.yaml(
            "apiVersion: v1",
            "kind: Service",
            "metadata: {name: db}",
            "spec: {ports: [{port: 80}], selector: {app: db}");

    private static EndpointSet endpoints(String cluster, String serviceMore, String rule) {
        String service = SERVICE.strip() + serviceMore + "}\n";
        String[] texts = rule.isEmpty() ? new String[] {service} : new String[] {service, rule};
        MeshState state = Fixtures.translate(List.of(), texts).state();
        return Objects.requireNonNull(state.endpoints().get(cluster), state.endpoints()::toString);
    }

    private static LocalityPreference preference(String serviceMore, String setting) {
        return endpoints("outbound|80||db.default.svc.cluster.local", serviceMore, rule(setting, ""))
                .preference();
    }

    private static String rule(String setting, String subset) {
        String policy = "trafficPolicy: {loadBalancer: {localityLbSetting: " + setting + "}}";
        return setting.isEmpty()
                ? ""
                : Fixtures.yaml(
                        "apiVersion: networking.istio.io/v1",
                        "kind: DestinationRule",
                        "metadata: {name: db}",
                        "spec: {host: db, " + policy + ", subsets: [{name: v1" + subset + "}]}");
    }

    @Test
    void aRuleOrTheServiceSaysWhatLocalityMeans() {
        assertEquals(LocalityPreference.ANYWHERE, preference("", ""));
        assertEquals(new Nearest(Map.of()), preference("", "{}"));
        assertEquals(new Nearest(Map.of()), preference("", "{enabled: true}"));
        assertEquals(LocalityPreference.ANYWHERE, preference("", "{enabled: false}"));
        assertEquals(new Nearest(Map.of("r", "q")), preference("", "{failover: [{from: r, to: q}]}"));
        assertEquals(
                new Split(List.of(new Share("r/*", Map.of("r/z", 70, "q", 30)))),
                preference("", "{distribute: [{from: r/*, to: {r/z: 70, q: 30}}]}"));
        assertEquals(new Nearest(Map.of()), preference(", trafficDistribution: PreferClose", ""));
        assertEquals(new Nearest(Map.of()), preference(", trafficDistribution: PreferSameZone", ""));
        assertEquals(
                LocalityPreference.ANYWHERE,
                preference(", trafficDistribution: PreferClose", "{enabled: false}"),
                "the rule says it more precisely");
    }

    @Test
    void aSubsetMaySaySomethingElse() {
        String v1 = "outbound|80|v1|db.default.svc.cluster.local";
        String off = ", trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}";
        assertEquals(new Nearest(Map.of()), endpoints(v1, "", rule("{}", "")).preference());
        assertEquals(
                LocalityPreference.ANYWHERE, endpoints(v1, "", rule("{}", off)).preference());
    }

    @Test
    void endpointsAreWhereTheirEntryTheirLabelOrTheirNodeSays() {
        String entry = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: ServiceEntry",
                "metadata: {name: x}",
                "spec:",
                "  hosts: [x.example]",
                "  resolution: STATIC",
                "  ports: [{number: 80, name: tcp}]",
                "  endpoints:",
                "    - {address: 192.0.2.1, locality: r/z/s}",
                "    - {address: 192.0.2.2, labels: {istio-locality: r.y}}",
                "    - {address: 192.0.2.3}");
        assertEquals(
                List.of("r/z/s", "r/y", ""),
                places(Fixtures.translate(List.of(), entry).state(), "outbound|80||x.example"));
        String workload = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: WorkloadEntry",
                "metadata: {name: old}",
                "spec: {address: 192.0.2.9, labels: {app: db}, locality: q}");
        String service = SERVICE.strip() + "}\n";
        MeshState state = Translator.translate(
                        Fixtures.snapshot(service, workload),
                        List.of(Fixtures.workload("db", "v1", "100.64.0.9").in(Locality.parse("n/z"))),
                        Map.of("node1", Locality.parse("n")),
                        Fixtures.vips())
                .state();
        assertEquals(Map.of("node1", Locality.parse("n")), state.localities());
        assertEquals(List.of("q", "n/z"), places(state, "outbound|80||db.default.svc.cluster.local"));
        Workload old = Objects.requireNonNull(state.workloads().get("config/default/old"));
        assertEquals(Locality.parse("q"), old.locality());
    }

    private static List<String> places(MeshState state, String cluster) {
        EndpointSet set = Objects.requireNonNull(state.endpoints().get(cluster), cluster);
        return set.endpoints().stream()
                .map(Endpoint::locality)
                .map(Locality::toString)
                .toList();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{failoverPriority: [a]}                                  | failoverPriority     | not supported",
                "{enabled: 1}                                             | enabled              | wrong type",
                "{distribute: [{from: r, to: {r: 60, q: 50}}]}            | distribute[0].to     | they sum to 110",
                "{distribute: [{from: r, to: {r: 100, q: 0}}]}            | distribute[0].to.q   | out of range",
                "{distribute: [{from: r, to: {r/*/s: 100}}]}              | distribute[0].to.r/*/s | not a place",
                "{distribute: [{to: {r: 100}}]}                           | distribute[0].from   | required",
                "{distribute: [{from: r}]}                                | distribute[0].to     | required",
                "{distribute: [{from: r/z/s/*, to: {r: 100}}]}            | distribute[0].from   | not a place",
                "{failover: [{from: r, to: r}]}                           | failover[0].to       | stand in for itself",
                "{failover: [{from: r/z, to: q}]}                         | failover[0].from     | not a region",
                "{failover: [{from: r, to: q}, {from: r, to: p}]}         | failover[1].from     | two entries",
                "{failover: [{from: r, to: q}], distribute: [{from: r, to: {r: 100}}]} | failover | two ways",
                "{enable: true}                                           | enable               | unknown field",
            })
    void whatIsWrongIsRefusedByName(String setting, String field, String message) {
        ParsedManifest parsed = new ManifestParser().parse("test.yaml", rule(setting.strip(), ""));
        String full = "spec.trafficPolicy.loadBalancer.localityLbSetting." + field.strip();
        List<Problem> found = parsed.problems().stream()
                .filter(p -> p.field().equals(full) && p.message().contains(message.strip()))
                .toList();
        assertEquals(1, found.size(), parsed.problems()::toString);
    }
}
