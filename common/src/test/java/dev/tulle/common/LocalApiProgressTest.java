package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That work is told of while it goes on, and not done for a caller that has gone. */
class LocalApiProgressTest {
    private static final String TOLD = "{\"progress\":true}";

    @TempDir
    Path dir;

    @Test
    void nothingIsDoneForACallerThatHasGone() throws Exception {
        BlockingQueue<String> done = new LinkedBlockingQueue<>();
        CountDownLatch stopped = new CountDownLatch(1);
        try (LocalApiServer _ = LocalApiServer.start(dir.resolve("api.sock"), (line, replies) -> {
            await(stopped);
            try (LocalApiProgress _ = LocalApiProgress.begin(replies, true, Duration.ofSeconds(5))) {
                done.add(line);
            }
            replies.send("end");
        })) {
            try (LocalApiClient impatient = LocalApiClient.connect(dir.resolve("api.sock"))) {
                impatient.send("given up");
            }
            try (LocalApiClient patient = LocalApiClient.connect(dir.resolve("api.sock"))) {
                patient.send("waited for");
                stopped.countDown();
                assertEquals(TOLD, patient.receive());
                assertEquals("end", patient.receive());
            }
            assertEquals("waited for", done.poll(5, TimeUnit.SECONDS));
            assertNull(done.poll(300, TimeUnit.MILLISECONDS));
        }
    }

    @Test
    void tellsFromTimeToTimeAndNotForEver() throws Exception {
        List<String> told = new ArrayList<>();
        LocalApiServer.Replies replies = line -> {
            synchronized (told) {
                told.add(line);
            }
        };
        try (LocalApiProgress _ =
                LocalApiProgress.begin(replies, true, Duration.ofMillis(10), Duration.ofMillis(200))) {
            Thread.sleep(600);
        }
        synchronized (told) {
            assertTrue(told.size() >= 3 && told.size() <= 21, told.size() + " lines");
            assertEquals(List.of(TOLD), told.stream().distinct().toList());
        }
    }

    @Test
    void tellsNothingToWhoDoesNotAsk() throws IOException {
        List<String> told = new ArrayList<>();
        LocalApiProgress.begin(told::add, false, Duration.ofSeconds(5)).close();
        assertEquals(List.of(), told);
    }

    private static void await(CountDownLatch latch) throws IOException {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }
}
