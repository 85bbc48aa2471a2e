package dev.tulle.proxy.forward;

import dev.tulle.proxy.filter.GrpcCall;
import org.jspecify.annotations.Nullable;

/** What is counted and logged of one exchange. Loop-confined. */
final class Tally {
    /** When the request's first byte came, as {@link System#nanoTime}. */
    long startNanos;

    /** When the response's head came; -1 before that. */
    long upstreamNanos;

    /** Bytes of the request's body. */
    long requestBytes;

    /** Bytes of the response's body. */
    long responseBytes;

    /** The response's status; 0 for none. */
    int code;

    String flags = Flags.NONE;

    /** What is known of a call of gRPC; null for any other request. */
    @Nullable
    GrpcCall grpc;

    /** True when the kernel has counted the request, because it forwarded the response's head. */
    boolean counted;

    /** Why the response is what it is, in one word; empty for the server's own. */
    String details = "";

    /** A request begins. */
    void reset(long now) {
        startNanos = now;
        upstreamNanos = -1;
        requestBytes = 0;
        responseBytes = 0;
        code = 0;
        flags = Flags.NONE;
        details = "";
        counted = false;
        grpc = null;
    }

    /** Adds a flag. */
    void flag(String more) {
        flags = Flags.join(flags, more);
    }

    /** Adds a flag and gives the reason. */
    void flag(String more, String why) {
        flags = Flags.join(flags, more);
        details = why;
    }

    /** Microseconds until the response's head came; -1 when it did not. */
    long upstreamMicros() {
        return upstreamNanos < 0 ? -1 : (upstreamNanos - startNanos) / 1_000;
    }
}
