package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Proves with real programs who passes and who does not, and that no forbidden request passes once apply returned. */
@Tag("e2e")
class AuthorizationTest {
    private static final int CHANGES = 40;

    private static final String READERS = """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: readers, namespace: default}
            spec:
              selector: {matchLabels: {app: web}}
              rules:
              - from: [{source: {principals: [cluster.local/ns/default/sa/reader]}}]
                to: [{operation: {paths: ["/public*"]}}]
              - from: [{source: {principals: [cluster.local/ns/default/sa/admin]}}]
            """;

    private static final String NO_POST = """
            apiVersion: security.istio.io/v1beta1
            kind: AuthorizationPolicy
            metadata: {name: no-post, namespace: default}
            spec:
              action: DENY
              rules:
              - to: [{operation: {methods: [POST]}}]
            """;

    @Test
    void byServiceAccountPathAndMethod() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            serve(lab);
            assertEquals("200", code(lab, "anybody", "http://web:9080/secret"));
            lab.apply("readers", READERS);
            assertEquals("200", code(lab, "reader", "http://web:9080/public/a"));
            assertEquals("403", code(lab, "reader", "http://web:9080/secret"));
            assertEquals("403", code(lab, "reader", "--path-as-is", "http://web:9080/public/..;/secret"));
            assertEquals("403", code(lab, "reader", "--path-as-is", "http://web:9080/public/%2e%2e/secret"));
            assertEquals("200", code(lab, "admin", "http://web:9080/secret"));
            assertEquals("200", code(lab, "admin", "-X", "POST", "http://web:9080/secret"));
            assertEquals("403", code(lab, "anybody", "http://web:9080/public/a"));
            Command.Result told = lab.tulle(
                            "run", "--name", "c", "--service-account", "x", "--", "curl", "-s", "http://web:9080/")
                    .ok();
            assertEquals("RBAC: access denied", told.out());

            ownAddress(lab);

            lab.apply("no-post", NO_POST);
            assertEquals("403", code(lab, "admin", "-X", "POST", "http://web:9080/secret"));
            assertEquals("200", code(lab, "admin", "http://web:9080/secret"));

            explained(lab);

            Command.Result got = lab.tulle("get", "ap").ok();
            assertTrue(got.out().contains("readers") && got.out().contains("no-post"), got.toString());
            lab.tulle("delete", "authorizationpolicy", "no-post").ok();
            assertEquals("200", code(lab, "admin", "-X", "POST", "http://web:9080/secret"));
            lab.tulle("delete", "authorizationpolicy", "readers").ok();
            assertEquals("200", code(lab, "anybody", "http://web:9080/secret"));
        }
    }

    /** Who calls the workload's own address comes no further: it is asked for as bytes, which a path never matches. */
    private static void ownAddress(MeshLab lab) throws Exception {
        String url = "http://" + lab.address("web") + ":9080/public/a";
        lab.await("the kernel takes calls of its own address to the proxy", Duration.ofSeconds(10), () -> {
            try {
                return code(lab, "reader", url).equals("000");
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
        assertEquals("000", code(lab, "anybody", url));
        assertEquals("200", code(lab, "admin", url));
    }

    /** The explanation names the verdict and the object behind it. */
    private static void explained(MeshLab lab) throws Exception {
        lab.workload("caller", List.of("--service-account", "reader"), List.of("sleep", "300"));
        lab.await("the caller is known", Duration.ofSeconds(20), () -> {
            try {
                return lab.tulle("workloads").run().out().contains("caller");
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
        Command.Result denied = lab.tulle("explain", "--from", "caller", "--to", "http://web:9080/secret")
                .run();
        assertEquals(1, denied.status(), denied.toString());
        assertTrue(denied.out().contains("no rule of the ALLOW policy default/readers matches"), denied.toString());
        Command.Result allowed = lab.tulle("explain", "--from", "caller", "--to", "http://web:9080/public/a")
                .run();
        assertEquals(0, allowed.status(), allowed.toString());
        assertTrue(allowed.out().contains("allowed: rules[0] of ALLOW policy default/readers"), allowed.toString());
        Command.Result method = lab.tulle(
                        "explain", "--from", "caller", "--to", "http://web:9080/public/a", "--method", "POST")
                .run();
        assertTrue(method.out().contains("AuthorizationPolicy default/no-post"), method.toString());
    }

    @Test
    void nothingForbiddenPassesOnceApplyReturned() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            serve(lab);
            String seconds = "25";
            Process probe = lab.workload(
                    "probe",
                    List.of(),
                    List.of("python3", lab.program("probe.py").toString(), "web", "9080", "/secret", seconds));
            Process load = lab.workload(
                    "load", List.of(), List.of("wrk", "-t1", "-c8", "-d20", "http://web.default:9080/public"));
            Thread.sleep(1500);
            List<long[]> forbidden;
            try (LiveControl control = new LiveControl(lab)) {
                forbidden = control.inForce(READERS, "readers", CHANGES);
            }
            probe.destroyForcibly().waitFor();
            load.destroyForcibly().waitFor();

            int judged = 0;
            int passed = 0;
            List<String> wrong = new ArrayList<>();
            Path log = lab.folder().resolve("probe.log");
            for (String line : Files.readAllLines(log)) {
                String[] words = line.split(" ");
                if (words.length < 3) {
                    continue;
                }
                long sent = Long.parseLong(words[0]);
                long done = sent + Long.parseLong(words[1]);
                passed += words[2].equals("200") ? 1 : 0;
                if (!words[2].equals("200") && !words[2].equals("403")) {
                    wrong.add(line);
                }
                for (long[] span : forbidden) {
                    // Milliseconds are cut off on both sides.
                    if (sent > span[0] && done < span[1]) {
                        judged++;
                        if (!words[2].equals("403")) {
                            wrong.add(line);
                        }
                    }
                }
            }
            assertEquals(List.of(), wrong, "forbidden requests that passed, or failed otherwise");
            assertTrue(forbidden.size() > CHANGES / 2, forbidden.size() + " applies were taken in time");
            assertTrue(judged > CHANGES && passed > CHANGES, judged + " judged, " + passed + " passed");
        }
    }

    private static void serve(MeshLab lab) throws Exception {
        lab.workload(
                "web",
                List.of("--service", "web", "--label", "app=web", "--port", "http:9080"),
                List.of("python3", lab.program("server.py").toString(), "v1", "9080"));
        lab.await("the server answers", Duration.ofSeconds(20), () -> {
            try {
                return code(lab, "anybody", "http://web:9080/").equals("200");
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
    }

    private static String code(MeshLab lab, String account, String... curl) throws Exception {
        List<String> words = new ArrayList<>(List.of("run", "--name", "c-" + account, "--service-account", account));
        words.addAll(List.of("--", "curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}"));
        words.addAll(List.of(curl));
        return lab.tulle(words.toArray(String[]::new)).run().out();
    }
}
