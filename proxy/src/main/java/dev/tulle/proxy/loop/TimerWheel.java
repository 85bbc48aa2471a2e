package dev.tulle.proxy.loop;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Deadlines of one event loop, cheap to move: pushing a deadline back, as every request does, is one store; the timer is
 * looked at when its old deadline comes. Precise to one tick ({@value #TICK_NANOS} ns), never early. Asks to be woken only
 * for ticks that have timers, so that an idle loop sleeps. Loop-confined.
 */
public final class TimerWheel {
    /** Length of a tick. */
    public static final long TICK_NANOS = 1 << 24;

    private static final int SLOTS = 512;

    /** Something with a deadline. Belongs to one wheel at a time. */
    public abstract static class Timer {
        static final long NEVER = Long.MAX_VALUE;

        long deadline = NEVER;
        long tick = NEVER;

        @Nullable
        Timer next;

        @Nullable
        Timer previous;

        /** Called on the loop when the deadline has passed; may set a new one. */
        protected abstract void expired();

        /** True while a deadline is set. */
        public final boolean isSet() {
            return deadline != NEVER;
        }
    }

    /** Head of a slot's ring. */
    private static final class Slot extends Timer {
        @Override
        protected void expired() {
            throw new IllegalStateException("a slot has no deadline");
        }
    }

    private final Slot[] slots = new Slot[SLOTS];
    private final LongSupplier clock;
    private final LongConsumer wake;
    private final List<Timer> due = new ArrayList<>();
    private long current;

    /** The tick that was asked to be woken for. */
    private long awaited = Timer.NEVER;

    private boolean advancing;

    /**
     * An empty wheel.
     *
     * @param clock nanoseconds, as {@link System#nanoTime}
     * @param wake asked to call {@link #advance} at a time of that clock, in place of one that it was asked for before
     */
    public TimerWheel(LongSupplier clock, LongConsumer wake) {
        this.clock = clock;
        this.wake = wake;
        for (int i = 0; i < SLOTS; i++) {
            Slot slot = new Slot();
            link(slot, slot);
            slots[i] = slot;
        }
        current = clock.getAsLong() / TICK_NANOS;
    }

    /** Sets the deadline, replacing an earlier one. */
    public void set(Timer timer, long deadlineNanos) {
        timer.deadline = deadlineNanos;
        long tick = deadlineNanos / TICK_NANOS + 1;
        if (tick < timer.tick) {
            place(timer, tick);
        }
    }

    /** Takes the deadline back. */
    public void cancel(Timer timer) {
        timer.deadline = Timer.NEVER;
    }

    /** Takes the deadline back and forgets the timer at once: for those whose owner goes away. */
    public void remove(Timer timer) {
        timer.deadline = Timer.NEVER;
        unlink(timer);
    }

    /** Lets every deadline that has passed expire, and asks to be woken for the next. */
    public void advance() {
        long now = clock.getAsLong();
        long target = now / TICK_NANOS;
        if (target - current > SLOTS) {
            // After a pause one round is enough: every slot is looked at once.
            current = target - SLOTS;
        }
        awaited = Timer.NEVER;
        advancing = true;
        try {
            while (current < target) {
                current++;
                expire(slots[(int) (current & (SLOTS - 1))], now, target);
            }
        } finally {
            advancing = false;
            await(nextOccupied());
        }
    }

    /** The next tick that has timers, perhaps only some of a later round. */
    private long nextOccupied() {
        for (long tick = current + 1; tick <= current + SLOTS; tick++) {
            Slot slot = slots[(int) (tick & (SLOTS - 1))];
            if (slot.next != slot) {
                return tick;
            }
        }
        return Timer.NEVER;
    }

    private void await(long tick) {
        if (tick < awaited) {
            awaited = tick;
            wake.accept(tick * TICK_NANOS);
        }
    }

    private void expire(Slot slot, long now, long target) {
        // Taken out first: a callback may set or remove any timer, also those of this slot.
        for (Timer timer = slot.next; timer != null && timer != slot; ) {
            Timer following = timer.next;
            if (timer.tick <= target) {
                unlink(timer);
                due.add(timer);
            }
            timer = following;
        }
        for (int i = 0; i < due.size(); i++) {
            Timer timer = due.get(i);
            if (timer.deadline <= now) {
                timer.deadline = Timer.NEVER;
                timer.expired();
            } else if (timer.deadline != Timer.NEVER && timer.next == null) {
                place(timer, timer.deadline / TICK_NANOS + 1);
            }
        }
        due.clear();
    }

    private void place(Timer timer, long tick) {
        unlink(timer);
        timer.tick = Math.max(tick, current + 1);
        Slot slot = slots[(int) (timer.tick & (SLOTS - 1))];
        Timer last = slot.previous;
        if (last != null) {
            link(last, timer);
            link(timer, slot);
        }
        if (!advancing) {
            await(timer.tick);
        }
    }

    private static void link(Timer a, Timer b) {
        a.next = b;
        b.previous = a;
    }

    private static void unlink(Timer timer) {
        Timer before = timer.previous;
        Timer after = timer.next;
        if (before != null && after != null) {
            link(before, after);
        }
        timer.previous = null;
        timer.next = null;
        timer.tick = Timer.NEVER;
    }
}
