package dev.tulle.common;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * Waiting times between tries: doubled each time from a first to a longest one, each drawn from its upper half so that
 * many who fail together do not come back together. Not thread-safe.
 */
public final class Backoff {
    private final Duration first;
    private final Duration longest;
    private final RandomGenerator random;
    private Duration next;

    /** Starts at the first waiting time. */
    public Backoff(Duration first, Duration longest, RandomGenerator random) {
        this.first = first;
        this.longest = longest;
        this.random = random;
        this.next = first;
    }

    /** The next waiting time. */
    public Duration next() {
        long nanos = next.toNanos();
        Duration doubled = next.multipliedBy(2);
        next = doubled.compareTo(longest) > 0 ? longest : doubled;
        return Duration.ofNanos(nanos / 2 + random.nextLong(nanos - nanos / 2 + 1));
    }

    /** Begins again with the first waiting time. */
    public void reset() {
        next = first;
    }
}
