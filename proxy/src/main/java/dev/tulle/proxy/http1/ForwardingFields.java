package dev.tulle.proxy.http1;

import dev.tulle.common.Ip;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The fields in which proxies tell a server of the client before them: address, host, port, protocol, certificate. Anybody
 * can write them, so from a client outside the mesh none is passed on. A trusted proxy before the edge is believed, but for
 * what only Envoys tell each other and for certificates. Names count with underscores for hyphens as well: CGI and WSGI
 * servers make both the same variable.
 */
public final class ForwardingFields {
    /** Names of one field. */
    private static final byte[][] WHOLE = {bytes("forwarded"), bytes("x-real-ip")};

    /** Names that stand for all that begin with them, and for what is left without the last hyphen. */
    private static final byte[][] BEGINNINGS = {bytes("x-forwarded-"), bytes("x-envoy-")};

    private static final byte HYPHEN = '-';

    /** What is written anew also where trusted proxies are believed, and what they are not believed. */
    private static final Set<String> REWRITTEN =
            Set.of("x-forwarded-for", "x-forwarded-proto", "x-forwarded-client-cert");

    private ForwardingFields() {}

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** True when a field of a received head is not passed on, whatever is written in its place. */
    public static boolean isDropped(RequestHead head, int field, Sender client) {
        if (client.outside().isEmpty() || !isOne(head, field)) {
            return false;
        }
        return client.trustedHops() == 0 || !isBelieved(head.text(head.nameStart(field), head.nameEnd(field)));
    }

    /** True for the name of a field that trusted proxies may write and that is not written anew. */
    private static boolean isBelieved(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return lower.indexOf('_') < 0 && !lower.startsWith("x-envoy") && !REWRITTEN.contains(lower);
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
            case "x-forwarded-for" -> outside ? List.of(forwardedFor(head, client)) : List.of();
            case "x-forwarded-proto" ->
                outside || (client.edge() && head.find(FieldName.X_FORWARDED_PROTO) < 0)
                        ? List.of(protocol(head, client))
                        : List.of();
            case "x-envoy-external-address" -> outside ? List.of(caller(head, client)) : List.of();
            default -> List.of();
        };
    }

    /**
     * All that is read of such a field when a request from outside goes on: what travels with it and what is written.
     *
     * @param name in lower case
     */
    static List<String> read(RequestHead head, Sender client, String name) {
        List<String> lines = new ArrayList<>(written(head, client, name));
        if (client.trustedHops() > 0 && isBelieved(name)) {
            lines.addAll(head.headers(name));
        }
        return lines;
    }

    /** The address of whom a request from outside is for: its connection's client, or whom trusted proxies name. */
    public static String caller(RequestHead head, Sender client) {
        return client.trustedHops() == 0
                ? client.outside()
                : TrustedHops.caller(head, client.trustedHops()).map(Ip::text).orElse(client.outside());
    }

    /** For whom a request from outside says that it is forwarded: who made the connection, behind those that are believed. */
    public static String forwardedFor(RequestHead head, Sender client) {
        String before = client.trustedHops() == 0 ? "" : TrustedHops.joined(head, FieldName.X_FORWARDED_FOR);
        return before.isEmpty() ? client.outside() : before + "," + client.outside();
    }

    /** The protocol that a request says that it was sent with. */
    public static String protocol(RequestHead head, Sender client) {
        String before = client.trustedHops() == 0 ? "" : TrustedHops.protocol(head);
        return before.isEmpty() ? (client.secure() ? "https" : "http") : before;
    }

    /** The scheme that a client outside has asked with. */
    public static String scheme(RequestHead head, Sender client) {
        String said = client.trustedHops() == 0 ? "" : TrustedHops.protocol(head);
        if (said.equalsIgnoreCase("https") || said.equalsIgnoreCase("http")) {
            return said.toLowerCase(Locale.ROOT);
        }
        return client.secure() ? "https" : "http";
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
