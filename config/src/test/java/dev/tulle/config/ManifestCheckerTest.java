package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ManifestCheckerTest {
    private static final String SERVICE = """
            apiVersion: v1
            kind: Service
            metadata: {name: a}
            spec: {ports: [{name: http, port: 80}]}
            """;

    private static List<Problem> check(String... texts) {
        List<ParsedManifest> manifests = new ArrayList<>();
        for (int i = 0; i < texts.length; i++) {
            manifests.add(new ManifestParser().parse("file" + i + ".yaml", texts[i]));
        }
        return ManifestChecker.check(manifests);
    }

    @Test
    void filesThatAgreeHaveNoProblem() {
        assertEquals(List.of(), check(SERVICE));
    }

    @Test
    void theSameResourceInTwoFilesIsNamedInTheSecond() {
        List<Problem> problems = check(SERVICE, SERVICE);

        assertEquals(1, problems.size());
        assertEquals("file1.yaml", problems.getFirst().file());
        assertTrue(problems.getFirst().message().contains("file0.yaml:1"), problems.toString());
    }

    @Test
    void aSubsetThatNobodyDefinesIsAnErrorAcrossFiles() {
        String rule = """
                apiVersion: networking.istio.io/v1
                kind: DestinationRule
                metadata: {name: a}
                spec: {host: a, subsets: [{name: v1, labels: {version: v1}}]}
                """;
        String routes = """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: a}
                spec: {hosts: [a], http: [{route: [{destination: {host: a, subset: v9}}]}]}
                """;

        List<Problem> problems = check(SERVICE, rule, routes);

        assertTrue(
                problems.stream()
                        .anyMatch(p -> p.isError()
                                && p.file().equals("file2.yaml")
                                && p.value().equals("v9")),
                problems.toString());
    }
}
