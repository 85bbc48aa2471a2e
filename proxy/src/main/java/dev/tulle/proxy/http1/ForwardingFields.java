package dev.tulle.proxy.http1;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The fields in which proxies tell a server of the client before them: address, host, port, protocol, certificate. Anybody
 * can write them, so from a client outside the mesh none is passed on. Names count with underscores for hyphens as well:
 * CGI and WSGI servers make both the same variable.
 */
public final class ForwardingFields {
    /** Names of one field. */
    private static final byte[][] WHOLE = {bytes("forwarded"), bytes("x-real-ip")};

    /** Names that stand for all that begin with them, and for what is left without the last hyphen. */
    private static final byte[][] BEGINNINGS = {bytes("x-forwarded-"), bytes("x-envoy-")};

    private static final byte HYPHEN = '-';

    private ForwardingFields() {}

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** True when a field of a received head is one of them. */
    public static boolean isOne(MessageHead head, int field) {
        return switch (head.nameOf(field)) {
            case FieldName.X_FORWARDED_FOR, FieldName.X_FORWARDED_PROTO -> true;
            case FieldName.OTHER -> isOne(head.bytes(), head.nameStart(field), head.nameEnd(field));
            default -> false;
        };
    }

    /** True for the name of one, in lower case. */
    public static boolean isOne(String name) {
        byte[] bytes = bytes(name);
        return isOne(bytes, 0, bytes.length);
    }

    /**
     * What is written of such a field when a request goes on, besides what travels with it.
     *
     * @param name in lower case
     */
    public static List<String> written(RequestHead head, Sender client, String name) {
        boolean outside = !client.outside().isEmpty();
        return switch (name) {
            case "x-forwarded-for" -> outside ? List.of(client.outside()) : List.of();
            case "x-forwarded-proto" ->
                outside || (client.edge() && head.find(FieldName.X_FORWARDED_PROTO) < 0)
                        ? List.of(client.secure() ? "https" : "http")
                        : List.of();
            default -> List.of();
        };
    }

    /** True when the bytes are the name of one, whatever the case. */
    static boolean isOne(byte[] bytes, int start, int end) {
        for (byte[] name : WHOLE) {
            if (end - start == name.length && begins(bytes, start, end, name)) {
                return true;
            }
        }
        for (byte[] name : BEGINNINGS) {
            if (begins(bytes, start, end, name)) {
                return true;
            }
        }
        return false;
    }

    /** True when the bytes begin with the name, or are it without its last hyphen. */
    private static boolean begins(byte[] bytes, int start, int end, byte[] name) {
        int compared = name[name.length - 1] == HYPHEN && end - start == name.length - 1 ? end - start : name.length;
        if (end - start < compared) {
            return false;
        }
        for (int i = 0; i < compared; i++) {
            int b = bytes[start + i];
            if (b >= 'A' && b <= 'Z') {
                b |= 0x20;
            } else if (b == '_') {
                b = HYPHEN;
            }
            if (b != name[i]) {
                return false;
            }
        }
        return true;
    }
}
