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

/**
 * Proves that broken configuration is named with file, line, field and value, by {@code tulle validate} and by hot reload,
 * and that what was in force before keeps serving.
 */
@Tag("e2e")
class BrokenConfigurationTest {
    private static final String GOOD = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: web, namespace: default}
            spec:
              hosts: [web]
              http:
              - match: [{uri: {exact: /marker}}]
                directResponse: {status: 418}
              - route: [{destination: {host: web}}]
            """;

    @Test
    void eachIsNamedAndTheLastGoodConfigurationServes() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            lab.workload(
                    "web",
                    List.of("--service", "web", "--port", "http:9080"),
                    List.of("python3", lab.program("server.py").toString(), "web", "9080"));
            lab.apply("good", GOOD);
            lab.await("the good configuration serves", Duration.ofSeconds(20), () -> serves(lab));

            List<String> wrong = new ArrayList<>();
            Path folder = Files.createDirectories(lab.folder().resolve("broken"));
            for (BrokenManifests.Broken broken : BrokenManifests.all()) {
                Path file = folder.resolve(broken.name() + ".yaml");
                broken.write(file);
                Command.Result verdict =
                        lab.offline("validate", file.toString()).run();
                judge(wrong, "validate", broken, verdict.status() == 1, verdict.out() + verdict.err());
                broken.write(lab.configDirectory().resolve(broken.name() + ".yaml"));
            }
            lab.await("hot reload names every file", Duration.ofSeconds(10), () -> allNamed(status(lab)));
            String status = status(lab);
            for (BrokenManifests.Broken broken : BrokenManifests.all()) {
                String about = aboutFile(status, broken.name());
                judge(wrong, "hot reload", broken, !about.isEmpty(), about);
            }
            assertEquals(List.of(), wrong);
            assertTrue(serves(lab), "the last good configuration serves");
            for (BrokenManifests.Broken broken : BrokenManifests.all()) {
                Files.delete(lab.configDirectory().resolve(broken.name() + ".yaml"));
            }
            lab.await("the problems go with the files", Duration.ofSeconds(10), () -> aboutFile(status(lab), "tabs")
                    .isEmpty());
            assertTrue(serves(lab), "the good configuration still serves");
        }
    }

    private static void judge(
            List<String> wrong, String by, BrokenManifests.Broken broken, boolean refused, String report) {
        if (!refused) {
            wrong.add(by + " accepts " + broken.name() + ": " + report);
            return;
        }
        if (!report.contains(broken.name() + ".yaml")) {
            wrong.add(by + ": " + broken.name() + ": no file in: " + report);
        }
        for (String part : broken.expected()) {
            if (!report.contains(part)) {
                wrong.add(by + ": " + broken.name() + ": no '" + part + "' in: " + report);
            }
        }
        if (!com.google.re2j.Pattern.compile("yaml:\\d+|line[\" :]+\\d+")
                .matcher(report)
                .find()) {
            wrong.add(by + ": " + broken.name() + ": no line in: " + report);
        }
    }

    private static boolean allNamed(String status) {
        return BrokenManifests.all().stream()
                .noneMatch(broken -> aboutFile(status, broken.name()).isEmpty());
    }

    /** The part of the status from the first mention of the file on, long enough for its problem. */
    private static String aboutFile(String status, String name) {
        StringBuilder about = new StringBuilder();
        for (String problem : status.split("\\{", -1)) {
            if (problem.contains("/" + name + ".yaml") || problem.contains("\"" + name + ".yaml")) {
                about.append(problem);
            }
        }
        return about.toString();
    }

    private static String status(MeshLab lab) {
        try {
            return lab.tulle("status", "-o", "json").run().out();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static boolean serves(MeshLab lab) {
        try {
            Command.Result seen = lab.in(
                            "look",
                            "curl",
                            "-s",
                            "-m",
                            "3",
                            "-w",
                            "%{http_code}",
                            "http://web:9080/marker",
                            "http://web:9080/")
                    .run();
            return seen.out().contains("418") && seen.out().contains("web ");
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
