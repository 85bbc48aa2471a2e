package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.config.RouteRuleConverter.Conversion;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Goal: RouteRules of 2018 mean the same afterwards. Method: rules in, the exact YAML out, and it must parse. */
class RouteRuleConverterTest {
    private static final String ALL_V1 = Fixtures.yaml(
            "apiVersion: config.istio.io/v1alpha2",
            "kind: RouteRule",
            "metadata:",
            "  name: reviews-default",
            "spec:",
            "  destination:",
            "    name: reviews",
            "  precedence: 1",
            "  route:",
            "  - labels:",
            "      version: v1");

    private static final String JASON_V2 = Fixtures.yaml(
            "apiVersion: config.istio.io/v1alpha2",
            "kind: RouteRule",
            "metadata:",
            "  name: reviews-test-v2",
            "spec:",
            "  destination:",
            "    name: reviews",
            "  precedence: 2",
            "  match:",
            "    request:",
            "      headers:",
            "        cookie:",
            "          regex: \"^(.*?;)?(user=jason)(;.*)?$\"",
            "  route:",
            "  - labels:",
            "      version: v2");

    private static Conversion convert(String... texts) {
        Map<String, String> files = new LinkedHashMap<>();
        for (int i = 0; i < texts.length; i++) {
            files.put("rule" + i + ".yaml", texts[i]);
        }
        Conversion conversion = RouteRuleConverter.convert(files);
        ParsedManifest parsed = new ManifestParser().parse("converted.yaml", conversion.yaml());
        assertEquals(
                java.util.List.of(),
                Validation.check(java.util.List.of(parsed)).stream()
                        .filter(Problem::isError)
                        .toList());
        return conversion;
    }

    @Test
    void rulesOfOneDestinationBecomeOneVirtualServiceHighestPrecedenceFirst() {
        Conversion conversion = convert(ALL_V1, JASON_V2);
        assertTrue(conversion.isClean());
        assertEquals(
                Fixtures.yaml(
                        "apiVersion: networking.istio.io/v1",
                        "kind: DestinationRule",
                        "metadata:",
                        "  name: reviews",
                        "spec:",
                        "  host: reviews",
                        "  subsets:",
                        "    - name: v1",
                        "      labels:",
                        "        version: v1",
                        "    - name: v2",
                        "      labels:",
                        "        version: v2",
                        "---",
                        "apiVersion: networking.istio.io/v1",
                        "kind: VirtualService",
                        "metadata:",
                        "  name: reviews",
                        "spec:",
                        "  hosts:",
                        "    - reviews",
                        "  http:",
                        "    - name: reviews-test-v2",
                        "      match:",
                        "        - headers:",
                        "            cookie:",
                        "              regex: \"^(.*?;)?(user=jason)(;.*)?$\"",
                        "      route:",
                        "        - destination:",
                        "            host: reviews",
                        "            subset: v2",
                        "    - name: reviews-default",
                        "      route:",
                        "        - destination:",
                        "            host: reviews",
                        "            subset: v1"),
                conversion.yaml());
    }

    @Test
    void weightsFaultsTimeoutsAndRetries() {
        Conversion conversion = convert(Fixtures.yaml(
                "apiVersion: config.istio.io/v1alpha2",
                "kind: RouteRule",
                "metadata: {name: r, namespace: prod}",
                "spec:",
                "  destination: {name: ratings}",
                "  match: {request: {headers: {uri: {prefix: /ratings}, x-user: {exact: jason}}}}",
                "  httpFault:",
                "    delay: {percent: 100, fixedDelay: 7s}",
                "    abort: {percent: 12.5, httpStatus: 400}",
                "  httpReqTimeout: {simpleTimeout: {timeout: 10s}}",
                "  httpReqRetries: {simpleRetry: {attempts: 3, perTryTimeout: 2s}}",
                "  rewrite: {uri: /r}",
                "  appendHeaders: {x-added: yes it is}",
                "  route:",
                "  - {labels: {version: v1}, weight: 80}",
                "  - {labels: {version: v2, track: canary}, weight: 20}"));
        assertTrue(conversion.isClean(), conversion.problems()::toString);
        String yaml = conversion.yaml();
        for (String part : new String[] {
            "namespace: prod", "prefix: /ratings", "exact: jason", "fixedDelay: 7s", "value: 100\n", "value: 12.5",
            "httpStatus: 400", "timeout: 10s", "attempts: 3", "perTryTimeout: 2s", "uri: /r", "weight: 80",
            "subset: track-canary-version-v2", "x-added: \"yes it is\""
        }) {
            assertTrue(yaml.contains(part), () -> part + " is missing in\n" + yaml);
        }
    }

    @Test
    void aRedirectHasNoDestination() {
        String yaml = convert(Fixtures.yaml(
                        "apiVersion: config.istio.io/v1alpha2",
                        "kind: RouteRule",
                        "metadata: {name: r}",
                        "spec: {destination: {name: old, namespace: other}, redirect: {uri: /v1, authority: new}}"))
                .yaml();
        assertTrue(yaml.contains("redirect:") && !yaml.contains("route:"), yaml);
        assertTrue(yaml.contains("- old.other.svc.cluster.local"), yaml);
    }

    @Test
    void aRuleThatCannotBeConvertedTakesItsDestinationOut() {
        Conversion conversion = convert(
                ALL_V1,
                JASON_V2.replace("    request:", "    source: {name: productpage}\n    request:"),
                ALL_V1.replace("reviews", "details"));
        assertFalse(conversion.isClean());
        Problem problem = conversion.problems().getFirst();
        assertEquals("spec.match.source", problem.field());
        assertEquals("rule1.yaml", problem.file());
        assertFalse(conversion.yaml().contains("reviews"), conversion.yaml());
        assertTrue(conversion.yaml().contains("details"));
    }

    @Test
    void otherKindsAreLeftOutAndNamed() {
        Conversion conversion = convert(Fixtures.bookinfo("services.yaml"));
        assertEquals(4, conversion.problems().size());
        assertEquals(Problem.Severity.WARNING, conversion.problems().getFirst().severity());
        assertFalse(convert(ALL_V1.replace("destination:", "destnation:")).isClean());
    }

    @Test
    void subsetsOfDifferentLabelsNeverShareAName() {
        String yaml = convert(Fixtures.yaml(
                        "apiVersion: config.istio.io/v1alpha2",
                        "kind: RouteRule",
                        "metadata: {name: r}",
                        "spec:",
                        "  destination: {name: a}",
                        "  route:",
                        "  - {labels: {version: v1}, weight: 50}",
                        "  - {labels: {release: v1}, weight: 50}"))
                .yaml();
        assertTrue(yaml.contains("subset: v1\n") && yaml.contains("subset: release-v1\n"), yaml);
    }
}
