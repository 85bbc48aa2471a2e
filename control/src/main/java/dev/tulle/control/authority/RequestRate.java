package dev.tulle.control.authority;

import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;

/**
 * How often each asker may ask: a node that starts asks for all its workloads at once, and then now and again. Thread-safe.
 */
final class RequestRate {
    /** At once: as many workloads as a node may have. */
    static final int BURST = 4096;

    /** A second, afterwards: certificates of a minute for all of them are renewed twice in it. */
    static final int PER_SECOND = 150;

    /** Askers that are remembered; there are as many as nodes. */
    private static final int MAX = 10_000;

    private final Map<String, Bucket> buckets = new HashMap<>();

    private record Bucket(double left, Instant at) {}

    /** Counts a request; false when it is one too many. */
    synchronized boolean admits(String asker, Instant now) {
        if (buckets.size() >= MAX) {
            buckets.values().removeIf(bucket -> filled(bucket, now) >= BURST);
        }
        Bucket bucket = buckets.getOrDefault(asker, new Bucket(BURST, now));
        double left = filled(bucket, now);
        boolean admitted = left >= 1;
        buckets.put(asker, new Bucket(admitted ? left - 1 : left, now));
        return admitted;
    }

    private static double filled(Bucket bucket, Instant now) {
        double seconds = Math.max(0, Duration.between(bucket.at(), now).toMillis() / 1000.0);
        return Math.min(BURST, bucket.left() + seconds * PER_SECOND);
    }
}
