package dev.tulle.model;

import java.time.Duration;

/** Quantities as people write them in configuration. */
public final class Quantities {
    private static final double PARTS_PER_PERCENT = 10_000;

    private Quantities() {}

    /** As Istio writes durations: {@code 2s}, {@code 250ms}. */
    public static String duration(Duration duration) {
        return duration.toMillis() % 1000 == 0 ? duration.toSeconds() + "s" : duration.toMillis() + "ms";
    }

    /** A share in percent, of parts per million: {@code 12.5%}. */
    public static String share(int partsPerMillion) {
        return percent(partsPerMillion / PARTS_PER_PERCENT);
    }

    /** Percent with at most two decimals: {@code 33.33%}. */
    public static String percent(double value) {
        return value == Math.rint(value) ? (long) value + "%" : Math.round(value * 100) / 100.0 + "%";
    }
}
