package dev.tulle.model;

import java.time.Duration;
import java.util.Optional;

/** Faults that a route injects on purpose; the delay comes first. */
public record FaultInjection(Optional<Delay> delay, Optional<Abort> abort) {
    /** No fault. */
    public static final FaultInjection NONE = new FaultInjection(Optional.empty(), Optional.empty());

    /**
     * Waits before forwarding.
     *
     * @param partsPerMillion share of requests, 0 to 1,000,000
     */
    public record Delay(Duration duration, int partsPerMillion) {}

    /**
     * Answers with a status instead of forwarding.
     *
     * @param partsPerMillion share of requests, 0 to 1,000,000
     */
    public record Abort(int status, int partsPerMillion) {
        public Abort {
            if (status < 200 || status > 599) {
                throw new IllegalArgumentException("fault abort status " + status + ": expected 200 to 599");
            }
        }
    }
}
