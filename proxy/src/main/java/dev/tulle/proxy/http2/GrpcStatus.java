package dev.tulle.proxy.http2;

import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.AsciiString;
import java.nio.charset.StandardCharsets;

/** What the proxy answers to a call of gRPC in place of a status of HTTP, which such a client would not read. */
public final class GrpcStatus {
    /** The call's own deadline is over. */
    public static final int DEADLINE_EXCEEDED = 4;

    private static final int INTERNAL = 13;
    private static final int UNAUTHENTICATED = 16;
    private static final int PERMISSION_DENIED = 7;
    private static final int UNIMPLEMENTED = 12;
    private static final int UNAVAILABLE = 14;
    private static final int UNKNOWN = 2;

    private static final AsciiString OK = AsciiString.cached("200");
    private static final AsciiString TYPE = AsciiString.cached("content-type");
    private static final AsciiString GRPC = AsciiString.cached("application/grpc");
    private static final AsciiString STATUS = AsciiString.cached("grpc-status");
    private static final AsciiString MESSAGE = AsciiString.cached("grpc-message");

    private GrpcStatus() {}

    /** The status that a client makes of a status of HTTP: the published mapping of gRPC, as Envoy's. */
    public static int of(int code) {
        return switch (code) {
            case 400 -> INTERNAL;
            case 401 -> UNAUTHENTICATED;
            case 403 -> PERMISSION_DENIED;
            case 404 -> UNIMPLEMENTED;
            case 429, 502, 503, 504 -> UNAVAILABLE;
            default -> UNKNOWN;
        };
    }

    /**
     * A whole answer in one block of fields.
     *
     * @param status the number
     * @param text the body that it would get
     */
    public static Http2Headers answer(int status, byte[] text) {
        Http2Headers to = new DefaultHttp2Headers(false, 4);
        to.status(OK);
        to.add(TYPE, GRPC);
        to.add(STATUS, new AsciiString(Integer.toString(status)));
        if (text.length > 0) {
            to.add(MESSAGE, new AsciiString(message(text)));
        }
        return to;
    }

    /** The message as gRPC writes it: what is not printable, and the percent sign, in percent-encoding. */
    public static String message(byte[] text) {
        StringBuilder out = new StringBuilder(text.length);
        String line = new String(text, StandardCharsets.UTF_8).strip();
        for (byte b : line.getBytes(StandardCharsets.UTF_8)) {
            if (b >= ' ' && b < 0x7f && b != '%') {
                out.append((char) b);
            } else {
                out.append(String.format("%%%02X", b));
            }
        }
        return out.toString();
    }
}
