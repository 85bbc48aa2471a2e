package dev.tulle.xds;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * How many streams a user of the server may have open, so that nobody who may read the resources can exhaust it. Thread-safe.
 */
final class StreamLimits {
    /** Streams of one user, or one node; the proxy has one, two while one process takes over from another. */
    static final int PER_USER = 16;

    /** Streams of root and of the server's own user: every agent, and whoever looks. */
    static final int PER_OWNER = 256;

    /** Names that one stream subscribes to, over all types. */
    static final int NAMES = 20_000;

    /** Characters of a resource name: two DNS names and some words. */
    static final int NAME_LENGTH = 1_024;

    private final Map<String, Integer> open = new HashMap<>();

    /** Counts a stream that is about to open; why it may not, or empty. */
    synchronized Optional<String> open(Peer peer) {
        boolean owner = peer instanceof Peer.LocalProcess && peer.registers();
        int limit = owner ? PER_OWNER : PER_USER;
        int now = open.getOrDefault(peer.holder(), 0);
        if (now >= limit) {
            return Optional.of(peer.holder() + " has " + now + " streams open; expected at most " + limit);
        }
        open.put(peer.holder(), now + 1);
        return Optional.empty();
    }

    /** A stream that was counted has ended. */
    synchronized void closed(Peer peer) {
        open.computeIfPresent(peer.holder(), (_, now) -> now == 1 ? null : Integer.valueOf(now - 1));
    }

    /**
     * Checks names that a stream is about to subscribe to.
     *
     * @param held the names that it has already
     * @throws OverLimitException naming the limit
     */
    static void checkNames(int held, Iterable<String> more) {
        int names = held;
        for (String name : more) {
            names++;
            if (names > NAMES) {
                throw new OverLimitException("a stream subscribes to more than " + NAMES + " names");
            }
            if (name.length() > NAME_LENGTH) {
                throw new OverLimitException(
                        "a resource name has " + name.length() + " characters; expected at most " + NAME_LENGTH);
            }
        }
    }

    /** A client asks for more than it may have; its stream ends with this sentence. */
    static final class OverLimitException extends RuntimeException {
        private static final long serialVersionUID = 1;

        OverLimitException(String message) {
            super(message, null, false, false);
        }
    }
}
