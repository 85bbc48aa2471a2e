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
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Proves that routing changes take effect at once and that a hundred of them under load cost no request. */
@Tag("e2e")
class RouteChangeTest {
    private static final int APPLIES = 100;
    private static final long EFFECT_MILLIS = 200;

    private static final String SUBSETS = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: reviews, namespace: default}
            spec:
              host: reviews
              subsets:
              - {name: v1, labels: {version: v1}}
              - {name: v2, labels: {version: v2}}
            """;

    private static String routeTo(String version) {
        return """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: reviews, namespace: default}
                spec:
                  hosts: [reviews]
                  http:
                  - route:
                    - destination: {host: reviews, subset: %s}
                """.formatted(version);
    }

    @Test
    void aHundredAppliesUnderLoadLoseNothingAndTakeEffectAtOnce() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            for (String version : List.of("v1", "v2")) {
                lab.workload(
                        "reviews-" + version,
                        List.of("--service", "reviews", "--label", "version=" + version, "--port", "http:9080"),
                        List.of("python3", lab.program("server.py").toString(), version, "9080"));
            }
            lab.await("both serve", Duration.ofSeconds(20), () -> serves(lab));
            lab.apply("subsets", SUBSETS);
            lab.apply("route", routeTo("v1"));
            Process probe = lab.workload(
                    "probe",
                    List.of(),
                    List.of("python3", lab.program("probe.py").toString(), "reviews", "9080", "/", "40"));
            Process load = lab.workload(
                    "load", List.of(), List.of("wrk", "-t1", "-c8", "-d25", "http://reviews.default:9080/"));
            Thread.sleep(1500);

            List<Change> changes = new ArrayList<>();
            try (LiveControl control = new LiveControl(lab)) {
                for (int i = 0; i < APPLIES; i++) {
                    String version = i % 2 == 0 ? "v2" : "v1";
                    var _ = control.apply(routeTo(version));
                    changes.add(new Change(System.currentTimeMillis(), version));
                    Thread.sleep(EFFECT_MILLIS + 30);
                }
            }
            long end = System.currentTimeMillis();
            assertTrue(load.waitFor(40, TimeUnit.SECONDS), "the load ends");
            probe.destroyForcibly().waitFor();

            String wrk = Files.readString(lab.folder().resolve("load.log"));
            assertTrue(wrk.contains("Requests/sec"), wrk);
            assertEquals(
                    List.of(),
                    wrk.lines()
                            .filter(line -> line.contains("Non-2xx") || line.contains("Socket errors"))
                            .toList());
            assertEquals(
                    List.of(),
                    wrong(lab.folder().resolve("probe.log"), changes, end),
                    "requests on the wrong route or failed");
        }
    }

    private record Change(long returned, String version) {}

    /** Requests that failed, or were sent at least EFFECT_MILLIS after an apply had returned and took the old route. */
    private static List<String> wrong(Path log, List<Change> changes, long end) throws Exception {
        List<String> wrong = new ArrayList<>();
        int checked = 0;
        for (String line : Files.readAllLines(log)) {
            String[] words = line.split(" ");
            if (words.length < 4) {
                continue;
            }
            long sent = Long.parseLong(words[0]);
            long done = sent + Long.parseLong(words[1]);
            if (!words[2].equals("200")) {
                wrong.add(line);
                continue;
            }
            for (int i = 0; i < changes.size(); i++) {
                long from = changes.get(i).returned() + EFFECT_MILLIS;
                // The next apply may take effect before it returns: only requests done 230 ms before are judged.
                long to = i + 1 < changes.size() ? changes.get(i).returned() + EFFECT_MILLIS + 30 : end;
                if (sent >= from && done < to) {
                    checked++;
                    if (!words[3].equals(changes.get(i).version())) {
                        wrong.add(line + " expected " + changes.get(i).version());
                    }
                }
            }
        }
        assertTrue(checked > APPLIES / 2, "too few requests to judge: " + checked);
        return wrong;
    }

    private static boolean serves(MeshLab lab) {
        try {
            Command.Result seen = lab.in(
                            "look",
                            "curl",
                            "-sS",
                            "--fail",
                            "-m",
                            "3",
                            "http://reviews:9080/",
                            "http://reviews:9080/",
                            "http://reviews:9080/",
                            "http://reviews:9080/",
                            "http://reviews:9080/",
                            "http://reviews:9080/")
                    .run();
            return seen.out().contains("v1") && seen.out().contains("v2");
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
