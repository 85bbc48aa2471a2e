package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves with real programs that the kernel enforces who may open TCP connections to whom, without the proxy, and that no
 * forbidden connection passes once apply returned.
 */
@Tag("e2e")
class TcpAuthorizationTest {
    private static final int CHANGES = 40;

    private static final String READERS = """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: readers, namespace: default}
            spec:
              selector: {matchLabels: {app: db}}
              rules:
              - from: [{source: {principals: [cluster.local/ns/default/sa/reader]}}]
                to: [{operation: {ports: ["7000"]}}]
            """;

    private static final String NO_READER = """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: no-reader, namespace: default}
            spec:
              action: DENY
              rules:
              - from: [{source: {principals: [cluster.local/ns/default/sa/reader]}}]
            """;

    @Test
    void byIdentityInTheKernel() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            serve(lab);
            lab.workload("caller", List.of("--service-account", "writer"), List.of("sleep", "300"));
            lab.workload("friend", List.of("--service-account", "reader"), List.of("sleep", "300"));
            lab.apply("readers", READERS);
            String address = lab.address("db");
            for (String to : List.of("db", address)) {
                assertEquals("ok", knock(lab, "reader", to), to);
                // The proxy would accept and close.
                assertEquals("refused", knock(lab, "writer", to), to);
            }
            explained(lab);

            lab.apply("no-reader", NO_READER);
            assertEquals("refused", knock(lab, "reader", "db"));
            assertEquals("refused", knock(lab, "reader", address));
            lab.tulle("delete", "authorizationpolicy", "no-reader").ok();
            assertEquals("ok", knock(lab, "reader", "db"));
            lab.tulle("delete", "authorizationpolicy", "readers").ok();
            assertEquals("ok", knock(lab, "writer", "db"));
            assertEquals("ok", knock(lab, "writer", address));
        }
    }

    /** What is explained is what happens, on which path and why. */
    private static void explained(MeshLab lab) throws Exception {
        lab.await("the callers are known", Duration.ofSeconds(20), () -> {
            try {
                String known = lab.tulle("workloads").run().out();
                return known.contains("caller") && known.contains("friend");
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
        Command.Result denied =
                lab.tulle("explain", "--from", "caller", "--to", "db:7000").run();
        assertEquals(1, denied.status(), denied.toString());
        assertTrue(denied.out().contains("no rule of the ALLOW policy default/readers matches"), denied.toString());
        assertTrue(denied.out().matches("(?s).*kernel path\\s+refused.*"), denied.toString());
        Command.Result allowed =
                lab.tulle("explain", "--from", "friend", "--to", "db:7000").run();
        assertEquals(0, allowed.status(), allowed.toString());
        assertTrue(allowed.out().matches("(?s).*kernel path\\s+kernel.*"), allowed.toString());
        assertTrue(allowed.out().contains("allowed: rules[0] of ALLOW policy default/readers"), allowed.toString());
        Command.Result paths = lab.tulle("status", "--paths").run();
        assertTrue(paths.out().matches("(?s).*db\\S*\\s+7000\\s.*?kernel-l4.*"), paths.toString());
    }

    @Test
    void nothingForbiddenPassesOnceApplyReturned() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            serve(lab);
            String program = lab.program("knock.py").toString();
            Process writer = lab.workload(
                    "w",
                    List.of("--service-account", "writer"),
                    List.of("python3", program, "load", "db", "7000", "25"));
            Process reader = lab.workload(
                    "r",
                    List.of("--service-account", "reader"),
                    List.of("python3", program, "load", "db", "7000", "25"));
            Thread.sleep(1500);
            List<long[]> forbidden;
            try (LiveControl control = new LiveControl(lab)) {
                forbidden = control.inForce(READERS, "readers", CHANGES);
            }
            writer.destroyForcibly().waitFor();
            reader.destroyForcibly().waitFor();

            int judged = 0;
            int passed = 0;
            int refused = 0;
            List<String> wrong = new ArrayList<>();
            for (String[] words : lines(lab, "w")) {
                long begun = Long.parseLong(words[0]);
                long done = begun + Long.parseLong(words[1]);
                passed += words[2].equals("ok") ? 1 : 0;
                refused += words[2].equals("refused") ? 1 : 0;
                if (!List.of("ok", "refused", "closed").contains(words[2])) {
                    wrong.add(String.join(" ", words));
                }
                for (long[] span : forbidden) {
                    // Milliseconds are cut off on both sides.
                    if (begun > span[0] && done < span[1]) {
                        judged++;
                        if (words[2].equals("ok")) {
                            wrong.add(String.join(" ", words));
                        }
                    }
                }
            }
            assertEquals(List.of(), wrong, "forbidden connections that passed, or failed otherwise");
            assertTrue(forbidden.size() > CHANGES / 2, forbidden.size() + " applies were taken in time");
            assertTrue(
                    judged > CHANGES && passed > CHANGES && refused > CHANGES,
                    judged + " judged, " + passed + " passed, " + refused + " refused by the kernel");

            List<String> lost = lines(lab, "r").stream()
                    .filter(words -> !words[2].equals("ok"))
                    .map(words -> String.join(" ", words))
                    .toList();
            assertEquals(List.of(), lost, "connections that are always allowed");
            assertTrue(lines(lab, "r").size() > 10 * CHANGES, lines(lab, "r").size() + " were made");
        }
    }

    private static List<String[]> lines(MeshLab lab, String workload) throws Exception {
        return Files.readAllLines(lab.folder().resolve(workload + ".log")).stream()
                .map(line -> line.split(" "))
                .filter(words -> words.length == 3 && words[0].matches("[0-9]{13}"))
                .toList();
    }

    private static void serve(MeshLab lab) throws Exception {
        lab.workload(
                "db",
                List.of("--service", "db", "--label", "app=db", "--port", "tcp:7000"),
                List.of("python3", lab.program("knock.py").toString(), "serve", "7000"));
        lab.await("the server answers", Duration.ofSeconds(20), () -> {
            try {
                return knock(lab, "anybody", "db").equals("ok");
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
    }

    private static String knock(MeshLab lab, String account, String host) throws Exception {
        String out = lab.tulle(
                        "run",
                        "--name",
                        "c-" + account,
                        "--service-account",
                        account,
                        "--",
                        "python3",
                        lab.program("knock.py").toString(),
                        "once",
                        host,
                        "7000")
                .run()
                .out()
                .strip();
        return out.substring(out.lastIndexOf(' ') + 1);
    }
}
