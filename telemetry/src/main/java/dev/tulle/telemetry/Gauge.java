package dev.tulle.telemetry;

import java.util.concurrent.atomic.LongAdder;

/** A number that goes up and down. Any thread. */
public final class Gauge {
    private final LongAdder value = new LongAdder();

    Gauge() {}

    /** Adds an amount, which may be negative. */
    public void add(long amount) {
        value.add(amount);
    }

    /** Replaces the value; only for gauges with one writer. */
    public void set(long now) {
        value.add(now - value.sum());
    }

    /** The value now. */
    public long value() {
        return value.sum();
    }
}
