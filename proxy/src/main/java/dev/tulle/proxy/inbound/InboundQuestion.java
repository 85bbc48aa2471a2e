package dev.tulle.proxy.inbound;

import dev.tulle.common.Ip;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.AsciiString;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * What a caller's node asks for.
 *
 * @param dialled a workload's address and port; null when it is no such question
 * @param client the address of the caller, as its node has it; null when it does not say
 */
record InboundQuestion(
        @Nullable InetSocketAddress dialled, @Nullable InetAddress client) {
    private static final AsciiString CONNECT = AsciiString.cached("CONNECT");
    private static final AsciiString PROTOCOL = Http2Headers.PseudoHeaderName.PROTOCOL.value();

    /** An address of IPv6 in brackets and a port. */
    private static final int MAX_AUTHORITY = 64;

    /** Reads the fields of a head. A CONNECT has no scheme, no path and no protocol (RFC 9113 section 8.5). */
    static InboundQuestion read(Http2Headers fields) {
        CharSequence method = fields.method();
        CharSequence authority = fields.authority();
        boolean asks = method != null
                && AsciiString.contentEquals(CONNECT, method)
                && authority != null
                && fields.scheme() == null
                && fields.path() == null
                && !fields.contains(PROTOCOL);
        return new InboundQuestion(
                asks && authority != null ? address(authority.toString()) : null, client(fields.get("forwarded")));
    }

    /** An address and a port; null for anything else, and for names. */
    private static @Nullable InetSocketAddress address(String authority) {
        int colon = authority.lastIndexOf(':');
        if (colon <= 0 || authority.length() > MAX_AUTHORITY) {
            return null;
        }
        String host = authority.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        } else if (host.indexOf(':') >= 0) {
            return null;
        }
        int port = port(authority.substring(colon + 1));
        InetAddress address = Ip.parse(host).orElse(null);
        return port == 0 || address == null ? null : new InetSocketAddress(address, port);
    }

    private static int port(String digits) {
        if (digits.isEmpty() || digits.length() > 5 || !digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return 0;
        }
        int number = Integer.parseInt(digits);
        return number > 65_535 ? 0 : number;
    }

    /** The first element's {@code for}, where it is an address (RFC 7239 section 4). */
    private static @Nullable InetAddress client(@Nullable CharSequence forwarded) {
        if (forwarded == null || forwarded.length() > MAX_AUTHORITY * 4) {
            return null;
        }
        String first = forwarded.toString().split(",", 2)[0];
        for (String pair : first.split(";", -1)) {
            String[] parts = pair.strip().split("=", 2);
            if (parts.length == 2 && parts[0].equalsIgnoreCase("for")) {
                return node(parts[1]);
            }
        }
        return null;
    }

    private static @Nullable InetAddress node(String text) {
        String node = text.length() > 1 && text.startsWith("\"") && text.endsWith("\"")
                ? text.substring(1, text.length() - 1)
                : text;
        int end = node.startsWith("[") ? node.indexOf(']') : node.indexOf(':');
        String host =
                node.startsWith("[") && end > 0 ? node.substring(1, end) : end > 0 ? node.substring(0, end) : node;
        return Ip.parse(host).orElse(null);
    }
}
