package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.MeshLab;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves with real programs that a workload is known by its connections: sockets bound first to whatever address and port,
 * fast open, reconnects and passed sockets, to a service, an own address, a published port and the explicit port change
 * nothing in what a policy says of it, for good or bad.
 */
@Tag("e2e")
class CallerIdentityTest {
    private static final int PUBLISHED = 28790;
    private static final int LEAST = 60;

    private static final String POLICY = """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: who, namespace: default}
            spec:
              selector: {matchLabels: {app: web}}
              action: %s
              rules:
              - from: [{source: {%s: [cluster.local/ns/default/sa/%s]}}]
            """;

    @Test
    void nobodyIsTakenForSomebodyElse() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            String program = lab.program("callers.py").toString();
            lab.workload(
                    "web",
                    List.of(
                            "--service",
                            "web",
                            "--label",
                            "app=web",
                            "--port",
                            "http:8080",
                            "--port",
                            "tcp:7000",
                            "--publish",
                            PUBLISHED + ":8080"),
                    List.of("python3", program, "serve", "8080", "7000"));
            lab.await("web answers", Duration.ofSeconds(20), () -> {
                try {
                    return lab.tulle("workloads", "web").run().out().contains("yes");
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
            String address = lab.address("web");
            passes("no policy", attempts(lab, "mallory", address));

            lab.apply("deny", POLICY.formatted("DENY", "principals", "mallory"));
            refused("DENY on the principal", attempts(lab, "mallory", address));
            passes("DENY on another principal", attempts(lab, "friend", address));

            lab.apply("deny-all-but", POLICY.formatted("DENY", "notPrincipals", "friend"));
            refused("DENY on notPrincipals", attempts(lab, "mallory", address));
            passes("DENY on all others", attempts(lab, "friend", address));

            lab.apply("allow", POLICY.formatted("ALLOW", "principals", "friend"));
            refused("ALLOW of another principal", attempts(lab, "mallory", address));
            passes("ALLOW of its principal", attempts(lab, "friend", address));
        }
    }

    @Test
    void whatALeaseHasOpenedEndsWithIt() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            String program = lab.program("callers.py").toString();
            lab.workload(
                    "web",
                    List.of("--service", "web", "--port", "http:8080", "--port", "tcp:7000"),
                    List.of("python3", program, "serve", "8080", "7000"));
            lab.await("web answers", Duration.ofSeconds(20), () -> {
                try {
                    return lab.tulle("workloads", "web").run().out().contains("yes");
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
            Path said = lab.folder().resolve("said");
            lab.workload("holder", List.of(), List.of("python3", program, "hold", "web", "7000", said.toString()));
            lab.await("a connection is held", Duration.ofSeconds(20), () -> read(said)
                    .equals("open"));
            String address = lab.address("holder");

            lab.tulle("release", "holder").ok();
            lab.await("the connection is cut", Duration.ofSeconds(10), () -> read(said)
                    .startsWith("cut"));
            // Given back just now: another workload gets another address, the same one its own.
            lab.workload("other", List.of(), List.of("sleep", "30"));
            lab.await("other runs", Duration.ofSeconds(20), () -> listed(lab, "other"));
            assertTrue(!lab.address("other").equals(address), address);
        }
    }

    private static boolean listed(MeshLab lab, String workload) {
        try {
            return lab.tulle("workloads", workload).run().out().contains(workload);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static String read(Path file) {
        try {
            return Files.exists(file) ? Files.readString(file) : "";
        } catch (IOException e) {
            return "";
        }
    }

    /** What became of each attempt of a workload of this account. */
    private static Map<String, String> attempts(MeshLab lab, String account, String address) throws Exception {
        String name = account + "-" + System.nanoTime() % 1_000_000;
        Process process = lab.workload(
                name,
                List.of("--service-account", account),
                List.of(
                        "python3",
                        lab.program("callers.py").toString(),
                        "try",
                        "web",
                        "8080",
                        "7000",
                        address,
                        Integer.toString(PUBLISHED),
                        Integer.toString(lab.port(15080))));
        assertEquals(0, process.waitFor());
        Map<String, String> outcomes = new TreeMap<>();
        for (String line : Files.readAllLines(lab.folder().resolve(name + ".log"))) {
            String[] words = line.split(" ");
            outcomes.put(words[0], words[words.length - 1]);
        }
        assertTrue(outcomes.size() >= LEAST, outcomes.size() + " attempts");
        return outcomes;
    }

    private static void refused(String what, Map<String, String> outcomes) {
        assertEquals(List.of(), others(outcomes, "refused", false), what + ": attempts that were not refused");
    }

    /** All succeed but for those at the explicit port, which is not open in this tier. */
    private static void passes(String what, Map<String, String> outcomes) {
        assertEquals(List.of(), others(outcomes, "ok", true), what + ": attempts that did not succeed");
        outcomes.forEach((name, outcome) -> {
            if (isExplicit(name)) {
                assertEquals("refused", outcome, what + ": " + name);
            }
        });
    }

    private static List<String> others(Map<String, String> outcomes, String expected, boolean withoutExplicit) {
        List<String> others = new ArrayList<>();
        outcomes.forEach((name, outcome) -> {
            if (!outcome.equals(expected) && !(withoutExplicit && isExplicit(name))) {
                others.add(name + " " + outcome);
            }
        });
        return others;
    }

    private static boolean isExplicit(String name) {
        return name.startsWith("connect_") || name.startsWith("absolute_");
    }
}
