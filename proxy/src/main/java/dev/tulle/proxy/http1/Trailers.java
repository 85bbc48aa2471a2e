package dev.tulle.proxy.http1;

import java.util.Arrays;
import java.util.List;

/**
 * The trailers of a chunked body, as lines that can be sent on. Those that would frame, route or authorize the message, or
 * say what its content is, are left out (RFC 9110 section 6.5.1): whoever merges trailers into the head would take them
 * for what was decided by. Confined to one thread, reused.
 */
public final class Trailers {
    /** Those of a body without any. */
    public static final byte[] NONE = {};

    private static final int KEPT = 1 << 10;
    private static final List<byte[]> NAMES = lower(
            "authorization",
            "cookie",
            "set-cookie",
            "www-authenticate",
            "cache-control",
            "max-forwards",
            "range",
            "vary",
            "age",
            "date",
            "expires",
            "location",
            "retry-after",
            "warning",
            "pragma",
            "forwarded");
    private static final List<byte[]> PREFIXES =
            lower("content-", "x-forwarded-", "x-envoy-", "proxy-", "if-", "accept", "sec-", "x-b3-", "traceparent");

    private byte[] lines = NONE;
    private int filled;
    private int lineStart;
    private int nameEnd;

    private static List<byte[]> lower(String... names) {
        return Arrays.stream(names).map(FieldName::lower).toList();
    }

    /** Makes ready for the next message. */
    public void reset() {
        filled = 0;
        if (lines.length > KEPT) {
            lines = NONE;
        }
    }

    /** A line begins. */
    public void begin() {
        lineStart = filled;
    }

    /** Its name is complete. */
    public void named() {
        nameEnd = filled;
    }

    /** Adds a byte to the line. */
    public void add(byte b) {
        if (filled == lines.length) {
            lines = Arrays.copyOf(lines, Math.max(64, filled * 2));
        }
        lines[filled++] = b;
    }

    /** A line is complete, and stays if it may. */
    public void end() {
        if (isFree()) {
            add((byte) '\r');
            add((byte) '\n');
        } else {
            filled = lineStart;
        }
    }

    private boolean isFree() {
        return FieldName.classify(lines, lineStart, nameEnd) == FieldName.OTHER
                && NAMES.stream().noneMatch(name -> FieldName.equalsLower(lines, lineStart, nameEnd, name))
                && PREFIXES.stream()
                        .noneMatch(prefix -> nameEnd - lineStart >= prefix.length
                                && FieldName.equalsLower(lines, lineStart, lineStart + prefix.length, prefix));
    }

    /** The lines, each with its end; none: empty. */
    public byte[] lines() {
        return filled == 0 ? NONE : Arrays.copyOf(lines, filled);
    }
}
