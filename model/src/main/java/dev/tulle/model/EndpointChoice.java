package dev.tulle.model;

import java.util.Objects;

/**
 * How the kernel chooses among the endpoints of a port when a connection begins.
 *
 * @param kind the way
 * @param stickySeconds with {@link Kind#STICKY}, how long after its last connection a caller is remembered; else 0
 */
public record EndpointChoice(Kind kind, int stickySeconds) {
    /** The ways; weights hold in all of them. */
    public enum Kind {
        RANDOM,
        /** One after the other, all callers of the node together. */
        ROUND_ROBIN,
        /** The same caller gets the same endpoint, on every node ({@link Maglev}). */
        SOURCE_HASH,
        /** A caller gets the endpoint that it had last, if that is still one; a new one as SOURCE_HASH. */
        STICKY
    }

    /** By weight alone. */
    public static final EndpointChoice RANDOM = new EndpointChoice(Kind.RANDOM, 0);

    public EndpointChoice {
        Objects.requireNonNull(kind, "kind");
        if (kind == Kind.STICKY == (stickySeconds <= 0)) {
            throw new IllegalArgumentException(
                    "stickySeconds is " + stickySeconds + " with " + kind + ", expected 1 or more with STICKY, else 0");
        }
    }

    /** A way that needs no time. */
    public static EndpointChoice of(Kind kind) {
        return new EndpointChoice(kind, 0);
    }

    /** Callers keep their endpoint. */
    public static EndpointChoice sticky(int seconds) {
        return new EndpointChoice(Kind.STICKY, seconds);
    }
}
