package dev.tulle.proxy.upstream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ReachabilityTest {
    // Close to the end of its range, as System.nanoTime may be.
    private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - TimeUnit.MILLISECONDS.toNanos(50));
    private final Reachability endpoint = new Reachability(now::get);

    private void passes(long millis) {
        now.addAndGet(TimeUnit.MILLISECONDS.toNanos(millis));
    }

    @Test
    void leftOutForGrowingTimesUntilAConnectSucceeds() {
        assertTrue(endpoint.mayConnect());
        long[] pauses = {100, 200, 400, 800, 1_600, 2_000, 2_000};
        endpoint.failed();
        for (long pause : pauses) {
            passes(pause - 1);
            assertFalse(endpoint.mayConnect(), "before " + pause + " ms");
            passes(1);
            assertTrue(endpoint.mayConnect(), "after " + pause + " ms");
            assertFalse(endpoint.mayConnect(), "a second asker");
            assertTrue(endpoint.isDoubtful());
            endpoint.failed();
        }
        endpoint.connected();
        assertFalse(endpoint.isDoubtful());
        for (int asker = 0; asker < 3; asker++) {
            assertTrue(endpoint.mayConnect());
        }
        endpoint.failed();
        passes(100);
        assertTrue(endpoint.mayConnect(), "begins anew");
    }

    @Test
    void failuresOfConnectsThatHadBegunBeforeCountOnce() {
        for (int i = 0; i < 50; i++) {
            endpoint.failed();
        }
        passes(100);
        assertTrue(endpoint.mayConnect());
    }

    @Test
    void whoTriesForAllAndNeverTellsIsFollowedByAnother() {
        endpoint.failed();
        passes(100);
        int tries = 0;
        for (int second = 0; second < 5; second++) {
            tries += endpoint.mayConnect() ? 1 : 0;
            passes(1_000);
        }
        assertEquals(5, tries);
    }
}
