package dev.tulle.proxy.http1;

import dev.tulle.proxy.loop.ByteSink;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Puts forwarded heads together from parsed ones: start line, address and framing are always written anew, fields of one
 * hop are left out, the others are copied.
 */
public final class HeadWriter {
    private static final byte[] VERSION = bytes(" HTTP/1.1\r\n");
    private static final byte[] HOST = bytes("Host");
    private static final byte[] LENGTH = bytes("Content-Length");
    private static final byte[] TRANSFER_ENCODING = bytes("Transfer-Encoding");
    private static final byte[] COLON = bytes(": ");
    private static final byte[] CHUNKED = bytes("chunked\r\n");
    private static final byte[] CLOSE = bytes("connection: close\r\n");
    private static final byte[] KEEP_ALIVE = bytes("connection: keep-alive\r\n");
    private static final byte[] UPGRADE = bytes("connection: upgrade\r\n");
    private static final byte[] REQUEST_ID = bytes("x-request-id: ");
    private static final byte[] FORWARDED_FOR = bytes("x-forwarded-for: ");
    private static final byte[] EXTERNAL = bytes("x-envoy-external-address: ");
    private static final byte[] PROTO = bytes("x-forwarded-proto: ");
    private static final byte[] STATUS = bytes("HTTP/1.1 ");
    private static final byte[] LOCATION = bytes("location: ");
    private static final byte[] CRLF = bytes("\r\n");

    private static final int ALSO_UPGRADE = 1;
    private static final int ALSO_EXPECT = 2;
    private static final int ALSO_CREDENTIALS = 4;

    private HeadWriter() {}

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    /**
     * Writes a request. One that enters the mesh here gets an id and its protocol's name, if it has none; one from outside
     * says whom it was forwarded for.
     */
    public static void request(ByteSink out, ForwardedRequest request, SplittableRandom random) {
        request(out, request, random, "");
    }

    /**
     * The same for a WebSocket.
     *
     * @param key of its handshake, where the client has none; empty for none
     */
    public static void request(ByteSink out, ForwardedRequest request, SplittableRandom random, String key) {
        RequestHead head = request.head();
        String path = request.path();
        String authority = request.authority();
        Sender client = request.sender();
        byte[] b = head.bytes();
        out.put(b, head.methodStart(), head.methodEnd()).put(' ');
        if (path != null) {
            out.value(path).put(b, head.pathEnd(), head.targetEnd());
        } else if (head.pathStart() == head.pathEnd()) {
            out.put('/').put(b, head.pathEnd(), head.targetEnd());
        } else {
            out.put(b, head.pathStart(), head.targetEnd());
        }
        out.put(VERSION);
        name(out, head, FieldName.HOST, HOST);
        if (authority != null) {
            out.value(authority);
        } else {
            out.put(b, head.authorityStart(), head.authorityEnd());
        }
        out.put(CRLF);
        boolean outside = !client.outside().isEmpty();
        fields(out, head, request.changes(), alsoTravels(head, client), outside ? client : null);
        if (head.isChunked()) {
            name(out, head, FieldName.TRANSFER_ENCODING, TRANSFER_ENCODING);
            out.put(CHUNKED);
        } else if (head.contentLength() >= 0) {
            name(out, head, FieldName.CONTENT_LENGTH, LENGTH);
            out.putDecimal(head.contentLength()).put(CRLF);
        }
        if (head.isUpgrade()) {
            out.put(UPGRADE);
        }
        if (!key.isEmpty()) {
            out.put("sec-websocket-key: ").put(key).put(CRLF);
        }
        if (outside) {
            out.put(FORWARDED_FOR)
                    .value(ForwardingFields.forwardedFor(head, client))
                    .put(CRLF);
            out.put(EXTERNAL).value(ForwardingFields.caller(head, client)).put(CRLF);
        }
        if (outside || (client.edge() && head.find(FieldName.X_FORWARDED_PROTO) < 0)) {
            out.put(PROTO).value(ForwardingFields.protocol(head, client)).put(CRLF);
        }
        if (client.edge() && head.find(FieldName.X_REQUEST_ID) < 0) {
            out.put(REQUEST_ID).putUuid(random.nextLong(), random.nextLong()).put(CRLF);
        }
        out.put(CRLF);
    }

    /**
     * Writes a response.
     *
     * @param length the Content-Length to send; -1 for none
     * @param close true when the connection closes after it
     * @param sayKeepAlive true for a client of HTTP/1.0 that asked for it
     */
    public static void response(
            ByteSink out,
            ResponseHead head,
            long length,
            boolean chunked,
            boolean close,
            boolean sayKeepAlive,
            HeaderProgram changes) {
        byte[] b = head.bytes();
        out.put(STATUS).putDecimal(head.code()).put(' ').put(b, head.reasonStart(), head.reasonEnd());
        out.put(CRLF);
        boolean upgrade = head.code() == 101;
        fields(out, head, changes, upgrade ? ALSO_UPGRADE : 0, null);
        if (length >= 0) {
            name(out, head, FieldName.CONTENT_LENGTH, LENGTH);
            out.putDecimal(length).put(CRLF);
        }
        if (chunked) {
            name(out, head, FieldName.TRANSFER_ENCODING, TRANSFER_ENCODING);
            out.put(CHUNKED);
        }
        if (upgrade) {
            out.put(UPGRADE);
        } else if (close) {
            out.put(CLOSE);
        } else if (sayKeepAlive) {
            out.put(KEEP_ALIVE);
        }
        out.put(CRLF);
    }

    /** The name of a field that is written anew, as its sender spelled it: some programs read it with regard to case. */
    private static void name(ByteSink out, MessageHead head, int name, byte[] otherwise) {
        int field = head.find(name);
        if (field >= 0) {
            out.put(head.bytes(), head.nameStart(field), head.nameEnd(field)).put(COLON);
        } else {
            out.put(otherwise).put(COLON);
        }
    }

    /** Copies the fields that travel on; neighbours that are kept as they are go in one piece. */
    private static void fields(
            ByteSink out, MessageHead head, HeaderProgram changes, int also, @Nullable Sender outside) {
        byte[] b = head.bytes();
        boolean changed = !changes.isEmpty();
        int runStart = -1;
        int runEnd = -1;
        for (int i = 0; i < head.fieldCount(); i++) {
            if (!travels(head, i, also) || isDropped(head, i, outside) || (changed && changes.drops(head, i))) {
                continue;
            }
            int start = head.nameStart(i);
            int end = head.valueEnd(i) + 2;
            boolean plain =
                    head.valueStart(i) == head.nameEnd(i) + 2 && b[head.nameEnd(i) + 1] == ' ' && b[end - 1] == '\n';
            if (plain && start == runEnd) {
                runEnd = end;
                continue;
            }
            if (runStart >= 0) {
                out.put(b, runStart, runEnd);
                runStart = -1;
                runEnd = -1;
            }
            if (plain) {
                runStart = start;
                runEnd = end;
            } else {
                out.put(b, start, head.nameEnd(i)).put(": ").put(b, head.valueStart(i), head.valueEnd(i));
                out.put(CRLF);
            }
        }
        if (runStart >= 0) {
            out.put(b, runStart, runEnd);
        }
        if (changed) {
            out.put(changes.lines());
        }
    }

    /** True for what a client outside, where there is one, may not tell a server. */
    public static boolean isDropped(MessageHead head, int field, @Nullable Sender outside) {
        return outside != null
                && head instanceof RequestHead request
                && ForwardingFields.isDropped(request, field, outside);
    }

    /**
     * Which of the fields of one hop a request is sent with: those of an upgrade that it asks for, what it expects before it
     * sends its body, and on a captured connection, whose client's proxy is the server and not this one, what it proves
     * itself with there.
     */
    public static int alsoTravels(RequestHead head, Sender client) {
        return (head.isUpgrade() ? ALSO_UPGRADE : 0)
                | (head.expectsContinue() ? ALSO_EXPECT : 0)
                | (client.edge() ? 0 : ALSO_CREDENTIALS);
    }

    /**
     * True when a received field is forwarded.
     *
     * @param also of the fields of one hop
     */
    public static boolean travels(MessageHead head, int field, int also) {
        return switch (head.nameOf(field)) {
            case FieldName.HOST,
                    FieldName.CONNECTION,
                    FieldName.CONTENT_LENGTH,
                    FieldName.TRANSFER_ENCODING,
                    FieldName.KEEP_ALIVE,
                    FieldName.PROXY_CONNECTION,
                    FieldName.TE,
                    FieldName.HTTP2_SETTINGS -> false;
            case FieldName.UPGRADE -> (also & ALSO_UPGRADE) != 0;
            case FieldName.EXPECT -> (also & ALSO_EXPECT) != 0;
            case FieldName.PROXY_AUTHORIZATION -> (also & ALSO_CREDENTIALS) != 0 && !head.isNominated(field);
            case FieldName.TRAILER -> head.isChunked() && !head.isNominated(field);
            default -> !head.isNominated(field);
        };
    }

    /**
     * Writes a response of the proxy itself.
     *
     * @param location the value of Location; empty for none
     * @param changes what the route changes of its answers; a type of its own replaces the usual one
     */
    public static void local(
            ByteSink out,
            int code,
            byte[] body,
            String location,
            boolean close,
            boolean toHead,
            HeaderProgram changes) {
        out.put(STATUS).putDecimal(code).put(' ').put(reason(code)).put(CRLF);
        if (!location.isEmpty() && !changes.drops("location")) {
            out.put(LOCATION).value(location).put(CRLF);
        }
        if (body.length > 0 && !changes.adds("content-type")) {
            out.put("content-type: text/plain\r\n");
        }
        out.put(changes.lines());
        if (code != 204 && code != 304) {
            out.put(LENGTH).put(COLON).putDecimal(body.length).put(CRLF);
        }
        if (close) {
            out.put(CLOSE);
        }
        out.put(CRLF);
        if (!toHead && code != 204 && code != 304) {
            out.put(body);
        }
    }

    private static String reason(int code) {
        return switch (code) {
            case 200 -> "OK";
            case 201 -> "Created";
            case 202 -> "Accepted";
            case 204 -> "No Content";
            case 301 -> "Moved Permanently";
            case 302 -> "Found";
            case 303 -> "See Other";
            case 304 -> "Not Modified";
            case 307 -> "Temporary Redirect";
            case 308 -> "Permanent Redirect";
            case 400 -> "Bad Request";
            case 401 -> "Unauthorized";
            case 403 -> "Forbidden";
            case 404 -> "Not Found";
            case 405 -> "Method Not Allowed";
            case 408 -> "Request Timeout";
            case 414 -> "URI Too Long";
            case 417 -> "Expectation Failed";
            case 418 -> "I'm a teapot";
            case 429 -> "Too Many Requests";
            case 431 -> "Request Header Fields Too Large";
            case 500 -> "Internal Server Error";
            case 501 -> "Not Implemented";
            case 502 -> "Bad Gateway";
            case 503 -> "Service Unavailable";
            case 504 -> "Gateway Timeout";
            case 505 -> "HTTP Version Not Supported";
            default -> "Unknown";
        };
    }
}
