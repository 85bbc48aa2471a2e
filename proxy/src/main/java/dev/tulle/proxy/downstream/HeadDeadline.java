package dev.tulle.proxy.downstream;

import dev.tulle.proxy.loop.TimerWheel;
import org.jspecify.annotations.Nullable;

/**
 * How long a client of HTTP/2 may take for a head, or for another frame that has to be whole: as long as one of HTTP/1.1.
 * There is a timer only while one has begun, which on most connections is never. Loop-confined.
 */
final class HeadDeadline {
    private final TimerWheel timers;
    private final Runnable late;
    private TimerWheel.@Nullable Timer timer;
    private int which;

    /**
     * Nothing has begun.
     *
     * @param late called when the time is over
     */
    HeadDeadline(TimerWheel timers, Runnable late) {
        this.timers = timers;
        this.late = late;
    }

    /**
     * Something has come.
     *
     * @param amid true when it ends within something that has to be whole
     * @param number which of its connection's frames that is
     */
    void look(boolean amid, int number) {
        if (amid) {
            begun(number);
        } else {
            none();
        }
    }

    private void begun(int number) {
        TimerWheel.Timer now = timer;
        if (now != null && number == which) {
            return;
        }
        if (now == null) {
            now = new TimerWheel.Timer() {
                @Override
                protected void expired() {
                    late.run();
                }
            };
            timer = now;
        }
        which = number;
        timers.set(now, System.nanoTime() + Http1End.HEAD_TIMEOUT);
    }

    private void none() {
        TimerWheel.Timer before = timer;
        if (before != null) {
            timer = null;
            timers.remove(before);
        }
    }
}
