package dev.tulle.proxy.upstream;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/**
 * How the tries that the proxy made at one endpoint ended: sums, and the series that outlier detection goes by. One for
 * all loops. Where the kernel forwards requests to the endpoint as well, it keeps series of both, and is told of every end
 * here ({@link Lender#ended}). Thread-safe.
 */
public final class EndpointOutcomes {
    /** In place of a status: no response came, as connecting failed, the connection ended, or time was up. */
    public static final int NO_RESPONSE = 0;

    private final AtomicInteger consecutive5xx = new AtomicInteger();
    private final AtomicInteger consecutiveGatewayErrors = new AtomicInteger();
    private final AtomicInteger consecutiveLocalFailures = new AtomicInteger();
    private final LongAdder successes = new LongAdder();
    private final LongAdder errors = new LongAdder();
    private final LongAdder localFailures = new LongAdder();
    private final Reachability reachability = new Reachability(System::nanoTime);

    /** Whether connections can be made. */
    public Reachability reachability() {
        return reachability;
    }

    /** A try ended with this status, or {@link #NO_RESPONSE}. */
    void ended(int code) {
        boolean none = code == NO_RESPONSE;
        series(consecutive5xx, none || code >= 500);
        series(consecutiveGatewayErrors, none || (code >= 502 && code <= 504));
        series(consecutiveLocalFailures, none);
        (none ? localFailures : code >= 500 ? errors : successes).increment();
    }

    private static void series(AtomicInteger series, boolean goesOn) {
        if (goesOn) {
            series.incrementAndGet();
        } else if (series.get() != 0) {
            series.set(0);
        }
    }

    /** 5xx and tries without a response, since the last other response. */
    public int consecutive5xx() {
        return consecutive5xx.get();
    }

    /** 502, 503, 504 and tries without a response, since the last other response. */
    public int consecutiveGatewayErrors() {
        return consecutiveGatewayErrors.get();
    }

    /** Tries without a response, since the last response. */
    public int consecutiveLocalFailures() {
        return consecutiveLocalFailures.get();
    }

    /** Responses of other classes than 5xx. */
    public long successes() {
        return successes.sum();
    }

    /** Responses of class 5xx. */
    public long errors() {
        return errors.sum();
    }

    /** Tries without a response. */
    public long localFailures() {
        return localFailures.sum();
    }
}
