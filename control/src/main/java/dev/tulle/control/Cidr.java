package dev.tulle.control;

import java.net.InetAddress;

/**
 * A range of IPv4 addresses.
 *
 * @param network the first address, as a number
 * @param length bits that are the same in all addresses, 0 to 32
 */
record Cidr(int network, int length) {
    /**
     * Reads {@code 100.64.0.0/10}.
     *
     * @throws IllegalArgumentException when it is not that; the message says what was found and expected
     */
    static Cidr parse(String text) {
        int slash = text.indexOf('/');
        try {
            int length = Integer.parseInt(text.substring(slash + 1));
            int address = number(text.substring(0, Math.max(slash, 0)));
            if (length >= 0 && length <= 32) {
                return new Cidr(address & mask(length), length);
            }
        } catch (IllegalArgumentException e) {
            throw bad(text, e);
        }
        throw bad(text, null);
    }

    private static IllegalArgumentException bad(String text, @org.jspecify.annotations.Nullable Throwable cause) {
        return new IllegalArgumentException(
                "range '" + text + "': expected an IPv4 range such as 100.64.0.0/10", cause);
    }

    /**
     * The number of an IPv4 address in its usual text form; the short forms of old ("1.2") are refused.
     *
     * @throws IllegalArgumentException when it is not that
     */
    static int number(String address) {
        byte[] bytes = InetAddress.ofLiteral(address).getAddress();
        int number = 0;
        for (byte part : bytes) {
            number = number << 8 | (part & 0xff);
        }
        if (bytes.length != 4 || !text(number).equals(address)) {
            throw new IllegalArgumentException("address " + address + ": expected IPv4 such as 100.64.0.2");
        }
        return number;
    }

    static String text(int address) {
        return (address >>> 24) + "." + (address >>> 16 & 0xff) + "." + (address >>> 8 & 0xff) + "." + (address & 0xff);
    }

    private static int mask(int length) {
        return length == 0 ? 0 : -1 << (32 - length);
    }

    boolean contains(int address) {
        return (address & mask(length)) == network;
    }

    boolean contains(Cidr other) {
        return other.length >= length && contains(other.network);
    }

    /** How many ranges of this length fit. */
    int parts(int partLength) {
        return 1 << (partLength - length);
    }

    /** One of the ranges of this length, counted from 0. */
    Cidr part(int partLength, int index) {
        return new Cidr(network + index * (1 << (32 - partLength)), partLength);
    }

    @Override
    public String toString() {
        return text(network) + "/" + length;
    }
}
