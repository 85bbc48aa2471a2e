package dev.tulle.control;

import java.time.Duration;

/**
 * When the next state is made. Making one costs in proportion to the size of the mesh, so while changes keep coming at most
 * half of the time goes into it: many registrations then cost in proportion to their number, not to its square. A change
 * after a quiet time waits for no more than the debounce. Times are {@link System#nanoTime}. Not thread-safe.
 */
final class RebuildPace {
    /** However large the mesh, a change waits no longer than this. */
    static final Duration LONGEST = Duration.ofSeconds(2);

    private final Duration debounce;
    private long ended;
    private long took;
    private boolean any;

    RebuildPace(Duration debounce) {
        this.debounce = debounce;
    }

    /** How long after a change, which happens now, the next state is to be made. */
    Duration pause(long now) {
        if (!any) {
            return debounce;
        }
        long rest = ended + Math.min(took, LONGEST.toNanos()) - now;
        return rest > debounce.toNanos() ? Duration.ofNanos(rest) : debounce;
    }

    /** The same after a change that is whole by itself: when it is the first after a quiet time, it need not wait. */
    Duration pauseOfWhole(long now) {
        return any && now - ended > Math.max(debounce.toNanos(), Math.min(took, LONGEST.toNanos()))
                ? Duration.ZERO
                : pause(now);
    }

    /** A state has been made. */
    void made(long begun, long now) {
        any = true;
        ended = now;
        took = now - begun;
    }
}
