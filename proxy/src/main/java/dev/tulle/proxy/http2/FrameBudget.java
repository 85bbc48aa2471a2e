package dev.tulle.proxy.http2;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * How many frames the other side may send that carry nothing: PING, SETTINGS, WINDOW_UPDATE, PRIORITY, resets, empty pieces and
 * kinds that nobody knows. Each costs work and some an answer, and there is no other bound on them. Who is sent something may
 * say more: windows are opened for what has come, and some ask with a PING for each piece how long it has taken. Loop-confined.
 */
final class FrameBudget {
    /** Frames at once. */
    static final int BURST = 1_000;

    /** Frames a second. */
    static final int A_SECOND = 100;

    /** What can be saved up of what was earned. */
    static final int MOST = 20_000;

    /** For each head or piece, in either direction. */
    private static final int PIECE = 10;

    /** For so many bytes one more: nobody needs as many window updates whose window is not a few bytes. */
    private static final int BYTES = 256;

    /** Settings may change every stream, and are answered. */
    private static final int SETTINGS_COST = 10;

    private final LongSupplier clock;
    private int left = BURST;
    private long filled;

    /**
     * A whole one.
     *
     * @param clock nanoseconds, as {@link System#nanoTime}
     */
    FrameBudget(LongSupplier clock) {
        this.clock = clock;
        this.filled = clock.getAsLong();
    }

    /** Something was sent to the other side, or asked by it: a head, or a piece with so many bytes. */
    void earn(int bytes) {
        left = Math.min(left + PIECE + bytes / BYTES, MOST);
    }

    /** A frame has come; false when it is one too many. */
    boolean takes(int type, int flags, int length) {
        if (type == WholeFrames.HEADERS) {
            earn(0);
            return true;
        }
        boolean carries = type == WholeFrames.DATA && (length > 0 || (flags & WholeFrames.END_STREAM) != 0);
        if (carries) {
            return true;
        }
        left -= type == WholeFrames.SETTINGS && (flags & WholeFrames.ACK) == 0 ? SETTINGS_COST : 1;
        if (left < 0) {
            fill();
        }
        return left >= 0;
    }

    /** Adds what time has brought since it was added last: it is looked at only when nothing else is left. */
    private void fill() {
        long now = clock.getAsLong();
        long more = Math.min(TimeUnit.NANOSECONDS.toMillis(now - filled) * A_SECOND / 1_000, BURST);
        if (more > 0) {
            filled = now;
            left = (int) Math.min(left + more, BURST);
        }
    }
}
