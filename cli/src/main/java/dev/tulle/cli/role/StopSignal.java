package dev.tulle.cli.role;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Lets the main thread end a role in order when the process is asked to stop: the shutdown hook asks, then waits until
 * the main thread calls {@link #exit}. Any thread.
 */
public final class StopSignal {
    private static final AtomicReference<@Nullable StopSignal> INSTALLED = new AtomicReference<>();

    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch done = new CountDownLatch(1);
    private volatile int status;

    private StopSignal() {}

    /** Listens for SIGTERM and SIGINT from now on; the process then ends only through {@link #exit}. */
    static StopSignal install() {
        StopSignal signal = new StopSignal();
        INSTALLED.set(signal);
        Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().name("stop").unstarted(signal::onShutdown));
        return signal;
    }

    private void onShutdown() {
        asked.countDown();
        try {
            done.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        // A process that a signal stops would report the signal, not how its orderly end went.
        Runtime.getRuntime().halt(status);
    }

    /** Ends the process with this status, also in the middle of a stop that a signal began. Does not return. */
    public static void exit(int status) {
        StopSignal signal = INSTALLED.get();
        if (signal != null) {
            signal.status = status;
            signal.done.countDown();
        }
        System.exit(status);
    }

    /** Asks for the end, as a signal would. */
    void request() {
        asked.countDown();
    }

    boolean requested() {
        return asked.getCount() == 0;
    }

    /** Waits until the end is asked for. */
    void await() throws InterruptedException {
        asked.await();
    }
}
