package dev.tulle.proxy.share;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The time of one loop. A client whose requests have taken up its part of a pass of the loop waits for the next one, so
 * that those of the others are looked at before; but only where others have wanted something lately, as nobody is helped
 * otherwise. Loop-confined.
 */
final class LoopTime {
    /** What the requests of a client may take in one pass, in nanoseconds: some dozen plain ones. */
    private static final long PART = TimeUnit.MICROSECONDS.toNanos(250);

    /** For how long another client counts after it has begun a request. */
    private static final long LATELY = TimeUnit.MILLISECONDS.toNanos(200);

    /** What one client has had. */
    static final class Taken {
        private long pass;
        private long nanos;
    }

    private final LongSupplier passes;
    private @Nullable Taken last;
    private long changed;
    private boolean shared;

    /**
     * Nobody has had anything yet.
     *
     * @param passes how often the loop has looked at its sockets
     */
    LoopTime(LongSupplier passes) {
        this.passes = passes;
    }

    /** True when the client may begin a request in this pass. */
    boolean allows(Taken client, long now) {
        if (client != last) {
            shared = last != null;
            changed = now;
            last = client;
        }
        long pass = passes.getAsLong();
        if (client.pass != pass) {
            client.pass = pass;
            client.nanos = 0;
        }
        return client.nanos < PART || !shared || now - changed > LATELY;
    }

    /** Counts what a client's request took. */
    void used(Taken client, long nanos) {
        client.nanos += nanos;
    }
}
