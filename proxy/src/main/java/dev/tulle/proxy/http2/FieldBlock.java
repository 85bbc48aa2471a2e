package dev.tulle.proxy.http2;

import dev.tulle.proxy.http1.FieldName;
import dev.tulle.proxy.loop.ByteSink;
import java.util.Arrays;

/**
 * The fields of a message as HTTP/2 sends them (HPACK, RFC 7541): literals that enter no table. So nothing is looked up or
 * kept for them, and how large a message becomes tells nothing of those before it; nginx and HAProxy do the same. What is
 * said with {@link #name} is followed by its {@link #value}. Confined to one loop, by the sink.
 */
public final class FieldBlock {
    /** What a peer counts for each field besides its bytes (RFC 9113 section 6.5.2). */
    private static final int OVERHEAD = 32;

    private static final int INDEXED = 0x80;
    private static final int NAME_INDEXED = 0x0f;
    private static final int SEVEN_BITS = 0x7f;

    /** Places in that table (RFC 7541 appendix A). */
    static final int AUTHORITY = 1;

    static final int METHOD = 2;
    static final int GET = 2;
    static final int POST = 3;
    static final int PATH = 4;
    static final int ROOT = 4;
    static final int HTTP = 6;
    static final int STATUS = 8;
    static final int OK = 8;
    static final int CONTENT_LENGTH = 28;
    static final int CONTENT_TYPE = 31;
    static final int LOCATION = 46;
    private static final int USER_AGENT = 58;

    /** Bytes of the names there, and of the whole fields, that are used here. */
    private static final int[] NAMES = new int[USER_AGENT + 1];

    private static final int[] FIELDS = new int[OK + 1];

    static {
        NAMES[AUTHORITY] = ":authority".length();
        NAMES[METHOD] = ":method".length();
        NAMES[PATH] = ":path".length();
        NAMES[STATUS] = ":status".length();
        NAMES[CONTENT_LENGTH] = "content-length".length();
        NAMES[CONTENT_TYPE] = "content-type".length();
        NAMES[LOCATION] = "location".length();
        NAMES[USER_AGENT] = "user-agent".length();
        FIELDS[GET] = ":methodGET".length();
        FIELDS[POST] = ":methodPOST".length();
        FIELDS[ROOT] = ":path/".length();
        FIELDS[HTTP] = ":schemehttp".length();
        FIELDS[OK] = ":status200".length();
    }

    private final ByteSink out;
    private final int start;
    private int size;

    /** An empty one, behind what the sink has. */
    public FieldBlock(ByteSink out) {
        this.out = out;
        this.start = out.length();
    }

    /** How a request is answered. */
    public FieldBlock status(int code) {
        return code == 200 ? known(OK) : name(STATUS).value(code);
    }

    /** A whole field that both ends know. */
    FieldBlock known(int index) {
        out.put((char) (INDEXED | index));
        size += FIELDS[index] + OVERHEAD;
        return this;
    }

    /** A name that both ends know. */
    FieldBlock name(int index) {
        if (index < NAME_INDEXED) {
            out.put((char) index);
        } else {
            out.put((char) NAME_INDEXED).put((char) (index - NAME_INDEXED));
        }
        size += NAMES[index];
        return this;
    }

    /** A name of the proxy's own, in lower case. */
    FieldBlock name(String lower) {
        out.put('\0');
        length(lower.length());
        out.put(lower);
        return this;
    }

    /** The name of a field of a received head. */
    FieldBlock name(byte[] bytes, int from, int to, int known) {
        switch (known) {
            case FieldName.CONTENT_TYPE -> name(CONTENT_TYPE);
            case FieldName.USER_AGENT -> name(USER_AGENT);
            default -> {
                out.put('\0');
                length(to - from);
                out.putLower(bytes, from, to);
            }
        }
        return this;
    }

    FieldBlock value(byte[] bytes, int from, int to) {
        size += OVERHEAD;
        length(to - from);
        out.put(bytes, from, to);
        return this;
    }

    /** A value from configuration, or the proxy's own, as {@link ByteSink#value} writes it. */
    FieldBlock value(String text) {
        size += OVERHEAD;
        length(text.length());
        out.value(text);
        return this;
    }

    FieldBlock value(long number) {
        int digits = 1;
        for (long rest = number; rest >= 10; rest /= 10) {
            digits++;
        }
        size += OVERHEAD;
        length(digits);
        out.putDecimal(number);
        return this;
    }

    /** The length of a text that follows as it is (RFC 7541 sections 5.1 and 5.2). */
    private void length(int n) {
        size += n;
        if (n < SEVEN_BITS) {
            out.put((char) n);
            return;
        }
        out.put((char) SEVEN_BITS);
        int rest = n - SEVEN_BITS;
        while (rest > SEVEN_BITS) {
            out.put((char) ((rest & SEVEN_BITS) | 0x80));
            rest >>>= 7;
        }
        out.put((char) rest);
    }

    /** Bytes as a peer counts them that bounds them. */
    int size() {
        return size;
    }

    byte[] array() {
        return out.array();
    }

    int start() {
        return start;
    }

    int end() {
        return out.length();
    }

    /** The bytes alone, for later. */
    public byte[] bytes() {
        return Arrays.copyOfRange(out.array(), start, out.length());
    }
}
