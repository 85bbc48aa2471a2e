package dev.tulle.proxy.http1;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The head of a request or response: its bytes in one array and the offsets of its parts. Read in pieces of any size with
 * the same result, reused from message to message, confined to one thread. Only whole lines are looked at, so where a
 * message was split never matters.
 */
public abstract class MessageHead {
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
    private static final int STRIDE = 5;
    private static final int FIRST_FIELDS = 16 * STRIDE;
    private static final byte[] NO_BYTES = {};
    private static final int[] NO_FIELDS = {};

    /** Made with the first byte: thousands of connections may wait for one, of clients that send none. */
    protected byte[] bytes = NO_BYTES;

    private int filled;
    private int scanned;
    private int lineStart;
    private boolean started;
    private ParseStatus status = ParseStatus.NEED_MORE;

    private int[] fields = NO_FIELDS;
    private int fieldCount;

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
        fieldCount = 0;
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
        if (fieldCount == MAX_FIELDS) {
            return ParseStatus.TOO_MANY_FIELDS;
        }
        int name = FieldName.classify(bytes, from, colon);
        int at = fieldCount * STRIDE;
        if (at == fields.length) {
            fields = Arrays.copyOf(fields, Math.max(FIRST_FIELDS, fields.length * 2));
        }
        fields[at] = from;
        fields[at + 1] = colon;
        fields[at + 2] = start;
        fields[at + 3] = end;
        fields[at + 4] = name;
        fieldCount++;
        return switch (name) {
            case FieldName.OTHER -> ParseStatus.NEED_MORE;
            case FieldName.CONTENT_LENGTH -> contentLength(start, end);
            case FieldName.TRANSFER_ENCODING -> transferEncoding(start, end);
            case FieldName.CONNECTION -> connection(start, end);
            default -> known(name, start, end);
        };
    }

    /** From now on the last field has another value, which stands elsewhere in the head. */
    final void lastValueIs(int start, int end) {
        int at = (fieldCount - 1) * STRIDE;
        fields[at + 2] = start;
        fields[at + 3] = end;
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

    /** The array that the offsets point into; valid until {@link #reset}. */
    public final byte[] bytes() {
        return bytes;
    }

    /** Number of fields. */
    public final int fieldCount() {
        return fieldCount;
    }

    public final int nameStart(int field) {
        return fields[field * STRIDE];
    }

    public final int nameEnd(int field) {
        return fields[field * STRIDE + 1];
    }

    public final int valueStart(int field) {
        return fields[field * STRIDE + 2];
    }

    public final int valueEnd(int field) {
        return fields[field * STRIDE + 3];
    }

    /** The {@link FieldName} number of a field. */
    public final int nameOf(int field) {
        return fields[field * STRIDE + 4];
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
        for (int i = 0; i < fieldCount; i++) {
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

    private static int lower(byte b) {
        return b >= 'A' && b <= 'Z' ? b + 0x20 : b;
    }

    /** Text of a part of the head; bytes above 0x7f become the characters of the same number. */
    public final String text(int from, int to) {
        return new String(bytes, from, to - from, StandardCharsets.ISO_8859_1);
    }

    /** True when this is the text of a part of the head. */
    final boolean isText(int from, int to, String text) {
        if (to - from != text.length()) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            if ((bytes[from + i] & 0xff) != text.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    /** The first field with this known name, -1 when there is none. */
    public final int find(int name) {
        for (int i = 0, at = 4; i < fieldCount; i++, at += STRIDE) {
            if (fields[at] == name) {
                return i;
            }
        }
        return -1;
    }

    /** The value of the first field with this known name; empty when there is none. */
    public final String value(int name) {
        int field = find(name);
        return field < 0 ? "" : text(valueStart(field), valueEnd(field));
    }

    /**
     * The value of a field; several of one name are joined by commas.
     *
     * @param lowerName in lower case
     */
    public final @Nullable String header(String lowerName) {
        String found = null;
        int length = lowerName.length();
        for (int i = 0; i < fieldCount; i++) {
            int start = nameStart(i);
            if (nameEnd(i) - start == length && named(start, lowerName)) {
                String value = text(valueStart(i), valueEnd(i));
                found = found == null ? value : found + "," + value;
            }
        }
        return found;
    }

    /**
     * The values of all fields of a name, in order.
     *
     * @param lowerName in lower case
     */
    public final List<String> headers(String lowerName) {
        List<String> found = new ArrayList<>(1);
        for (int i = 0; i < fieldCount; i++) {
            if (isNamed(i, lowerName)) {
                found.add(text(valueStart(i), valueEnd(i)));
            }
        }
        return found;
    }

    /**
     * True when a field has this name.
     *
     * @param lowerName in lower case
     */
    public final boolean isNamed(int field, String lowerName) {
        int start = nameStart(field);
        return nameEnd(field) - start == lowerName.length() && named(start, lowerName);
    }

    private boolean named(int start, String lowerName) {
        for (int i = 0; i < lowerName.length(); i++) {
            if (lower(bytes[start + i]) != lowerName.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
