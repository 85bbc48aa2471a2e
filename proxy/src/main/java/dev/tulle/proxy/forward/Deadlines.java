package dev.tulle.proxy.forward;

import dev.tulle.proxy.filter.GrpcCall;
import dev.tulle.proxy.upstream.ForwardPlan;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The deadlines of one exchange: of the whole, of the current try, and of silence. Loop-confined. */
final class Deadlines {
    /** Only so that nothing stays for ever: Istio bounds no silence, and without a mesh there is no bound either. */
    private static final long IDLE_TIMEOUT = TimeUnit.HOURS.toNanos(24);

    private static final long NEVER = Long.MAX_VALUE;

    private long whole = NEVER;
    private long ofTry = NEVER;
    private long silentFrom;
    private boolean moved;
    private boolean ofCall;

    /** A request begins. */
    void reset(long now) {
        whole = NEVER;
        ofTry = NEVER;
        silentFrom = now;
        moved = false;
        ofCall = false;
    }

    /** Bounds the whole exchange. */
    void whole(long nanos) {
        whole = nanos;
    }

    /** Bounds the whole exchange by its route, and a call of gRPC by its own deadline; false for no bound. */
    boolean ofPlan(ForwardPlan plan, @Nullable GrpcCall call, long now) {
        long timeout = plan.timeoutNanos();
        ofCall = call != null && call.timeoutNanos() > 0 && (timeout == 0 || call.timeoutNanos() <= timeout);
        if (call != null && ofCall) {
            timeout = call.timeoutNanos();
        }
        if (timeout > 0) {
            whole = later(now, timeout);
        }
        return timeout > 0;
    }

    /** Bounds the current try by its route; false for no bound. */
    boolean ofTry(ForwardPlan plan, long now) {
        if (plan.perTryNanos() > 0) {
            ofTry = later(now, plan.perTryNanos());
        }
        return plan.perTryNanos() > 0;
    }

    /** Some clients write for "no deadline" the longest time that there is: times of this clock may be of any sign. */
    private static long later(long now, long timeout) {
        long then = now + timeout;
        return now > 0 && then < now ? NEVER : then;
    }

    /** Silence counts from then on. */
    void silentFrom(long nanos) {
        silentFrom = nanos;
    }

    /** Bounds the current try. */
    void ofTry(long nanos) {
        ofTry = nanos;
    }

    /** The current try is over. */
    void tryOver() {
        ofTry = NEVER;
    }

    /** Bytes moved. */
    void moved() {
        moved = true;
    }

    /** True when bytes moved since the last question. */
    boolean takeMoved() {
        boolean was = moved;
        moved = false;
        return was;
    }

    /** True when the exchange or its try has taken too long. */
    boolean isOver(long now) {
        return now >= whole || now >= ofTry;
    }

    /** True when only the try has, if {@link #isOver}. */
    boolean isOnlyTry(long now) {
        return now < whole;
    }

    /** True when it is the deadline of a call of gRPC that is over, and not its route's. */
    boolean isOfCall(long now) {
        return ofCall && now >= whole;
    }

    /** Silence is forgiven up to now. */
    void forgive(long now) {
        silentFrom = now;
        moved = false;
    }

    /** When to look again. */
    long next() {
        long from = moved ? System.nanoTime() : silentFrom;
        return Math.min(Math.min(whole, ofTry), from + IDLE_TIMEOUT);
    }
}
