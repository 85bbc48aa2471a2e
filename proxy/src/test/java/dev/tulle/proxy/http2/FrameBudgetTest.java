package dev.tulle.proxy.http2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class FrameBudgetTest {
    private static final int WINDOW_UPDATE = 8;
    private static final int PING = 6;

    private long now = 5;
    private final FrameBudget budget = new FrameBudget(() -> now);

    private int pings() {
        int taken = 0;
        while (taken < 100_000 && budget.takes(PING, 0, 8)) {
            taken++;
        }
        return taken;
    }

    @Test
    void thereIsABurstAndThenARate() {
        assertEquals(FrameBudget.BURST, pings());
        FrameBudget slow = new FrameBudget(() -> now);
        for (int i = 0; i < 10_000; i++) {
            now += TimeUnit.MILLISECONDS.toNanos(1_000 / FrameBudget.A_SECOND);
            assertTrue(slow.takes(PING, 0, 8));
        }
    }

    @Test
    void settingsCostMore() {
        int taken = 0;
        while (budget.takes(WholeFrames.SETTINGS, 0, 6)) {
            taken++;
        }
        assertEquals(FrameBudget.BURST / 10, taken);
    }

    @Test
    void whatCarriesSomethingIsFree() {
        for (int i = 0; i < 100_000; i++) {
            assertTrue(budget.takes(WholeFrames.DATA, 0, 1));
            assertTrue(budget.takes(WholeFrames.DATA, WholeFrames.END_STREAM, 0));
            assertTrue(budget.takes(WholeFrames.HEADERS, WholeFrames.END_HEADERS, 10));
        }
        assertEquals(FrameBudget.MOST, pings());
        assertFalse(budget.takes(WholeFrames.DATA, 0, 0));
    }

    /** A client that opens the windows of stream and connection for each piece of 512 bytes, and asks how long each took. */
    @Test
    void whoIsSentSomethingMaySayMore() {
        for (int i = 0; i < 1_000_000; i++) {
            budget.earn(512);
            assertTrue(budget.takes(WINDOW_UPDATE, 0, 4));
            assertTrue(budget.takes(WINDOW_UPDATE, 0, 4));
            assertTrue(budget.takes(PING, 0, 8));
        }
    }

    /** One that opens them byte by byte is none of these. */
    @Test
    void whoOpensAWindowByteByByteIsStopped() {
        int piece = 64 << 10;
        budget.earn(piece);
        int taken = 0;
        while (taken < piece && budget.takes(WINDOW_UPDATE, 0, 4)) {
            taken++;
        }
        assertTrue(taken < 2_000, () -> "one too many only after a whole piece");
    }
}
