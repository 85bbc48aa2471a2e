package dev.tulle.telemetry;

import java.util.List;
import java.util.concurrent.atomic.LongAdder;

/**
 * Counts observations by size. Values are whole numbers in a raw unit (for example microseconds) that the exposition
 * divides by the scale (for example 1,000 for milliseconds), so that recording needs no floating point. Any thread.
 */
public final class Histogram {
    private final long[] bounds;
    private final double scale;
    private final LongAdder[] buckets;
    private final LongAdder sum = new LongAdder();

    Histogram(long[] bounds, double scale) {
        this.bounds = bounds;
        this.scale = scale;
        this.buckets = new LongAdder[bounds.length + 1];
        for (int i = 0; i < buckets.length; i++) {
            buckets[i] = new LongAdder();
        }
    }

    /** Counts one observation, in the raw unit. */
    public void record(long raw) {
        int i = 0;
        while (i < bounds.length && raw > bounds[i]) {
            i++;
        }
        buckets[i].increment();
        sum.add(raw);
    }

    /** Counts many observations of the same size, in the raw unit. */
    public void record(long raw, long times) {
        int i = 0;
        while (i < bounds.length && raw > bounds[i]) {
            i++;
        }
        buckets[i].add(times);
        sum.add(raw * times);
    }

    /**
     * Adds observations that were counted elsewhere.
     *
     * @param counts one per bucket, the last one to infinity; missing ones count as 0
     * @param rawSum their sum in the raw unit
     */
    public void add(List<Long> counts, long rawSum) {
        for (int i = 0; i < Math.min(counts.size(), buckets.length); i++) {
            buckets[i].add(counts.get(i));
        }
        sum.add(rawSum);
    }

    /** All observations so far. */
    public long count() {
        long count = 0;
        for (LongAdder bucket : buckets) {
            count += bucket.sum();
        }
        return count;
    }

    /** The sum of all observations, in the exposed unit. */
    public double sum() {
        return sum.sum() / scale;
    }

    /** The buckets' upper bounds in the exposed unit, without infinity. */
    double bound(int i) {
        return bounds[i] / scale;
    }

    int boundCount() {
        return bounds.length;
    }

    /** Observations in one bucket alone; the index after the last bound is the bucket to infinity. */
    long inBucket(int i) {
        return buckets[i].sum();
    }
}
