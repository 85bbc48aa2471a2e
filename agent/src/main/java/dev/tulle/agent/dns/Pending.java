package dev.tulle.agent.dns;

import java.util.concurrent.atomic.AtomicInteger;

/** Counts what has been taken in and is not finished, so that an end can wait for it a moment. Thread-safe. */
final class Pending {
    private static final int PATIENCE_MILLIS = 500;
    private static final int STEP_MILLIS = 5;

    private final AtomicInteger count = new AtomicInteger();

    void begun() {
        count.incrementAndGet();
    }

    void done() {
        count.decrementAndGet();
    }

    /** Waits until all is done, or too long. */
    void await() {
        try {
            for (int waited = 0; count.get() > 0 && waited < PATIENCE_MILLIS; waited += STEP_MILLIS) {
                Thread.sleep(STEP_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
