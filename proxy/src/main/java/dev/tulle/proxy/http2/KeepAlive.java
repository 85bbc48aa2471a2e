package dev.tulle.proxy.http2;

import dev.tulle.proxy.loop.TimerWheel;
import java.util.function.LongSupplier;

/**
 * Finds out that the other end of a connection is gone although nothing says so: one that has been silent for an interval is
 * asked for a sign of life, and whatever comes within the timeout is one. At most one question is open at a time.
 * Loop-confined.
 */
public final class KeepAlive {
    /** What asking and giving up mean. */
    interface Line {
        /** Sends a PING. */
        void ping();

        /** Nothing has come for so long: the other end is taken for gone. */
        void dead();
    }

    private final TimerWheel timers;
    private final LongSupplier clock;
    private final Line line;
    private final long intervalNanos;
    private final long timeoutNanos;
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            look();
        }
    };
    private long heard;
    private boolean asked;

    KeepAlive(TimerWheel timers, LongSupplier clock, Line line, long intervalNanos, long timeoutNanos) {
        this.timers = timers;
        this.clock = clock;
        this.line = line;
        this.intervalNanos = intervalNanos;
        this.timeoutNanos = timeoutNanos;
    }

    /** The connection is there. */
    void begin() {
        heard();
        timers.set(timer, heard + intervalNanos);
    }

    /** Something has come. The timer is left where it is: it looks again. */
    void heard() {
        heard = clock.getAsLong();
        asked = false;
    }

    /** The connection is gone. */
    void end() {
        timers.remove(timer);
    }

    private void look() {
        long now = clock.getAsLong();
        if (asked) {
            line.dead();
        } else if (now - heard >= intervalNanos) {
            asked = true;
            timers.set(timer, now + timeoutNanos);
            line.ping();
        } else {
            timers.set(timer, heard + intervalNanos);
        }
    }
}
