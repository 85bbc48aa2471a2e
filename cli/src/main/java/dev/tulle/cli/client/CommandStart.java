package dev.tulle.cli.client;

import java.time.Duration;
import java.time.Instant;

/**
 * How long a command has taken to start, its launcher included: seconds on a host that is busy. Whoever typed it waits for
 * that too, so a command waits that much less for others: it ends in the same time whatever is stopped. Any thread.
 */
public final class CommandStart {
    /** What a start may take without being noticed. */
    private static final Duration USUAL = Duration.ofMillis(500);

    /** The kernel says when the host booted in whole seconds: a start may seem earlier than it was by as much. */
    private static final Duration COARSE = Duration.ofSeconds(1);

    private static volatile Duration took = Duration.ZERO;

    private CommandStart() {}

    /** Said by a process as soon as it runs. */
    public static void isNow() {
        Instant now = Instant.now();
        took = Duration.between(ProcessHandle.current().info().startInstant().orElse(now), now)
                .minus(COARSE);
    }

    /** What may be waited for instead of so long: less what the start took, and at least a third. */
    public static Duration less(Duration wanted) {
        return less(wanted, took);
    }

    static Duration less(Duration wanted, Duration start) {
        if (start.compareTo(USUAL) <= 0) {
            return wanted;
        }
        Duration left = wanted.minus(start);
        Duration least = wanted.dividedBy(3);
        return left.compareTo(least) < 0 ? least : left;
    }
}
