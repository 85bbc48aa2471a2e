package dev.tulle.xds;

import java.time.Duration;

/** Durations between java.time and protobuf. */
final class Durations {
    private Durations() {}

    static com.google.protobuf.Duration encode(Duration duration) {
        return com.google.protobuf.Duration.newBuilder()
                .setSeconds(duration.getSeconds())
                .setNanos(duration.getNano())
                .build();
    }

    static Duration decode(com.google.protobuf.Duration duration) {
        if (duration.getSeconds() < 0 || duration.getNanos() < 0) {
            throw new IllegalArgumentException(
                    "duration " + duration.getSeconds() + "s " + duration.getNanos() + "ns is negative");
        }
        return Duration.ofSeconds(duration.getSeconds(), duration.getNanos());
    }
}
