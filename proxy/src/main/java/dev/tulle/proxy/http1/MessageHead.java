package dev.tulle.proxy.http1;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;

/**
 * The head of a request or response, and how it is read: in pieces of any size with the same result. Only whole lines are
 * looked at, so where a message was split never matters. Reused from message to message, confined to one thread.
 */
public abstract class MessageHead extends HeadFields {
    /** Bytes of a head, start line included. */
    public static final int MAX_HEAD = 60 << 10;

    /** Bytes of a request line: queries may be long. */
    public static final int MAX_REQUEST_LINE = MAX_HEAD;

    /** Bytes of a path, which routes and policies read with expressions. */
    public static final int MAX_PATH = 8 << 10;

    /** Bytes of a status line. */
    static final int MAX_STATUS_LINE = 8 << 10;

    /** Fields of a head. */
    public static final int MAX_FIELDS = 1000;

    /** Bytes of the values of Connection: each field is looked for in all of them. */
    private static final int MAX_CONNECTION = 1 << 10;

    private static final int FIRST_SIZE = 1 << 10;

    private int filled;
    private int scanned;
    private int lineStart;
    private boolean started;
    private ParseStatus status = ParseStatus.NEED_MORE;

    /** Length of the body by Content-Length; -1 when the head has none. */
    protected long contentLength;

    protected boolean chunked;
    protected int contentLengthFields;
    protected int transferEncodingFields;
    protected boolean connectionClose;
    protected boolean connectionKeepAlive;
    protected boolean connectionUpgrade;
    private boolean nominates;
    private int connectionBytes;

    /** Minor version: 0 or 1. */
    protected int minorVersion;

    /** Forgets the message and makes ready for the next one. */
    public void reset() {
        filled = 0;
        scanned = 0;
        lineStart = 0;
        started = false;
        status = ParseStatus.NEED_MORE;
        forgetFields();
        contentLength = -1;
        chunked = false;
        contentLengthFields = 0;
        transferEncodingFields = 0;
        connectionClose = false;
        connectionKeepAlive = false;
        connectionUpgrade = false;
        nominates = false;
        connectionBytes = 0;
        minorVersion = 1;
        if (bytes.length > 8 * FIRST_SIZE) {
            // One large head does not keep an idle connection large.
            bytes = NO_BYTES;
        }
    }

    /** Gives a large buffer back once nobody looks at the message any more. */
    public void shrink() {
        if (bytes.length > 4 * FIRST_SIZE) {
            reset();
            bytes = NO_BYTES;
        }
    }

    /** Bytes that are held for the message, where they are more than most messages need; else 0. */
    public int held() {
        return bytes.length > 4 * FIRST_SIZE ? bytes.length : 0;
    }

    /** True before the first byte of a message. */
    public boolean isEmpty() {
        return filled == 0;
    }

    /** Bytes read so far; of a complete head, all of it. */
    final int length() {
        return filled;
    }

    /**
     * Reads on; takes the bytes of the head from the buffer and leaves what follows it.
     *
     * @return {@link ParseStatus#NEED_MORE}, {@link ParseStatus#COMPLETE}, or the reason to refuse the message
     */
    public ParseStatus read(ByteBuf in) {
        while (status == ParseStatus.NEED_MORE && in.isReadable()) {
            if (filled == bytes.length) {
                bytes = Arrays.copyOf(bytes, Math.clamp(bytes.length * 4L, FIRST_SIZE, MAX_HEAD + 1));
            }
            int n = Math.min(in.readableBytes(), bytes.length - filled);
            in.getBytes(in.readerIndex(), bytes, filled, n);
            int before = filled;
            filled += n;
            status = parse();
            if (status == ParseStatus.COMPLETE) {
                in.skipBytes(lineStart - before);
                filled = lineStart;
            } else {
                in.skipBytes(n);
            }
        }
        return status;
    }

    private ParseStatus parse() {
        while (true) {
            int lineFeed = Ascii.indexOfLineFeed(bytes, scanned, filled);
            int reached = lineFeed < 0 ? filled : lineFeed + 1;
            if (!started && reached - lineStart > startLineLimit()) {
                return ParseStatus.LINE_TOO_LONG;
            }
            if (reached > MAX_HEAD) {
                return ParseStatus.HEAD_TOO_LARGE;
            }
            if (lineFeed < 0) {
                scanned = filled;
                return ParseStatus.NEED_MORE;
            }
            scanned = lineFeed + 1;
            int end = lineFeed - 1;
            if (end < lineStart || bytes[end] != '\r') {
                return ParseStatus.BAD_LINE_END;
            }
            ParseStatus line;
            if (started) {
                if (end == lineStart) {
                    lineStart = scanned;
                    return finish();
                }
                line = field(lineStart, end);
            } else if (end == lineStart && skipsEmptyLine() && lineStart <= 2) {
                // A client may send an empty line after a body; at most two are forgiven.
                line = ParseStatus.NEED_MORE;
            } else {
                started = true;
                line = startLine(lineStart, end);
            }
            if (line != ParseStatus.NEED_MORE) {
                return line;
            }
            lineStart = scanned;
        }
    }

    /** Bytes that the start line may have, its end included. */
    abstract int startLineLimit();

    /** True when empty lines before the start line are forgiven. */
    abstract boolean skipsEmptyLine();

    /** Checks the start line; NEED_MORE means that it is good. */
    abstract ParseStatus startLine(int from, int to);

    /** Checks the fields together; COMPLETE means that the head is good. */
    abstract ParseStatus finish();

    private ParseStatus field(int from, int to) {
        int colon = from;
        while (colon < to && Ascii.isToken(bytes[colon])) {
            colon++;
        }
        if (colon == from || colon == to || bytes[colon] != ':') {
            return ParseStatus.BAD_FIELD_NAME;
        }
        int start = colon + 1;
        while (start < to && isBlank(bytes[start])) {
            start++;
        }
        int end = to;
        while (end > start && isBlank(bytes[end - 1])) {
            end--;
        }
        if (Ascii.hasControl(bytes, start, end)) {
            return ParseStatus.BAD_FIELD_VALUE;
        }
        if (fieldCount() == MAX_FIELDS) {
            return ParseStatus.TOO_MANY_FIELDS;
        }
        int name = FieldName.classify(bytes, from, colon);
        addField(name, from, colon, start, end);
        return switch (name) {
            case FieldName.OTHER -> ParseStatus.NEED_MORE;
            case FieldName.CONTENT_LENGTH -> contentLength(start, end);
            case FieldName.TRANSFER_ENCODING -> transferEncoding(start, end);
            case FieldName.CONNECTION -> connection(start, end);
            default -> known(name, start, end);
        };
    }

    /** Notes a field of a known name; NEED_MORE means that it is good. */
    abstract ParseStatus known(int name, int start, int end);

    private static boolean isBlank(byte b) {
        return b == ' ' || b == '\t';
    }

    private ParseStatus contentLength(int start, int end) {
        if (++contentLengthFields > 1 || start == end || end - start > 18) {
            return ParseStatus.BAD_CONTENT_LENGTH;
        }
        long value = 0;
        for (int i = start; i < end; i++) {
            int digit = bytes[i] - '0';
            if (digit < 0 || digit > 9) {
                return ParseStatus.BAD_CONTENT_LENGTH;
            }
            value = value * 10 + digit;
        }
        if (bytes[start] == '0' && end - start > 1) {
            return ParseStatus.BAD_CONTENT_LENGTH;
        }
        contentLength = value;
        return ParseStatus.NEED_MORE;
    }

    private static final byte[] CHUNKED = FieldName.lower("chunked");
    private static final byte[] CLOSE = FieldName.lower("close");
    private static final byte[] KEEP_ALIVE = FieldName.lower("keep-alive");
    private static final byte[] UPGRADE = FieldName.lower("upgrade");

    private ParseStatus transferEncoding(int start, int end) {
        if (++transferEncodingFields > 1 || !FieldName.equalsLower(bytes, start, end, CHUNKED)) {
            return ParseStatus.BAD_TRANSFER_ENCODING;
        }
        chunked = true;
        return ParseStatus.NEED_MORE;
    }

    private ParseStatus connection(int start, int end) {
        connectionBytes += end - start;
        if (connectionBytes > MAX_CONNECTION) {
            return ParseStatus.BAD_CONNECTION;
        }
        int from = start;
        while (from <= end) {
            int comma = from;
            while (comma < end && bytes[comma] != ',') {
                comma++;
            }
            int a = from;
            int b = comma;
            while (a < b && isBlank(bytes[a])) {
                a++;
            }
            while (b > a && isBlank(bytes[b - 1])) {
                b--;
            }
            for (int i = a; i < b; i++) {
                if (!Ascii.isToken(bytes[i])) {
                    return ParseStatus.BAD_CONNECTION;
                }
            }
            if (FieldName.equalsLower(bytes, a, b, CLOSE)) {
                connectionClose = true;
            } else if (FieldName.equalsLower(bytes, a, b, KEEP_ALIVE)) {
                connectionKeepAlive = true;
            } else if (FieldName.equalsLower(bytes, a, b, UPGRADE)) {
                connectionUpgrade = true;
            } else if (a < b) {
                switch (FieldName.classify(bytes, a, b)) {
                    case FieldName.HOST,
                            FieldName.CONTENT_LENGTH,
                            FieldName.TRANSFER_ENCODING,
                            FieldName.CONNECTION -> {
                        return ParseStatus.BAD_CONNECTION;
                    }
                    default -> nominates = true;
                }
            }
            from = comma + 1;
        }
        return ParseStatus.NEED_MORE;
    }

    /** The framing rules that requests and responses share. */
    final ParseStatus framing() {
        if (chunked && contentLength >= 0) {
            return ParseStatus.BOTH_FRAMINGS;
        }
        if (chunked && minorVersion == 0) {
            return ParseStatus.BAD_TRANSFER_ENCODING;
        }
        return ParseStatus.COMPLETE;
    }

    /** The value of Content-Length, -1 when there is none. */
    public final long contentLength() {
        return contentLength;
    }

    /** True when the body is chunked. */
    public final boolean isChunked() {
        return chunked;
    }

    /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
    public final int minorVersion() {
        return minorVersion;
    }

    /** True when the sender keeps the connection open after this message. */
    public final boolean keepsAlive() {
        return !connectionClose && (minorVersion == 1 || connectionKeepAlive);
    }

    /** True when a field of this name is nominated by Connection, so that it must not be forwarded. */
    public final boolean isNominated(int field) {
        if (!nominates) {
            return false;
        }
        for (int i = 0; i < fieldCount(); i++) {
            if (nameOf(i) == FieldName.CONNECTION
                    && lists(valueStart(i), valueEnd(i), nameStart(field), nameEnd(field))) {
                return true;
            }
        }
        return false;
    }

    private boolean lists(int from, int to, int nameStart, int nameEnd) {
        int length = nameEnd - nameStart;
        for (int i = from; i + length <= to; i++) {
            boolean begins = i == from || bytes[i - 1] == ',' || isBlank(bytes[i - 1]);
            int end = i + length;
            boolean ends = end == to || bytes[end] == ',' || isBlank(bytes[end]);
            if (begins && ends && sameName(i, nameStart, length)) {
                return true;
            }
        }
        return false;
    }

    private boolean sameName(int a, int b, int length) {
        for (int i = 0; i < length; i++) {
            if (lower(bytes[a + i]) != lower(bytes[b + i])) {
                return false;
            }
        }
        return true;
    }
}
