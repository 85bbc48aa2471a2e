package dev.tulle.proxy.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Files that are followed together. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class FileWatchTest {
    @TempDir
    private Path directory;

    private static void await(Followed<String> followed, String text) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!text.equals(followed.current())) {
            assertTrue(System.nanoTime() < end, "still " + followed.current());
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }

    private Followed<String> follow(FileWatch watch, Path file) {
        return watch.follow(List.of(file), () -> Files.readString(file), _ -> {});
    }

    private static String broken() {
        throw new StackOverflowError("too deep");
    }

    @Test
    void whatIsWrongWithOneIsNoTroubleOfOthers() throws Exception {
        Path file = Files.writeString(directory.resolve("file"), "one");
        try (FileWatch watch = new FileWatch(Duration.ofMillis(20))) {
            Followed<String> wrong = watch.follow(List.of(file), FileWatchTest::broken, _ -> {});
            Followed<String> kept = watch.follow(List.of(file), () -> Files.readString(file), _ -> broken());
            Followed<String> deaf =
                    watch.follow(List.of(file), () -> Files.readString(file), FileWatchTest::broken, _ -> {});
            Followed<String> other = follow(watch, file);
            for (Followed<?> each : List.of(wrong, kept, deaf, other)) {
                each.first().get(10, TimeUnit.SECONDS);
            }
            assertNull(wrong.current());
            assertEquals("too deep", wrong.trouble());
            for (String text : List.of("the second", "the third one")) {
                Files.writeString(file, text);
                for (Followed<String> each : List.of(kept, deaf, other)) {
                    await(each, text);
                    assertEquals("", each.trouble());
                }
            }
        }
    }

    @Test
    void whoIsToldFindsItInForce() throws IOException {
        Path file = Files.writeString(directory.resolve("told"), "made");
        CompletableFuture<Followed<String>> known = new CompletableFuture<>();
        CompletableFuture<String> found = new CompletableFuture<>();
        try (FileWatch watch = new FileWatch(Duration.ofMillis(20))) {
            known.complete(watch.follow(
                    List.of(file),
                    () -> Files.readString(file),
                    () -> found.complete(String.valueOf(known.join().current())),
                    _ -> {}));
            assertEquals("made", found.join());
        }
    }
}
