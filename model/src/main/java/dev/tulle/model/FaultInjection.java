package dev.tulle.model;

import dev.tulle.common.Reason;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;

/** Faults that a route injects on purpose; the delay comes first. */
public record FaultInjection(Optional<Delay> delay, Optional<Abort> abort) implements RouteFilter {
    private static final int WHOLE = 1_000_000;

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

    /**
     * The fault of one request.
     *
     * @param delay zero for none
     * @param abortStatus the status to answer with instead of going on; 0 for none
     */
    public record Fault(Duration delay, int abortStatus) {}

    /** Draws what happens to one request. */
    public Fault draw(RandomGenerator random) {
        return new Fault(
                delay.filter(d -> hit(d.partsPerMillion, random))
                        .map(Delay::duration)
                        .orElse(Duration.ZERO),
                abort.filter(a -> hit(a.partsPerMillion, random))
                        .map(Abort::status)
                        .orElse(0));
    }

    /** True for a share of what is asked, in parts per million. */
    static boolean hit(int partsPerMillion, RandomGenerator random) {
        return partsPerMillion >= WHOLE || (partsPerMillion > 0 && random.nextInt(WHOLE) < partsPerMillion);
    }

    @Override
    public Optional<ProxyWork> needsProxy() {
        boolean injects = delay.map(d -> d.partsPerMillion > 0).orElse(false)
                || abort.map(a -> a.partsPerMillion > 0).orElse(false);
        return injects ? Optional.of(new ProxyWork(Reason.NEEDS_FAULT, "injects a fault")) : Optional.empty();
    }

    @Override
    public String text() {
        List<String> parts = new ArrayList<>();
        delay.ifPresent(d ->
                parts.add("delay " + Quantities.duration(d.duration) + " for " + Quantities.share(d.partsPerMillion)));
        abort.ifPresent(a -> parts.add("answer " + a.status + " to " + Quantities.share(a.partsPerMillion)));
        return String.join(", ", parts);
    }
}
