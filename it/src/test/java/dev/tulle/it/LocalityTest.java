package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves with real programs that a service whose endpoints the kernel chooses and one whose requests it forwards both go
 * to the nearest endpoint, to the other place when that is gone, and back.
 */
@Tag("e2e")
class LocalityTest {
    private static final String NEAREST = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: web, namespace: default}
            spec: {host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}}
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: db, namespace: default}
            spec: {host: db, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}}
            """;

    private static final Set<String> NEAR = Set.of("db-near", "web-near");
    private static final Set<String> FAR = Set.of("db-far", "web-far");

    @Test
    void theNearestServesOnBothPathsAndTheNextWhenItIsGone() throws Exception {
        try (MeshLab lab = MeshLab.start(null, "--locality", "r/z1")) {
            List<Process> near = List.of(serve(lab, "web", "http:9080", "near"), serve(lab, "db", "tcp:7000", "near"));
            serve(lab, "web", "http:9080", "far");
            serve(lab, "db", "tcp:7000", "far");
            lab.workload("caller", List.of(), List.of("sleep", "300"));
            Set<String> all = new TreeSet<>(NEAR);
            all.addAll(FAR);
            await(lab, all);

            lab.apply("nearest", NEAREST);
            for (int i = 0; i < 3; i++) {
                assertEquals(NEAR, who(lab), "no call leaves the zone once apply returned");
            }
            explained(lab);

            for (Process one : near) {
                one.descendants().forEach(ProcessHandle::destroyForcibly);
                one.destroyForcibly().waitFor();
            }
            await(lab, FAR);
            serve(lab, "web", "http:9080", "near");
            serve(lab, "db", "tcp:7000", "near");
            await(lab, NEAR);
        }
    }

    private static void explained(MeshLab lab) throws Exception {
        String listed = lab.tulle("endpoints", "web").ok().out();
        assertTrue(listed.contains(" r/z1 ") && listed.contains(" q/z "), listed);
        for (String to : List.of("http://web:9080/", "db:7000")) {
            Command.Result why =
                    lab.tulle("explain", "--from", "caller", "--to", to).run();
            assertTrue(why.out().contains("the caller's node is in r/z1"), why::toString);
            assertTrue(why.out().contains("near) in r/z1"), why::toString);
            assertTrue(!why.out().contains("far)"), why::toString);
        }
        String paths = lab.tulle("status", "--paths").ok().out();
        assertTrue(paths.matches("(?s).*db\\S*\\s+7000\\s.*?kernel-l4.*"), paths);
        assertTrue(paths.matches("(?s).*web\\S*\\s+9080\\s.*?kernel-http.*"), paths);
    }

    /** One without the label is where its node is. */
    private static Process serve(MeshLab lab, String service, String port, String place) throws Exception {
        String name = service + "-" + place;
        List<String> options = new ArrayList<>(List.of("--service", service, "--port", port));
        if (place.equals("far")) {
            options.addAll(List.of("--label", "istio-locality=q.z"));
        }
        String number = port.substring(port.indexOf(':') + 1);
        return lab.workload(
                name, options, List.of("python3", lab.program("server.py").toString(), name, number));
    }

    /** Who answers a dozen calls to each service: on new connections, and on one that is kept. */
    private static Set<String> who(MeshLab lab) throws Exception {
        List<String> words = new ArrayList<>(List.of("sh", "-c"));
        words.add("for i in 1 2 3 4 5 6; do curl -sS -m 3 http://db:7000/ http://db:7000/;"
                + " curl -sS -m 3 http://web:9080/; done;"
                + " curl -sS -m 3 'http://web:9080/[1-12]'");
        Set<String> names = new TreeSet<>();
        for (String line :
                lab.in("look", words.toArray(String[]::new)).run().out().split("\n")) {
            names.add(line.split(" ", 2)[0]);
        }
        return names;
    }

    private static void await(MeshLab lab, Set<String> expected) throws Exception {
        lab.await("answers from " + expected, Duration.ofSeconds(30), () -> {
            try {
                return who(lab).equals(expected);
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
    }
}
