package dev.tulle.control;

import dev.tulle.common.LocalApiServer;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Tells a caller from time to time that its request is being worked on, so that it can tell a long answer from none. Ends
 * when closed; after that nothing more is sent.
 */
final class Progress implements AutoCloseable {
    /** Tells nothing. */
    static final Progress NONE = new Progress(null);

    private static final String LINE = "{\"progress\":true}";

    private final CountDownLatch over = new CountDownLatch(1);
    private final @Nullable Thread teller;

    private Progress(@Nullable Thread teller) {
        this.teller = teller;
    }

    private Progress(LocalApiServer.Replies replies, Duration every) {
        // Not interrupted to end it: that would close the caller's connection.
        teller = Thread.ofVirtual().name("local-api-progress").start(() -> tellUntilOver(replies, every));
    }

    /** Begins to tell. */
    static Progress tell(LocalApiServer.Replies replies, Duration every) {
        return new Progress(replies, every);
    }

    private void tellUntilOver(LocalApiServer.Replies replies, Duration every) {
        try {
            while (!over.await(every.toMillis(), TimeUnit.MILLISECONDS)) {
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
