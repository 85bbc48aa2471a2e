package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What was applied first is older than what came later, whatever the objects are called. */
class AppliedOrderTest {
    @TempDir
    Path dir;

    private static String route(String name, int status) {
        return """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: %s}
            spec: {hosts: [web.example.com], http: [{directResponse: {status: %d}}]}
            """.formatted(name, status);
    }

    private static Instant created(ConfigDirectory directory, String name) {
        return directory
                .get(new ResourceKey("VirtualService", "default", name))
                .orElseThrow()
                .manifest()
                .created();
    }

    @Test
    void anObjectKeepsTheTimeOfItsFirstApply() throws IOException, InterruptedException {
        Files.writeString(dir.resolve("c.yaml"), route("c", 200));
        try (ConfigDirectory directory = ConfigDirectory.open(ConfigDirectoryOptions.of(dir))) {
            directory.apply(route("b", 200), "b.yaml");
            Thread.sleep(5);
            ApplyResult second = directory.apply(route("a", 201), "a.yaml");
            assertEquals(
                    List.of("VirtualService default/a"),
                    second.problems().stream().map(Problem::resource).toList(),
                    "the younger one is told that it has no effect");
            Instant first = created(directory, "b");
            Thread.sleep(5);
            directory.apply(route("b", 202), "b.yaml");
            directory.apply(route("c", 202), "c.yaml");
            assertEquals(first, created(directory, "b"));
            assertTrue(first.isBefore(created(directory, "a")));
            assertEquals(Instant.MIN, created(directory, "c"), "what a person wrote into the folder stays as it is");
        }
    }
}
