package dev.tulle.agent.dns;

/**
 * Permits at a steady rate with a burst. The clock is the caller's, in nanoseconds of {@link System#nanoTime}.
 * Thread-safe.
 */
final class TokenBucket {
    private static final double NANOS = 1e9;

    private final double perNano;
    private final double burst;
    private double tokens;
    private long last;

    /**
     * A full bucket.
     *
     * @param perSecond permits a second
     * @param burst permits that gather while nobody takes any
     */
    TokenBucket(int perSecond, int burst, long now) {
        this.perNano = perSecond / NANOS;
        this.burst = burst;
        this.tokens = burst;
        this.last = now;
    }

    /** Takes a permit if there is one. */
    synchronized boolean take(long now) {
        refill(now);
        if (tokens < 1) {
            return false;
        }
        tokens--;
        return true;
    }

    /**
     * Takes a permit that may lie in the future.
     *
     * @param most the longest wait, in nanoseconds
     * @return the nanoseconds until it holds, 0 for now; negative when that is further away than {@code most}: then
     *     nothing is taken
     */
    synchronized long reserve(long now, long most) {
        refill(now);
        long wait = tokens >= 1 ? 0 : (long) Math.ceil((1 - tokens) / perNano);
        if (wait > most) {
            return -1;
        }
        tokens--;
        return wait;
    }

    private void refill(long now) {
        long passed = now - last;
        if (passed > 0) {
            tokens = Math.min(burst, tokens + passed * perNano);
            last = now;
        }
    }
}
