package dev.tulle.proxy.http2;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.proxy.loop.TimerWheel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class KeepAliveTest {
    private static final long INTERVAL = TimeUnit.SECONDS.toNanos(60);
    private static final long TIMEOUT = TimeUnit.SECONDS.toNanos(20);

    private final List<String> said = new ArrayList<>();
    private long now = 1;
    private final TimerWheel timers = new TimerWheel(() -> now, tick -> {});
    private final KeepAlive alive = new KeepAlive(
            timers,
            () -> now,
            new KeepAlive.Line() {
                @Override
                public void ping() {
                    said.add("ping at " + TimeUnit.NANOSECONDS.toSeconds(now));
                }

                @Override
                public void dead() {
                    said.add("dead at " + TimeUnit.NANOSECONDS.toSeconds(now));
                    alive().end();
                }
            },
            INTERVAL,
            TIMEOUT);

    private KeepAlive alive() {
        return alive;
    }

    private void pass(int seconds) {
        for (int i = 0; i < seconds; i++) {
            now += TimeUnit.SECONDS.toNanos(1);
            timers.advance();
        }
    }

    @Test
    void silenceIsAskedAboutOnceAndThenIsTheEnd() {
        alive.begin();
        pass(200);
        assertEquals(List.of("ping at 61", "dead at 82"), said);
    }

    @Test
    void whateverComesIsASignOfLife() {
        alive.begin();
        for (int i = 0; i < 10; i++) {
            pass(50);
            alive.heard();
        }
        assertEquals(List.of(), said, "one that speaks is not asked");
        pass(70);
        alive.heard();
        pass(59);
        assertEquals(List.of("ping at 561"), said);
        pass(3);
        assertEquals(2, said.size(), said::toString);
        alive.end();
        pass(100);
        assertEquals(2, said.size(), said::toString);
    }
}
