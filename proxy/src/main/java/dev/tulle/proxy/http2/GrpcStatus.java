package dev.tulle.proxy.http2;

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
