package dev.tulle.proxy.http1;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * With what a client of HTTP/1 begins (RFC 9112 section 3), as against one of another protocol: a known method and a space,
 * or another one and a whole request line.
 */
public final class Http1Beginning {
    private static final int LINE_MAX = 8 << 10;
    private static final int VERSION = " HTTP/1.1\r".length();
    private static final String[] METHODS = {
        "GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "TRACE ", "CONNECT "
    };

    private Http1Beginning() {}

    /** What the first bytes of a connection are: true for HTTP/1, false for something else, null when more are needed. */
    public static @Nullable Boolean isIt(ByteBuf first) {
        int n = Math.min(first.readableBytes(), 8);
        String start = first.toString(first.readerIndex(), n, StandardCharsets.ISO_8859_1);
        boolean perhaps = false;
        for (String method : METHODS) {
            if (start.startsWith(method)) {
                return true;
            }
            perhaps |= method.startsWith(start);
        }
        return perhaps ? null : isWhole(first);
    }

    /** True while there is nothing yet but what a method may be made of. */
    public static boolean isMethod(ByteBuf first) {
        for (int i = first.readerIndex(); i < first.writerIndex(); i++) {
            if (!isMethod(first.getByte(i))) {
                return false;
            }
        }
        return first.readableBytes() < LINE_MAX;
    }

    /** Other methods (WebDAV's, PURGE) look as commands of other protocols do: the version decides. */
    private static @Nullable Boolean isWhole(ByteBuf bytes) {
        int from = bytes.readerIndex();
        int end = Math.min(bytes.writerIndex(), from + LINE_MAX);
        int space = from;
        while (space < end && isMethod(bytes.getByte(space))) {
            space++;
        }
        if (space == from || space == end || bytes.getByte(space) != ' ') {
            return false;
        }
        int lineFeed = bytes.indexOf(space, end, (byte) '\n');
        if (lineFeed < 0) {
            return end - from < LINE_MAX ? null : Boolean.FALSE;
        }
        int version = Math.max(space, lineFeed - VERSION);
        String last = bytes.toString(version, lineFeed - version, StandardCharsets.ISO_8859_1);
        return last.equals(" HTTP/1.1\r") || last.equals(" HTTP/1.0\r");
    }

    private static boolean isMethod(byte b) {
        return (b >= 'A' && b <= 'Z') || b == '-' || b == '_';
    }
}
