package dev.tulle.proxy.http2;

import dev.tulle.proxy.http1.Ascii;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http1.Trailers;
import dev.tulle.proxy.loop.ByteSink;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.AsciiString;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads the fields of an HTTP/2 message into a head. Nothing that is put into it can end a line or a name before its end;
 * the framing is the stream's: a body whose length is not said is one in chunks. Loop-confined by the sink.
 */
public final class ReceivedHeads {
    private static final String CRLF = "\r\n";
    private static final AsciiString COOKIE = AsciiString.cached("cookie");
    private static final AsciiString HOST = AsciiString.cached("host");
    private static final AsciiString PROTOCOL = Http2Headers.PseudoHeaderName.PROTOCOL.value();
    private static final AsciiString ACCEPT = AsciiString.cached("sec-websocket-accept");
    private static final AsciiString LENGTH = AsciiString.cached("content-length");

    private ReceivedHeads() {}

    /**
     * Reads a request (RFC 9113 section 8.3.1).
     *
     * @param sink empty, to put the head together
     * @param ends true when no body follows
     * @return {@link ParseStatus#COMPLETE}, or why it is refused
     */
    public static ParseStatus request(ByteSink sink, Http2Headers fields, boolean ends, RequestHead into) {
        CharSequence method = fields.method();
        CharSequence host = fields.authority() == null ? fields.get(HOST) : fields.authority();
        boolean connects = AsciiString.contentEquals("CONNECT", method == null ? "" : method);
        CharSequence protocol = fields.get(PROTOCOL);
        if (protocol != null && (!connects || fields.scheme() == null || !isToken(protocol))) {
            return ParseStatus.BAD_START_LINE;
        }
        boolean alone = connects && protocol == null;
        if (alone && (fields.scheme() != null || fields.path() != null)) {
            // RFC 9113 section 8.5.
            return ParseStatus.BAD_START_LINE;
        }
        CharSequence target = alone ? host : fields.path();
        if (method == null || target == null || !isVisible(method) || !isVisible(target)) {
            return ParseStatus.BAD_START_LINE;
        }
        if (host == null || !isVisible(host)) {
            return ParseStatus.BAD_HOST;
        }
        put(sink, protocol == null ? method : "GET").put(' ');
        put(sink, target).put(" HTTP/1.1\r\nhost: ");
        put(sink, host).put(CRLF);
        ParseStatus bad = fields(sink, fields);
        if (bad != null) {
            return bad;
        }
        cookies(sink, fields);
        if (protocol != null) {
            // The way in which HTTP/1.1 asks for it (RFC 8441 section 5).
            put(sink.put("connection: upgrade\r\nupgrade: "), protocol).put(CRLF);
        }
        if (!ends && !connects && !fields.contains(LENGTH)) {
            sink.put("transfer-encoding: chunked\r\n");
        }
        sink.put(CRLF);
        into.reset();
        ParseStatus status = into.read(Unpooled.wrappedBuffer(sink.array(), 0, sink.length()));
        into.cameAsHttp2();
        if (status == ParseStatus.NEED_MORE
                || (status == ParseStatus.COMPLETE && protocol != null && !into.isUpgrade())) {
            return ParseStatus.BAD_START_LINE;
        }
        return status;
    }

    /**
     * Reads a response (RFC 9113 section 8.3.2).
     *
     * @param sink empty, to put the head together
     * @param ends true when no body follows
     * @param toHead true when it answers a HEAD
     * @return {@link ParseStatus#COMPLETE}, or why it is refused
     */
    public static ParseStatus response(
            ByteSink sink, Http2Headers fields, boolean ends, boolean toHead, ResponseHead into) {
        CharSequence code = fields.status();
        if (code == null || code.length() != 3 || !isVisible(code)) {
            return ParseStatus.BAD_START_LINE;
        }
        put(sink.put("HTTP/1.1 "), code).put(" \r\n");
        ParseStatus bad = fields(sink, fields);
        if (bad != null) {
            return bad;
        }
        boolean bodyless = toHead || code.charAt(0) == '1' || isOne(code, "204") || isOne(code, "304");
        if (!bodyless && !fields.contains(LENGTH)) {
            sink.put(ends ? "content-length: 0\r\n" : "transfer-encoding: chunked\r\n");
        }
        sink.put(CRLF);
        into.reset();
        ParseStatus status = into.read(Unpooled.wrappedBuffer(sink.array(), 0, sink.length()));
        return status == ParseStatus.NEED_MORE ? ParseStatus.BAD_START_LINE : status;
    }

    /**
     * Reads the answer of a server that agrees to speak another protocol on a stream, as HTTP/1.1 writes it.
     *
     * @param protocol which one
     * @param accept the answer to a WebSocket's handshake, which the server has not seen; empty for none
     * @return {@link ParseStatus#COMPLETE}, or why it is refused
     */
    public static ParseStatus switched(
            ByteSink sink, Http2Headers fields, String protocol, String accept, ResponseHead into) {
        sink.put("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ");
        sink.put(protocol).put(CRLF);
        if (!accept.isEmpty()) {
            sink.put("sec-websocket-accept: ").put(accept).put(CRLF);
        }
        fields.remove(ACCEPT);
        fields.remove(LENGTH);
        ParseStatus bad = fields(sink, fields);
        if (bad != null) {
            return bad;
        }
        sink.put(CRLF);
        into.reset();
        ParseStatus status = into.read(Unpooled.wrappedBuffer(sink.array(), 0, sink.length()));
        return status == ParseStatus.NEED_MORE ? ParseStatus.BAD_START_LINE : status;
    }

    /** The trailers that may be sent on, as lines each with its end; null when they are malformed. */
    public static byte @Nullable [] trailers(Http2Headers fields) {
        Trailers kept = new Trailers();
        for (Map.Entry<CharSequence, CharSequence> field : fields) {
            CharSequence name = field.getKey();
            CharSequence value = field.getValue();
            if (!isName(name) || !isValue(value)) {
                return null;
            }
            kept.begin();
            add(kept, name);
            kept.named();
            kept.add((byte) ':');
            kept.add((byte) ' ');
            add(kept, value);
            kept.end();
        }
        return kept.lines();
    }

    private static void add(Trailers to, CharSequence text) {
        for (int i = 0; i < text.length(); i++) {
            to.add((byte) text.charAt(i));
        }
    }

    /** Puts the regular fields; null when all are good. */
    private static @Nullable ParseStatus fields(ByteSink sink, Http2Headers fields) {
        for (Map.Entry<CharSequence, CharSequence> field : fields) {
            CharSequence name = field.getKey();
            if (Http2Headers.PseudoHeaderName.hasPseudoHeaderFormat(name) || isOne(name, "host")) {
                continue;
            }
            if (!isName(name) || isOfConnection(name)) {
                return ParseStatus.BAD_FIELD_NAME;
            }
            if (!isValue(field.getValue())) {
                return ParseStatus.BAD_FIELD_VALUE;
            }
            if (isOne(name, "cookie")) {
                // Put together below.
                continue;
            }
            put(sink, name).put(": ");
            put(sink, field.getValue()).put(CRLF);
        }
        return null;
    }

    /** The crumbs of a cookie are one field (RFC 9113 section 8.2.3). */
    private static void cookies(ByteSink sink, Http2Headers fields) {
        boolean first = true;
        for (CharSequence crumb : fields.getAll(COOKIE)) {
            put(sink.put(first ? "cookie: " : "; "), crumb);
            first = false;
        }
        if (!first) {
            sink.put(CRLF);
        }
    }

    /** Fields of one connection have no place in HTTP/2 (RFC 9113 section 8.2.2). */
    private static boolean isOfConnection(CharSequence name) {
        return switch (name.length()) {
            case 7 -> isOne(name, "upgrade");
            case 10 -> isOne(name, "connection") || isOne(name, "keep-alive");
            case 16 -> isOne(name, "proxy-connection");
            case 17 -> isOne(name, "transfer-encoding");
            default -> false;
        };
    }

    private static boolean isOne(CharSequence text, String wanted) {
        return AsciiString.contentEquals(wanted, text);
    }

    private static boolean isToken(CharSequence text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c > 0x7f || !Ascii.isToken((byte) c)) {
                return false;
            }
        }
        return !text.isEmpty();
    }

    private static boolean isName(CharSequence name) {
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (c > 0x7f || !Ascii.isToken((byte) c) || (c >= 'A' && c <= 'Z')) {
                return false;
            }
        }
        return !name.isEmpty();
    }

    private static boolean isValue(CharSequence value) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c != '\t' && (c < ' ' || c == 0x7f || c > 0xff)) {
                return false;
            }
        }
        return true;
    }

    private static boolean isVisible(CharSequence text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c <= ' ' || c == 0x7f || c > 0xff) {
                return false;
            }
        }
        return !text.isEmpty();
    }

    private static ByteSink put(ByteSink sink, CharSequence text) {
        if (text instanceof AsciiString ascii) {
            return sink.put(ascii.array(), ascii.arrayOffset(), ascii.arrayOffset() + ascii.length());
        }
        return sink.put(text.toString());
    }
}
