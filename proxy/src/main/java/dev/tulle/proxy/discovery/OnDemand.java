package dev.tulle.proxy.discovery;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Something that the control plane is asked for when it is needed: those who wait for the answer, and since when nobody
 * has used it. Any thread.
 */
abstract class OnDemand {
    /** Those who wait while the control plane does not answer; the oldest are forgotten. */
    private static final int MAX_WAITING = 8192;

    private final AtomicInteger users = new AtomicInteger();
    private volatile long lastUsed = System.nanoTime();
    private final Object waitingLock = new Object();
    private List<Runnable> waiting = new ArrayList<>();

    /** True when the control plane has answered. */
    public abstract boolean isKnown();

    /**
     * Calls back once it is known: at once, or on the thread that brings the news; never when thousands wait, so that the
     * caller needs a patience of its own.
     */
    public final void whenKnown(Runnable callback) {
        synchronized (waitingLock) {
            if (!isKnown()) {
                if (waiting.size() >= MAX_WAITING) {
                    // Who has waited for so many others has long given up.
                    waiting.subList(0, MAX_WAITING / 2).clear();
                }
                waiting.add(callback);
                return;
            }
        }
        callback.run();
    }

    /** Calls everyone back who waits; after {@link #isKnown} has become true. */
    final void tellWaiting() {
        List<Runnable> told;
        synchronized (waitingLock) {
            told = waiting;
            waiting = new ArrayList<>();
        }
        told.forEach(Runnable::run);
    }

    /** Somebody begins to use it: it is followed until {@link #release} and some time longer. */
    public final void retain() {
        users.incrementAndGet();
    }

    /** Somebody does not use it any more. */
    public final void release() {
        lastUsed = System.nanoTime();
        users.decrementAndGet();
    }

    /** Somebody has used it for a moment. */
    final void used() {
        lastUsed = System.nanoTime();
    }

    /** True when nobody has used it for that long. */
    final boolean isIdleFor(long nanos) {
        return users.get() <= 0 && System.nanoTime() - lastUsed > nanos;
    }
}
