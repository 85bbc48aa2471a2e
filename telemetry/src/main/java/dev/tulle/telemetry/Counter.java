package dev.tulle.telemetry;

import java.util.concurrent.atomic.LongAdder;

/** A number that only grows. Any thread; adding costs a few nanoseconds and never waits. */
public final class Counter {
    private final LongAdder value = new LongAdder();

    Counter() {}

    /** Adds one. */
    public void increment() {
        value.increment();
    }

    /** Adds an amount, 0 or more. */
    public void add(long amount) {
        value.add(amount);
    }

    /** The value now. */
    public long value() {
        return value.sum();
    }
}
