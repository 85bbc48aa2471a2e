package dev.tulle.proxy.upstream;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Whether connections to one endpoint can be made, as far as the proxy has seen. After a failed connect the endpoint is
 * left out for a short time, twice as long after each further failure, until a connect succeeds. When the time is over
 * one asker tries it for all. One for all loops; thread-safe.
 */
public final class Reachability {
    /** How long an endpoint is left out after the first failure. */
    static final long SHORTEST = TimeUnit.MILLISECONDS.toNanos(100);

    /** How long it is left out at most: a server that is there again is found after that time. */
    static final long LONGEST = TimeUnit.SECONDS.toNanos(2);

    /** How long the one who tries it for all keeps the others from trying. */
    static final long PROBE = TimeUnit.SECONDS.toNanos(1);

    /** Left out until then; while probing, the end of the one connect that is tried decides before. */
    private record LeftOut(long until, int failures, boolean probing) {}

    private final LongSupplier clock;

    // Null while nothing speaks against it.
    private final AtomicReference<@Nullable LeftOut> state = new AtomicReference<>();

    /**
     * Nothing is known.
     *
     * @param clock nanoseconds, as {@link System#nanoTime}
     */
    Reachability(LongSupplier clock) {
        this.clock = clock;
    }

    /** A connection could be made. */
    void connected() {
        if (state.get() != null) {
            state.set(null);
        }
    }

    /** No connection could be made, and it is the endpoint's fault. */
    void failed() {
        long now = clock.getAsLong();
        state.updateAndGet(before -> {
            if (before == null) {
                return new LeftOut(now + SHORTEST, 1, false);
            }
            if (now - before.until < 0 && !before.probing) {
                // One of those that had begun before the first failure was known.
                return before;
            }
            long pause = Math.min(LONGEST, SHORTEST << Math.min(before.failures, 16));
            return new LeftOut(now + pause, before.failures + 1, false);
        });
    }

    /** True when the endpoint may be chosen; who asks uses it then, as this may be the one that tries it for all. */
    boolean mayConnect() {
        LeftOut now = state.get();
        return now == null || tries(now);
    }

    private boolean tries(LeftOut before) {
        long now = clock.getAsLong();
        return now - before.until >= 0 && state.compareAndSet(before, new LeftOut(now + PROBE, before.failures, true));
    }

    /** True from a failed connect to the next one that succeeds. */
    public boolean isDoubtful() {
        return state.get() != null;
    }
}
