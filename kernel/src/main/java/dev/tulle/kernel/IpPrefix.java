package dev.tulle.kernel;

import dev.tulle.common.Ip;
import java.net.InetAddress;

/**
 * An IPv4 or IPv6 address with a prefix length: an address of an interface, or the destination of a route.
 *
 * @param address the address; the bits after the prefix may be set
 * @param bits the prefix length, 0 to 32 or to 128
 */
public record IpPrefix(InetAddress address, int bits) {
    public IpPrefix {
        if (bits < 0 || bits > bitsOf(address)) {
            throw new IllegalArgumentException(
                    "prefix length of " + Ip.text(address) + ": expected 0 to " + bitsOf(address) + ", found " + bits);
        }
    }

    /** The address alone: all bits count. */
    public static IpPrefix host(InetAddress address) {
        return new IpPrefix(address, bitsOf(address));
    }

    /**
     * Parses {@code ADDRESS/BITS}, strictly.
     *
     * @throws IllegalArgumentException naming the text and what was expected
     */
    public static IpPrefix of(String text) {
        int slash = text.indexOf('/');
        if (slash < 0 || !text.substring(slash + 1).matches("[0-9]{1,3}")) {
            throw none(text);
        }
        InetAddress address = Ip.parse(text.substring(0, slash)).orElseThrow(() -> none(text));
        return new IpPrefix(address, Integer.parseInt(text.substring(slash + 1)));
    }

    private static IllegalArgumentException none(String text) {
        return new IllegalArgumentException(
                "expected an address with a prefix length such as 192.0.2.0/24, found '" + text + "'");
    }

    private static int bitsOf(InetAddress address) {
        return address.getAddress().length * 8;
    }

    /** True when all bits count. */
    public boolean isHost() {
        return bits == bitsOf(address);
    }

    /** True for IPv6. */
    public boolean isV6() {
        return bitsOf(address) == 128;
    }

    @Override
    public String toString() {
        return Ip.text(address) + "/" + bits;
    }
}
