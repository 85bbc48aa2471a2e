package dev.tulle.proxy.loop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Deadlines with a clock of our own: never early, at most two ticks late, movable and removable also from callbacks. */
class TimerWheelTest {
    private long now = 1_000_000_000L;
    private long wake = Long.MAX_VALUE;
    private int wakes;
    private final TimerWheel wheel = new TimerWheel(() -> now, nanos -> wake = nanos);

    private final class Alarm extends TimerWheel.Timer {
        final List<Long> rang = new ArrayList<>();
        Runnable then = () -> {};

        @Override
        protected void expired() {
            rang.add(now);
            then.run();
        }
    }

    /** Lets time pass; the wheel is only woken when it has asked for it. */
    private void pass(long nanos) {
        long end = now + nanos;
        while (wake <= end) {
            now = Math.max(now, wake);
            wake = Long.MAX_VALUE;
            wakes++;
            wheel.advance();
        }
        now = end;
    }

    @Test
    void neverEarlyAndHardlyLate() {
        Random random = new Random(5);
        List<Alarm> alarms = new ArrayList<>();
        List<Long> deadlines = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            Alarm alarm = new Alarm();
            long deadline = now + random.nextLong(30_000_000_000L);
            wheel.set(alarm, deadline);
            if (random.nextBoolean()) {
                // Earlier as well as later: both happen when a connection changes its state.
                deadline = now + random.nextLong(30_000_000_000L);
                wheel.set(alarm, deadline);
            }
            alarms.add(alarm);
            deadlines.add(deadline);
            if (random.nextInt(4) == 0) {
                pass(random.nextLong(100_000_000));
            }
        }
        pass(31_000_000_000L);
        for (int i = 0; i < alarms.size(); i++) {
            assertEquals(1, alarms.get(i).rang.size(), "alarm " + i);
            long late = alarms.get(i).rang.get(0) - deadlines.get(i);
            assertEquals(true, late >= 0 && late <= 2 * TimerWheel.TICK_NANOS, "late by " + late);
        }
    }

    @Test
    void cancelledAndRemovedTimersAreSilent() {
        Alarm cancelled = new Alarm();
        Alarm removed = new Alarm();
        wheel.set(cancelled, now + 1_000_000_000);
        wheel.set(removed, now + 1_000_000_000);
        wheel.cancel(cancelled);
        wheel.remove(removed);
        assertFalse(cancelled.isSet());
        pass(3_000_000_000L);
        assertEquals(0, cancelled.rang.size() + removed.rang.size());
        wheel.set(cancelled, now + 100_000_000);
        pass(1_000_000_000L);
        assertEquals(1, cancelled.rang.size());
    }

    @Test
    void callbacksMayChangeOthersOfTheSameTick() {
        Alarm first = new Alarm();
        Alarm second = new Alarm();
        Alarm third = new Alarm();
        long deadline = now + 500_000_000;
        first.then = () -> {
            wheel.remove(second);
            wheel.set(third, now + 200_000_000);
            if (first.rang.size() == 1) {
                wheel.set(first, now + 100_000_000);
            }
        };
        wheel.set(first, deadline);
        wheel.set(second, deadline);
        wheel.set(third, deadline);
        pass(2_000_000_000L);
        assertEquals(2, first.rang.size());
        assertEquals(0, second.rang.size());
        assertEquals(1, third.rang.size());
    }

    @Test
    void aPauseOfTheLoopIsCaughtUpAtOnce() {
        List<Alarm> alarms = new ArrayList<>();
        for (int i = 1; i <= 100; i++) {
            Alarm alarm = new Alarm();
            wheel.set(alarm, now + i * 300_000_000L);
            alarms.add(alarm);
        }
        now += 60_000_000_000L;
        wheel.advance();
        alarms.forEach(alarm -> assertEquals(1, alarm.rang.size()));
    }

    @Test
    void anIdleWheelSleeps() {
        pass(60_000_000_000L);
        assertEquals(0, wakes);
        Alarm far = new Alarm();
        wheel.set(far, now + 3_600_000_000_000L);
        pass(60_000_000_000L);
        // Once a round of the wheel.
        assertEquals(true, wakes <= 8, wakes + " wakes");
        Alarm near = new Alarm();
        wheel.set(near, now + 50_000_000);
        pass(100_000_000);
        assertEquals(1, near.rang.size());
    }
}
