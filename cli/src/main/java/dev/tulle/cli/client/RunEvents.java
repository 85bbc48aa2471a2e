package dev.tulle.cli.client;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.common.PrivateFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;

/**
 * What happened to the mesh's roles: started, died, started again, with time and cause. Kept in a file of the run
 * directory, so that it survives the process that wrote it; at most {@value #MAX_EVENTS} events are kept. Any thread.
 */
public final class RunEvents {
    /** How many events are kept. */
    public static final int MAX_EVENTS = 200;

    private static final System.Logger LOG = System.getLogger(RunEvents.class.getName());

    /**
     * One event.
     *
     * @param time when
     * @param role which role, for example {@code proxy}
     * @param what what happened, one sentence
     */
    public record Event(Instant time, String role, String what) {}

    private final Path file;
    private final InstantSource clock;

    /** Keeps events in the run directory. */
    public RunEvents(Path runDirectory, InstantSource clock) {
        this.file = runDirectory.resolve("events.jsonl");
        this.clock = clock;
    }

    /** Records an event now. A full disk costs the record, never the caller. */
    public synchronized void add(String role, String what) {
        JsonObject line = Json.of("time", clock.instant().toString(), "role", role, "what", what);
        try {
            if (!Files.exists(file)) {
                PrivateFiles.create(file);
            }
            Files.writeString(file, line + "\n", StandardCharsets.UTF_8, StandardOpenOption.APPEND);
            shorten();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, file + ": cannot record '" + what + "': " + e.getMessage());
        }
    }

    private void shorten() throws IOException {
        List<String> lines = Files.readAllLines(file);
        if (lines.size() > 2 * MAX_EVENTS) {
            PrivateFiles.replace(
                    file, String.join("\n", lines.subList(lines.size() - MAX_EVENTS, lines.size())) + "\n");
        }
    }

    /** The newest events, oldest first; none when there is no file. A line cut off by a crash is left out. */
    public List<Event> latest(int count) {
        List<Event> events = new ArrayList<>();
        try {
            if (!Files.exists(file)) {
                return List.of();
            }
            List<String> lines = Files.readAllLines(file);
            for (String line : lines.subList(Math.max(0, lines.size() - count), lines.size())) {
                try {
                    JsonObject event = JsonParser.parseString(line).getAsJsonObject();
                    events.add(new Event(
                            Instant.parse(Json.text(event, "time")),
                            Json.text(event, "role"),
                            Json.text(event, "what")));
                } catch (JsonParseException | IllegalStateException | java.time.format.DateTimeParseException e) {
                    LOG.log(System.Logger.Level.DEBUG, file + ": a line is no event: " + line);
                }
            }
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, file + ": cannot be read: " + e.getMessage());
        }
        return events;
    }
}
