package dev.tulle.proxy.transport;

import dev.tulle.common.Ip;
import dev.tulle.model.Cluster.ProxyProtocol;
import io.netty.buffer.ByteBuf;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * Reads headers of the PROXY protocol, version 1 or 2, with which a connection begins whose peer speaks for another one.
 * Strict: what is not exactly such a header is none. And writes them. Pure functions.
 */
public final class ProxyHeader {
    /** The longest that is taken. The longest of version 1 is {@link #MAX_TEXT}. */
    static final int MAX = 16 << 10;

    /** With the line's end. */
    static final int MAX_TEXT = 107;

    private static final byte[] TEXT = "PROXY ".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] BINARY = {13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10};
    private static final int FIXED = 16;

    /** Numbers of version 2. */
    private static final int LOCAL = 0;

    private static final int PROXY = 1;
    private static final int UNSPECIFIED = 0;
    private static final int INET = 1;
    private static final int INET6 = 2;
    private static final int UNIX = 3;
    private static final int STREAM = 1;
    private static final int CHECKSUM = 3;

    private ProxyHeader() {}

    /** What a beginning is. */
    public sealed interface Read {
        /** Nothing is wrong so far. */
        record More() implements Read {}

        /**
         * A whole header.
         *
         * @param length its bytes
         * @param ends who speaks and where to; empty when that is who has made the connection
         */
        record Whole(int length, Optional<Ends> ends) implements Read {}

        /** No header that can be taken; the reason as it is counted. */
        record Wrong(String reason) implements Read {}
    }

    /** Who speaks, and what he has dialled. */
    public record Ends(InetSocketAddress client, InetSocketAddress dialled) {}

    private static final Read MORE = new Read.More();
    private static final Read NONE = new Read.Wrong("proxy_header_missing");
    private static final Read MALFORMED = new Read.Wrong("proxy_header_malformed");
    private static final Read UNSUPPORTED = new Read.Wrong("proxy_header_unsupported");
    private static final Read LONG = new Read.Wrong("proxy_header_too_long");
    private static final Read CHANGED = new Read.Wrong("proxy_header_checksum");

    /** Reads from the buffer's first readable byte, and leaves it as it is. */
    public static Read read(ByteBuf in) {
        if (begins(in, BINARY)) {
            return in.readableBytes() < FIXED ? MORE : binary(in, in.readerIndex());
        }
        if (begins(in, TEXT)) {
            return in.readableBytes() < TEXT.length ? MORE : text(in);
        }
        return NONE;
    }

    /** True when what there is is a beginning of these bytes, or begins with them. */
    private static boolean begins(ByteBuf in, byte[] with) {
        int n = Math.min(in.readableBytes(), with.length);
        for (int i = 0; i < n; i++) {
            if (in.getByte(in.readerIndex() + i) != with[i]) {
                return false;
            }
        }
        return true;
    }

    // ---- version 1 ----

    private static Read text(ByteBuf in) {
        int from = in.readerIndex();
        int most = Math.min(in.readableBytes(), MAX_TEXT);
        int feed = in.indexOf(from, from + most, (byte) '\n');
        if (feed < 0) {
            return most < MAX_TEXT ? MORE : MALFORMED;
        }
        if (in.getByte(feed - 1) != '\r') {
            return MALFORMED;
        }
        String line = in.toString(from, feed - 1 - from, StandardCharsets.ISO_8859_1);
        int length = feed + 1 - from;
        String[] words = line.split(" ", -1);
        if (words[1].equals("UNKNOWN")) {
            // What follows is to be passed over.
            return new Read.Whole(length, Optional.empty());
        }
        boolean v4 = words[1].equals("TCP4");
        if (words.length != 6 || !(v4 || words[1].equals("TCP6"))) {
            return MALFORMED;
        }
        Optional<InetSocketAddress> client = end(v4, words[2], words[4]);
        Optional<InetSocketAddress> dialled = end(v4, words[3], words[5]);
        return client.isEmpty() || dialled.isEmpty()
                ? MALFORMED
                : new Read.Whole(length, Optional.of(new Ends(client.get(), dialled.get())));
    }

    private static Optional<InetSocketAddress> end(boolean v4, String address, String port) {
        boolean number = !port.isEmpty()
                && port.length() <= 5
                && port.chars().allMatch(c -> c >= '0' && c <= '9')
                && (port.length() == 1 || port.charAt(0) != '0');
        if (!number || Integer.parseInt(port) > 0xffff || v4 == (address.indexOf(':') >= 0)) {
            return Optional.empty();
        }
        return Ip.parse(address).map(ip -> new InetSocketAddress(ip, Integer.parseInt(port)));
    }

    // ---- version 2 ----

    private static Read binary(ByteBuf in, int from) {
        int command = in.getByte(from + 12) & 0xff;
        int family = (in.getByte(from + 13) & 0xff) >> 4;
        int transport = in.getByte(from + 13) & 0xf;
        int length = FIXED + in.getUnsignedShort(from + 14);
        if (command >> 4 != 2 || (command & 0xf) > PROXY) {
            return MALFORMED;
        }
        if (length > MAX) {
            return LONG;
        }
        if ((command & 0xf) == PROXY && (family == UNIX || (family != UNSPECIFIED && transport != STREAM))) {
            return UNSUPPORTED;
        }
        if ((command & 0xf) == PROXY && family > UNIX) {
            return MALFORMED;
        }
        if (in.readableBytes() < length) {
            return MORE;
        }
        if ((command & 0xf) == LOCAL || family == UNSPECIFIED) {
            // A word of the peer's own, as when it looks whether we are there: all that follows is to be passed over.
            return new Read.Whole(length, Optional.empty());
        }
        int size = family == INET ? 4 : 16;
        int more = from + FIXED + 2 * size + 4;
        if (more > from + length) {
            return MALFORMED;
        }
        Read wrong = extensions(in, from, more, from + length);
        if (wrong instanceof Read.Wrong) {
            return wrong;
        }
        int ports = from + FIXED + 2 * size;
        return new Read.Whole(
                length,
                Optional.of(new Ends(
                        new InetSocketAddress(address(in, from + FIXED, size), in.getUnsignedShort(ports)),
                        new InetSocketAddress(
                                address(in, from + FIXED + size, size), in.getUnsignedShort(ports + 2)))));
    }

    private static InetAddress address(ByteBuf in, int at, int size) {
        byte[] bytes = new byte[size];
        in.getBytes(at, bytes);
        // A v4-mapped address becomes an IPv4 one.
        return Ip.ofBytes(bytes);
    }

    /** Passes over what else is said, and checks it where that is asked for. */
    private static Read extensions(ByteBuf in, int from, int more, int end) {
        int at = more;
        int checksum = -1;
        while (at < end) {
            if (end - at < 3) {
                return MALFORMED;
            }
            int size = in.getUnsignedShort(at + 1);
            if (size > end - at - 3) {
                return MALFORMED;
            }
            if (in.getByte(at) == CHECKSUM) {
                if (size != Integer.BYTES || checksum >= 0) {
                    return MALFORMED;
                }
                checksum = at + 3;
            }
            at += 3 + size;
        }
        return checksum < 0 || isRight(in, from, end, checksum) ? MORE : CHANGED;
    }

    /** The checksum is that of the whole header with zeros in its own place. */
    private static boolean isRight(ByteBuf in, int from, int end, int at) {
        byte[] bytes = new byte[end - from];
        in.getBytes(from, bytes);
        Arrays.fill(bytes, at - from, at - from + Integer.BYTES, (byte) 0);
        CRC32C sum = new CRC32C();
        sum.update(bytes);
        return (int) sum.getValue() == in.getInt(at);
    }

    // ---- writing ----

    /** The header that says for whom a connection is made. */
    public static byte[] write(ProxyProtocol version, Ends ends) {
        return version == ProxyProtocol.V1 ? writeText(ends) : writeBinary(ends);
    }

    private static boolean isV4(Ends ends) {
        return ends.client().getAddress() instanceof Inet4Address
                && ends.dialled().getAddress() instanceof Inet4Address;
    }

    private static byte[] writeText(Ends ends) {
        boolean v4 = isV4(ends);
        String line = String.join(
                " ",
                "PROXY",
                v4 ? "TCP4" : "TCP6",
                text(ends.client(), v4),
                text(ends.dialled(), v4),
                Integer.toString(ends.client().getPort()),
                Integer.toString(ends.dialled().getPort()));
        return (line + "\r\n").getBytes(StandardCharsets.US_ASCII);
    }

    private static String text(InetSocketAddress end, boolean v4) {
        String text = Ip.text(end.getAddress());
        return v4 || text.indexOf(':') >= 0 ? text : "::ffff:" + text;
    }

    private static byte[] writeBinary(Ends ends) {
        boolean v4 = isV4(ends);
        int size = v4 ? 4 : 16;
        ByteBuffer out = ByteBuffer.allocate(FIXED + 2 * size + 4)
                .put(BINARY)
                .put((byte) (2 << 4 | PROXY))
                .put((byte) ((v4 ? INET : INET6) << 4 | STREAM))
                .putShort((short) (2 * size + 4));
        for (InetSocketAddress end : new InetSocketAddress[] {ends.client(), ends.dialled()}) {
            out.put(v4 ? end.getAddress().getAddress() : Ip.mapped(Ip.text(end.getAddress())));
        }
        return out.putShort((short) ends.client().getPort())
                .putShort((short) ends.dialled().getPort())
                .array();
    }
}
