package dev.tulle.common;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Optional;

/** IP addresses in text and number form. Pure functions; nothing here ever asks a resolver. */
public final class Ip {
    private Ip() {}

    /** Parses an IPv4 or IPv6 literal, strictly: no names, no short forms such as {@code 127.1}. */
    public static Optional<InetAddress> parse(String text) {
        boolean possible = !text.isEmpty()
                && text.chars().allMatch(c -> c == '.' || c == ':' || (Character.digit(c, 16) >= 0 && c < 128));
        if (!possible) {
            return Optional.empty();
        }
        if (text.indexOf(':') < 0) {
            return parse4(text).map(Ip::toAddress);
        }
        try {
            return Optional.of(InetAddress.ofLiteral(text));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** Parses a dotted quad into a number, the first byte highest. */
    public static Optional<Integer> parse4(String text) {
        String[] parts = text.split("\\.", -1);
        if (parts.length != 4) {
            return Optional.empty();
        }
        int value = 0;
        for (String part : parts) {
            boolean digits =
                    !part.isEmpty() && part.length() <= 3 && part.chars().allMatch(c -> c >= '0' && c <= '9');
            if (!digits || (part.length() > 1 && part.charAt(0) == '0') || Integer.parseInt(part) > 255) {
                return Optional.empty();
            }
            value = (value << 8) | Integer.parseInt(part);
        }
        return Optional.of(value);
    }

    /** The number of a dotted quad that is known to be one. */
    public static int number(String text) {
        return parse4(text)
                .orElseThrow(() -> new IllegalArgumentException("expected an IPv4 address, found '" + text + "'"));
    }

    /** A number as a dotted quad. */
    public static String text4(int value) {
        return (value >>> 24) + "." + ((value >>> 16) & 255) + "." + ((value >>> 8) & 255) + "." + (value & 255);
    }

    private static InetAddress toAddress(int value) {
        return ofBytes(new byte[] {(byte) (value >>> 24), (byte) (value >>> 16), (byte) (value >>> 8), (byte) value});
    }

    /** The address of 4 or 16 bytes in network order. */
    public static InetAddress ofBytes(byte[] bytes) {
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("expected 4 or 16 bytes, found " + bytes.length, e);
        }
    }

    /**
     * Sixteen bytes in network order; IPv4 is v4-mapped.
     *
     * @throws IllegalArgumentException when the text is no address
     */
    public static byte[] mapped(String text) {
        InetAddress address = parse(text)
                .orElseThrow(() -> new IllegalArgumentException("expected an IP address, found '" + text + "'"));
        byte[] raw = address.getAddress();
        if (raw.length == 16) {
            return raw;
        }
        byte[] mapped = new byte[16];
        mapped[10] = (byte) 0xff;
        mapped[11] = (byte) 0xff;
        System.arraycopy(raw, 0, mapped, 12, 4);
        return mapped;
    }

    /** The text of an address, IPv6 in the one form of RFC 5952, as the kernel's tools print it. */
    public static String text(InetAddress address) {
        byte[] raw = address.getAddress();
        return raw.length == 4 ? address.getHostAddress() : text6(raw);
    }

    /** An address and a port. */
    public static String text(InetAddress address, int port) {
        return inBrackets(text(address)) + ":" + port;
    }

    /** The text of an address, or a name, as it stands before a port and in URLs: IPv6 in brackets. */
    public static String inBrackets(String host) {
        return host.indexOf(':') >= 0 ? "[" + host + "]" : host;
    }

    /** The text of sixteen bytes: a dotted quad when they are v4-mapped, else IPv6. */
    public static String textOfMapped(byte[] raw) {
        boolean mapped = raw[10] == (byte) 0xff && raw[11] == (byte) 0xff;
        for (int i = 0; i < 10; i++) {
            mapped &= raw[i] == 0;
        }
        return mapped
                ? (raw[12] & 255) + "." + (raw[13] & 255) + "." + (raw[14] & 255) + "." + (raw[15] & 255)
                : text6(raw);
    }

    /** The IPv6 twin of a mesh IPv4 address: the first 96 bits of {@code prefix6}, then the IPv4 address. */
    public static String twin(String prefix6, int v4) {
        byte[] raw = mapped(prefix6);
        raw[12] = (byte) (v4 >>> 24);
        raw[13] = (byte) (v4 >>> 16);
        raw[14] = (byte) (v4 >>> 8);
        raw[15] = (byte) v4;
        return text6(raw);
    }

    private static String text6(byte[] raw) {
        int[] words = new int[8];
        for (int i = 0; i < 8; i++) {
            words[i] = (raw[2 * i] & 255) << 8 | (raw[2 * i + 1] & 255);
        }
        int best = -1;
        int bestLength = 1;
        for (int i = 0; i < 8; i++) {
            int length = 0;
            while (i + length < 8 && words[i + length] == 0) {
                length++;
            }
            if (length > bestLength) {
                best = i;
                bestLength = length;
            }
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 8; i++) {
            if (i == best) {
                text.append("::");
                i += bestLength - 1;
                continue;
            }
            if (!text.isEmpty() && text.charAt(text.length() - 1) != ':') {
                text.append(':');
            }
            text.append(Integer.toHexString(words[i]));
        }
        return text.toString();
    }
}
