package dev.tulle.proxy.http1;

import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** The field names that the proxy itself acts on, as small numbers, so that no text is made to compare them. */
public final class FieldName {
    /** Any name not listed here. */
    public static final int OTHER = 0;

    public static final int HOST = 1;
    public static final int CONNECTION = 2;
    public static final int CONTENT_LENGTH = 3;
    public static final int TRANSFER_ENCODING = 4;
    public static final int UPGRADE = 5;
    public static final int EXPECT = 6;
    public static final int KEEP_ALIVE = 7;
    public static final int PROXY_CONNECTION = 8;
    public static final int TE = 9;
    public static final int TRAILER = 10;
    public static final int X_REQUEST_ID = 11;
    public static final int X_FORWARDED_PROTO = 12;
    public static final int X_FORWARDED_FOR = 13;
    public static final int USER_AGENT = 14;
    public static final int PROXY_AUTHORIZATION = 15;
    public static final int HTTP2_SETTINGS = 16;
    public static final int CONTENT_TYPE = 17;

    private static final byte[][] NAMES = {
        {},
        name("host"),
        name("connection"),
        name("content-length"),
        name("transfer-encoding"),
        name("upgrade"),
        name("expect"),
        name("keep-alive"),
        name("proxy-connection"),
        name("te"),
        name("trailer"),
        name("x-request-id"),
        name("x-forwarded-proto"),
        name("x-forwarded-for"),
        name("user-agent"),
        name("proxy-authorization"),
        name("http2-settings"),
        name("content-type"),
    };

    private FieldName() {}

    private static byte[] name(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** The number of the name in these bytes. */
    public static int classify(byte[] bytes, int start, int end) {
        int candidate =
                switch (end - start) {
                    case 2 -> TE;
                    case 4 -> HOST;
                    case 6 -> EXPECT;
                    case 7 -> (bytes[start] | 0x20) == 'u' ? UPGRADE : TRAILER;
                    case 10 ->
                        switch (bytes[start] | 0x20) {
                            case 'c' -> CONNECTION;
                            case 'k' -> KEEP_ALIVE;
                            default -> USER_AGENT;
                        };
                    case 12 -> (bytes[start] | 0x20) == 'c' ? CONTENT_TYPE : X_REQUEST_ID;
                    case 14 -> (bytes[start] | 0x20) == 'c' ? CONTENT_LENGTH : HTTP2_SETTINGS;
                    case 15 -> X_FORWARDED_FOR;
                    case 16 -> PROXY_CONNECTION;
                    case 17 -> (bytes[start] | 0x20) == 't' ? TRANSFER_ENCODING : X_FORWARDED_PROTO;
                    case 19 -> PROXY_AUTHORIZATION;
                    default -> OTHER;
                };
        return candidate != OTHER && equalsLower(bytes, start, end, NAMES[candidate]) ? candidate : OTHER;
    }

    /** True when the bytes, without regard to ASCII case, are this lower-case text. */
    public static boolean equalsLower(byte[] bytes, int start, int end, byte[] lower) {
        if (end - start != lower.length) {
            return false;
        }
        for (int i = 0; i < lower.length; i++) {
            int b = bytes[start + i];
            if (b >= 'A' && b <= 'Z') {
                b |= 0x20;
            }
            if (b != lower[i]) {
                return false;
            }
        }
        return true;
    }

    /** The bytes of a name in lower case. */
    public static byte[] lower(String name) {
        return name.toLowerCase(Locale.ROOT).getBytes(StandardCharsets.ISO_8859_1);
    }
}
