package dev.tulle.proxy.share;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Who waits for the loop's next pass. */
class LoopTimeTest {
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    private final AtomicLong pass = new AtomicLong(1);
    private final LoopTime time = new LoopTime(pass::get);
    private final LoopTime.Taken greedy = new LoopTime.Taken();
    private final LoopTime.Taken quiet = new LoopTime.Taken();

    @Test
    void whoIsAloneMayHaveAll() {
        for (int i = 0; i < 100; i++) {
            assertTrue(time.allows(greedy, i));
            time.used(greedy, SECOND);
        }
    }

    @Test
    void besideOthersOnesPartIsBounded() {
        assertTrue(time.allows(quiet, 0));
        assertTrue(time.allows(greedy, 0), "always one");
        time.used(greedy, SECOND);
        assertFalse(time.allows(greedy, 1));
        assertTrue(time.allows(quiet, 1), "others are not concerned");
        pass.incrementAndGet();
        assertTrue(time.allows(greedy, 2), "the next pass");
    }

    @Test
    void plainRequestsShareAPass() {
        assertTrue(time.allows(quiet, 0));
        for (int i = 0; i < 16; i++) {
            assertTrue(time.allows(greedy, i));
            time.used(greedy, 12_000);
        }
    }

    @Test
    void whoHasBeenQuietForLongDoesNotCount() {
        assertTrue(time.allows(quiet, 0));
        assertTrue(time.allows(greedy, 0));
        time.used(greedy, SECOND);
        assertFalse(time.allows(greedy, SECOND / 10));
        assertTrue(time.allows(greedy, SECOND));
    }
}
