package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Too much configuration is refused by name, and what was in force stays. */
class VolumeTest {
    @TempDir
    private Path dir = Path.of("");

    // @TempDir sets it before any test runs.
    @SuppressWarnings("NullAway.Init")
    VolumeTest() {}

    /** A route table of so many routes, each with a path of its own. */
    private static String routes(String host, int routes) {
        StringBuilder text = new StringBuilder("apiVersion: networking.istio.io/v1\nkind: VirtualService\n");
        text.append("metadata: {name: ")
                .append(host)
                .append("}\nspec:\n  hosts: [")
                .append(host)
                .append("]\n  http:\n");
        for (int i = 0; i < routes; i++) {
            text.append("  - {match: [{uri: {prefix: /p").append(i).append("}}], route: [{destination: {host: ");
            text.append(host).append("}}]}\n");
        }
        return text.append("---\n").toString();
    }

    private static String entry(int number) {
        return """
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: e%1$d}
                spec:
                  hosts: [e%1$d.example.test]
                  ports: [{number: 80, name: http, protocol: HTTP}]
                  resolution: STATIC
                  endpoints: [{address: 10.1.2.3}]
                ---
                """.formatted(number);
    }

    @Test
    void fiveThousandServiceEntriesAreTaken() throws IOException {
        StringBuilder all = new StringBuilder();
        for (int i = 0; i < 2_500; i++) {
            all.append(entry(i));
        }
        Files.writeString(dir.resolve("a.yaml"), all);
        Files.writeString(
                dir.resolve("b.yaml"),
                all.toString().replace("name: e", "name: f").replace("[e", "[f"));
        try (ConfigDirectory directory = ConfigDirectory.open(ConfigDirectoryOptions.of(dir))) {
            ConfigSnapshot snapshot = directory.snapshot();
            assertEquals(List.of(), snapshot.problems());
            assertEquals(5_000, snapshot.resources().size());
        }
    }

    @Test
    void fiftyThousandRoutesAreRefusedByNameAndTheOthersStay() throws IOException {
        // 10 files of 5,000 routes of 11 values; with 20 it takes twice as long and is no different.
        for (int i = 0; i < 10; i++) {
            Files.writeString(dir.resolve("routes-%02d.yaml".formatted(i)), routes("h%02d".formatted(i), 5_000));
        }
        try (ConfigDirectory directory = ConfigDirectory.open(ConfigDirectoryOptions.of(dir))) {
            ConfigSnapshot snapshot = directory.snapshot();
            int taken = snapshot.virtualServices().size();
            assertTrue(taken >= 5 && taken <= 8, taken + " of 10 are in force");
            List<Problem> errors =
                    snapshot.problems().stream().filter(Problem::isError).toList();
            assertEquals(10 - taken, errors.size());
            assertEquals("too many values", errors.getFirst().message());
            assertEquals("at most 400000 in force together", errors.getFirst().expected());
            assertTrue(errors.getFirst().resource().startsWith("VirtualService default/h"), errors.toString());
            ApplyResult more = directory.apply(routes("z", 5_000), "-");
            assertEquals(List.of(), more.applied());
            assertTrue(
                    more.problems().toString().contains("too many values"),
                    more.problems().toString());
            assertEquals(taken, directory.snapshot().virtualServices().size());
        }
    }

    @Test
    void filesThatHaveNoRoomAreReadWhenThereIs() throws Exception {
        List<Path> large = new ArrayList<>();
        String padding = "# " + "x".repeat(1_000_000 - 4) + "\n";
        for (int i = 0; i < 20; i++) {
            Path file = dir.resolve("large-%02d.yaml".formatted(i));
            large.add(Files.writeString(file, padding + entry(i)));
        }
        try (ConfigDirectory directory = ConfigDirectory.open(ConfigDirectoryOptions.of(dir))) {
            assertEquals(16, directory.snapshot().resources().size());
            List<Problem> errors = directory.snapshot().problems();
            assertEquals(4, errors.size());
            assertTrue(errors.getFirst().toString().contains("there is no room for this file, so it was not read"));
            ApplyResult more = directory.apply("# " + "y".repeat(900_000) + "\n" + entry(99), "-");
            assertEquals(1, more.applied().size(), "an apply writes what is in the document, not its comments");
            for (int i = 0; i < 4; i++) {
                Files.delete(large.get(i));
            }
            long end = System.nanoTime() + 20_000_000_000L;
            while (!directory.snapshot().problems().isEmpty() && System.nanoTime() < end) {
                Thread.sleep(50);
            }
            assertEquals(17, directory.snapshot().resources().size());
            assertEquals(List.of(), directory.snapshot().problems());
        }
    }
}
