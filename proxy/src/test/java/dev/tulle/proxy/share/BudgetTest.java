package dev.tulle.proxy.share;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.telemetry.MetricRegistry;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class BudgetTest {
    private static int takes(Budget budget, int others) {
        int own = 0;
        while (budget.allowsConnection(own, others + own)) {
            own++;
        }
        return own;
    }

    @Test
    void oneGetsHalfTwoAThirdAndEachTheMinimum() {
        Budget budget = new Budget(900, 10, 1 << 20, 1 << 16, 100, 100);
        assertEquals(450, takes(budget, 0));
        // Another one has a third: the first one's share is a third too.
        assertEquals(300, takes(budget, 300));
        assertEquals(225, takes(budget, 450));
        assertEquals(10, takes(budget, 885));
        assertEquals(0, takes(budget, 900));
        assertTrue(budget.allowsStalled(1 << 19, 1 << 19));
        assertFalse(budget.allowsStalled((1 << 19) + 1, (1 << 19) + 1));
        assertTrue(budget.allowsStalled(1 << 16, 1 << 20));
    }

    @Test
    void ofAProcess() {
        for (long files : new long[] {64, 1_024, 20_000, 524_288, 1 << 20, Long.MAX_VALUE}) {
            Budget budget = Budget.of(files, 128 << 20, 1L << 36);
            assertTrue(budget.connections() >= 2 && 2L * budget.connections() < files, files + ": " + budget);
            assertTrue(budget.minConnections() >= 1 && budget.minConnections() < budget.connections());
        }
        assertEquals(9_375, Budget.of(20_000, 128 << 20, 160 << 20).connections());
        assertEquals(64 << 20, Budget.of(20_000, 128 << 20, 160 << 20).stalledBytes());
        // However many files may be open: the heap must hold what is kept for each.
        assertEquals(10_240, Budget.of(1 << 20, 128 << 20, 160 << 20).connections());
    }

    /** What came in before its client had a name counts as that client's from then on, and may be too much. */
    @Test
    void whatIsFoundToBeAClientsIsWithinItsShare() {
        Shares shares = new Shares(new Budget(10, 2, 900, 100, 10, 5), new MetricRegistry(), System::nanoTime);
        LoopShares loop = new LoopShares(shares, () -> 0);
        Held unknown = loop.accept(new EmbeddedChannel(), "host", true);
        Held small = loop.accept(new EmbeddedChannel(), "host", true);
        Held greedy = loop.accept(new EmbeddedChannel(), "greedy", false);
        assertTrue(unknown != null && small != null && greedy != null);
        assertTrue(unknown.holdsHead(300));
        assertTrue(greedy.holdsHead(250));
        assertTrue(small.belongsTo("greedy"), "it holds nothing");
        assertFalse(unknown.belongsTo("greedy"), "550 of 900 are more than is left");
        assertEquals(1, shares.counted("greedy", Over.HEADS).value());
    }

    @Test
    void sharesAreKeptWhileInUse() {
        AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5);
        MetricRegistry registry = new MetricRegistry();
        Shares shares = new Shares(new Budget(10, 2, 1_000, 100, 10, 5), registry, now::get);
        Share a = shares.enter("a");
        for (int i = 0; i < 4; i++) {
            assertEquals(a, shares.enter("a"));
            assertFalse(shares.isOver(a));
        }
        shares.enter("a");
        assertTrue(shares.isOver(a));
        for (int i = 0; i < 6; i++) {
            shares.leave(a);
        }
        assertFalse(a.equals(shares.enter("a")), "begins anew");
        int lines = 0;
        for (int i = 0; i < 20; i++) {
            lines += a.mayLog() ? 1 : 0;
        }
        assertEquals(5, lines);
        now.addAndGet(100_000_000);
        assertTrue(a.mayLog());
        assertFalse(a.mayLog());
        assertTrue(registry.expose()
                .contains("tulle_proxy_over_share_total{workload=\"a\",what=\"log_line_dropped\"} 16"));
    }
}
