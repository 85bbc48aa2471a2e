package dev.tulle.cli.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunEventsTest {
    private static final Instant NOW = Instant.parse("2026-11-21T04:00:00Z");

    @TempDir
    private Path directory;

    private RunEvents events() {
        return new RunEvents(directory, InstantSource.fixed(NOW));
    }

    @Test
    void theNewestEventsComeOldestFirst() {
        events().add("proxy", "one");
        events().add("node", "two");
        events().add("proxy", "three");

        assertEquals(
                List.of(new RunEvents.Event(NOW, "node", "two"), new RunEvents.Event(NOW, "proxy", "three")),
                events().latest(2));
    }

    @Test
    void aLineCutOffByACrashIsLeftOut() throws IOException {
        events().add("proxy", "one");
        Files.writeString(directory.resolve("events.jsonl"), "{\"time\":\"2026", StandardOpenOption.APPEND);

        assertEquals(1, events().latest(10).size());
    }

    @Test
    void theFileStaysShort() throws IOException {
        RunEvents events = events();
        for (int i = 0; i < 3 * RunEvents.MAX_EVENTS; i++) {
            events.add("proxy", "event " + i);
        }

        assertTrue(Files.readAllLines(directory.resolve("events.jsonl")).size() <= 2 * RunEvents.MAX_EVENTS);
        assertEquals("event 599", events.latest(1).getFirst().what());
    }
}
