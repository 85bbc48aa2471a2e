package dev.tulle.common;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Tells a caller that its request is being worked on: at once, and from then on from time to time, so that it can tell a
 * long answer from none. A caller that no longer waits (it gave up while the role was stopped) is found by the first line,
 * before anything is done for it. Ends when closed; after that nothing more is sent.
 */
public final class LocalApiProgress implements AutoCloseable {
    private static final Duration EVERY = Duration.ofSeconds(2);
    private static final String LINE = "{\"progress\":true}";

    private final CountDownLatch over = new CountDownLatch(1);
    private final @Nullable Thread teller;

    private LocalApiProgress() {
        teller = null;
    }

    private LocalApiProgress(LocalApiServer.Replies replies, Duration every, Duration longest) {
        // Not interrupted to end it: that would close the caller's connection.
        teller = Thread.ofVirtual().name("local-api-progress").start(() -> tellUntilOver(replies, every, longest));
    }

    /**
     * Begins to tell.
     *
     * @param wanted whether the caller understands it; otherwise nothing is told
     * @param longest after this nothing more is told: what hangs must not look like work
     * @throws IOException when the caller has gone: nothing must be done for it
     */
    public static LocalApiProgress begin(LocalApiServer.Replies replies, boolean wanted, Duration longest)
            throws IOException {
        return begin(replies, wanted, EVERY, longest);
    }

    static LocalApiProgress begin(LocalApiServer.Replies replies, boolean wanted, Duration every, Duration longest)
            throws IOException {
        if (!wanted) {
            return new LocalApiProgress();
        }
        replies.send(LINE);
        return new LocalApiProgress(replies, every, longest);
    }

    private void tellUntilOver(LocalApiServer.Replies replies, Duration every, Duration longest) {
        long begun = System.nanoTime();
        try {
            while (!over.await(every.toMillis(), TimeUnit.MILLISECONDS)
                    && System.nanoTime() - begun < longest.toNanos()) {
                replies.send(LINE);
            }
        } catch (IOException e) {
            // The caller has gone, which whoever sends the answer will find too.
            over.countDown();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        over.countDown();
        Thread telling = teller;
        if (telling != null) {
            try {
                telling.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
