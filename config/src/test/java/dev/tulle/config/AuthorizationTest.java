package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.AuthorizationPolicy.Action;
import dev.tulle.model.AuthorizationPolicy.Condition;
import dev.tulle.model.AuthorizationPolicy.Operation;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Scope;
import dev.tulle.model.AuthorizationPolicy.Source;
import dev.tulle.model.PortPath;
import dev.tulle.model.TextPattern;
import dev.tulle.model.TextPattern.Exact;
import dev.tulle.model.TextPattern.Prefix;
import dev.tulle.model.TextPattern.Present;
import dev.tulle.model.TextPattern.Suffix;
import dev.tulle.model.Workload;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** How AuthorizationPolicy is read, which workloads it is about, and what it does to the paths of ports. */
class AuthorizationTest {
    private static final List<TextPattern> NONE = List.of();

    private static String policy(String namespace, String name, String... spec) {
        return Fixtures.yaml(
                        "apiVersion: security.istio.io/v1",
                        "kind: AuthorizationPolicy",
                        "metadata: {name: " + name + ", namespace: " + namespace + "}")
                + Fixtures.yaml(spec);
    }

    private static Map<String, Workload> workloads(String... policies) {
        return Fixtures.translate(Fixtures.bookinfoWorkloads(), policies)
                .state()
                .workloads();
    }

    private static List<String> policiesOf(Map<String, Workload> workloads, String uid) {
        return workloads.values().stream()
                .filter(w -> w.uid().equals(uid))
                .findFirst()
                .orElseThrow()
                .policies();
    }

    @Test
    void everyField() {
        IstioAuthorization read = Fixtures.snapshot(Everything.AUTHORIZATION_POLICY)
                .authorizations()
                .getFirst();
        assertEquals(Map.of("app", "reviews"), read.selector());
        AuthorizationPolicy policy = read.policy();
        assertEquals("default/all", policy.name());
        assertEquals(Scope.WORKLOAD_SELECTOR, policy.scope());
        assertEquals(Action.DENY, policy.action());
        Rule rule = policy.rules().getFirst();
        assertEquals(
                List.of(
                        new Source(
                                List.of(new Exact("cluster.local/ns/default/sa/a"), new Suffix("/sa/b")),
                                List.of(new Present()),
                                List.of(new Exact("default"), new Prefix("f")),
                                List.of(new Exact("bar"))),
                        new Source(NONE, NONE, List.of(new Exact("other")), NONE)),
                rule.from());
        assertEquals(
                List.of(new Operation(
                        List.of(9080, 81),
                        List.of(82),
                        List.of(new Exact("reviews.example"), new Suffix(".example")),
                        List.of(new Exact("x")),
                        List.of(new Exact("GET"), new Prefix("P")),
                        List.of(new Exact("POST")),
                        List.of(new Exact("/a"), new Prefix("/b/"), new Suffix(".html"), new Present()),
                        List.of(new Exact("/b/c")))),
                rule.to());
        assertEquals(
                List.of(
                        new Condition.Header("x-role", List.of(new Exact("a")), List.of(new Prefix("b"))),
                        new Condition.Principal(List.of(new Present()), NONE),
                        new Condition.Namespace(NONE, List.of(new Exact("c"))),
                        new Condition.Port(List.of(9080), List.of())),
                rule.when());
        assertEquals(new Rule(List.of(), List.of(), List.of()), policy.rules().get(1));
    }

    @Test
    void anEmptySpecAllowsNothing() {
        AuthorizationPolicy policy = Fixtures.snapshot(policy("default", "allow-nothing", "spec: {}"))
                .authorizations()
                .getFirst()
                .policy();
        assertEquals(Action.ALLOW, policy.action());
        assertEquals(List.of(), policy.rules());
        assertEquals(Scope.NAMESPACE, policy.scope());
    }

    @Test
    void whichWorkloads() {
        Map<String, Workload> workloads = workloads(
                policy("default", "all", "spec: {}"),
                policy("other", "elsewhere", "spec: {}"),
                policy("istio-system", "mesh", "spec: {action: DENY, rules: [{}]}"),
                policy("tulle-system", "v2", "spec: {selector: {matchLabels: {version: v2}}}"),
                policy("default", "reviews", "spec: {selector: {matchLabels: {app: reviews, version: v1}}}"));
        assertEquals(
                List.of("default/all", "default/reviews", "istio-system/mesh"),
                policiesOf(workloads, "node1/default/reviews-v1"));
        assertEquals(
                List.of("default/all", "istio-system/mesh", "tulle-system/v2"),
                policiesOf(workloads, "node1/default/reviews-v2"));
        assertEquals(List.of("default/all", "istio-system/mesh"), policiesOf(workloads, "node1/default/ratings-v1"));
    }

    @Test
    void aDryRunGuardsNobody() {
        String tried = policy("default", "tried", "spec: {rules: []}")
                .replace("name: tried", "name: tried, annotations: {istio.io/dry-run: \"true\"}");
        Map<String, Workload> workloads = workloads(tried, policy("default", "enforced", "spec: {}"));
        assertEquals(List.of("default/enforced"), policiesOf(workloads, "node1/default/reviews-v1"));
        assertEquals(
                List.of("default/enforced"),
                List.copyOf(Fixtures.translate(
                                Fixtures.bookinfoWorkloads(), tried, policy("default", "enforced", "spec: {}"))
                        .state()
                        .policies()
                        .keySet()));
    }

    @Test
    void withoutSpecItAllowsNothing() {
        assertEquals(
                List.of("default/empty"),
                policiesOf(workloads(policy("default", "empty")), "node1/default/reviews-v1"));
    }

    @Test
    void withoutPoliciesWorkloadsStayTheSameObjects() {
        List<Workload> registered = Fixtures.bookinfoWorkloads();
        Map<String, Workload> translated =
                Fixtures.translate(registered).state().workloads();
        registered.forEach(w -> assertSame(w, translated.get(w.uid())));
    }

    @Test
    void aPolicyKeepsBytesOutOfTheKernelsPath() {
        String service = Fixtures.yaml(
                "apiVersion: v1",
                "kind: Service",
                "metadata: {name: db}",
                "spec: {selector: {app: ratings}, ports: [{name: tcp-db, port: 5432}]}");
        assertEquals(PortPath.Path.KERNEL_L4, pathOf(service).path());
        PortPath guarded = pathOf(service, policy("default", "db", "spec: {selector: {matchLabels: {app: ratings}}}"));
        assertEquals(PortPath.Path.PROXY, guarded.path());
        assertEquals("AuthorizationPolicy default/db: each connection is checked", guarded.reason());
        assertTrue(guarded.policed(), "a host whose kernel enforces the policy may serve it");
        PortPath other = pathOf(service, policy("default", "x", "spec: {selector: {matchLabels: {app: reviews}}}"));
        assertEquals(PortPath.Path.KERNEL_L4, other.path());
    }

    private static PortPath pathOf(String... texts) {
        return Fixtures.translate(Fixtures.bookinfoWorkloads(), texts).state().services().values().stream()
                .filter(s -> s.hostname().equals("db.default.svc.cluster.local"))
                .findFirst()
                .orElseThrow()
                .paths()
                .getFirst();
    }
}
