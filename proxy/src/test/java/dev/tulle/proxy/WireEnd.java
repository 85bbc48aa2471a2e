package dev.tulle.proxy;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One end of an exchange in either version of HTTP, whose every step a test decides, so that one test serves all pairs of
 * versions. One exchange after the other; calls block.
 */
abstract class WireEnd implements AutoCloseable {
    /** How the length of a body is said. */
    enum Framing {
        NONE,
        LENGTH,
        /** Not at all: in chunks, or until the stream's end. */
        OPEN
    }

    /** The message, or the connection, ended otherwise than in order. */
    static final class BrokenException extends IOException {
        private static final long serialVersionUID = 1;

        BrokenException(String why) {
            super(why);
        }
    }

    /** The head of a message: its method or its code, and its fields with names in lower case. */
    record Head(String start, Map<String, String> fields) {}

    /** What requests are for. */
    String path = "/";

    /** What has followed the body that was read last. */
    final Map<String, String> trailers = new LinkedHashMap<>();

    /**
     * Sends a head.
     *
     * @param start the method of a request, or the code of a response
     * @param length of the body, for {@link Framing#LENGTH}
     * @param fields names and values
     */
    abstract void head(String start, Framing framing, long length, String... fields) throws IOException;

    /** Sends a piece of the body; waits until the other side takes it. */
    abstract void data(byte[] piece) throws IOException;

    /** The message is complete; trailers, names and values, only where its length was not said. */
    abstract void end(String... more) throws IOException;

    /** The next head, also an informational one. */
    abstract Head readHead(boolean bodyless) throws IOException;

    /** The next piece of the body; null at its end. */
    abstract byte @Nullable [] read() throws IOException;

    /** Gives up on the exchange. */
    abstract void reset() throws IOException;

    /** Waits until the other side has given up on the exchange. */
    abstract void awaitReset() throws IOException;
}
