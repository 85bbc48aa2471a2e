package dev.tulle.common;

import java.util.Optional;

/**
 * An IPv4 network.
 *
 * @param network its first address as a number, host bits zero
 * @param bits the prefix length, 0 to 32
 */
public record Cidr(int network, int bits) {
    public Cidr {
        if (bits < 0 || bits > 32) {
            throw new IllegalArgumentException("prefix length: expected 0 to 32, found " + bits);
        }
        if ((network & ~mask(bits)) != 0) {
            throw new IllegalArgumentException(
                    "network " + Ip.text4(network) + "/" + bits + ": expected zero bits after the prefix");
        }
    }

    /** Parses {@code a.b.c.d/bits}, strictly: the address must be the network's first. */
    public static Optional<Cidr> parse(String text) {
        return parseAround(text).filter(cidr -> text.startsWith(Ip.text4(cidr.network) + "/"));
    }

    /** Parses {@code a.b.c.d/bits}; the address may be any of the network's. */
    private static Optional<Cidr> parseAround(String text) {
        int slash = text.indexOf('/');
        if (slash < 0 || !text.substring(slash + 1).matches("[0-9]{1,2}")) {
            return Optional.empty();
        }
        int bits = Integer.parseInt(text.substring(slash + 1));
        return Ip.parse4(text.substring(0, slash))
                .filter(address -> bits <= 32)
                .map(address -> new Cidr(address & mask(bits), bits));
    }

    /**
     * Parses text that must be a network, strictly as {@link #parse}.
     *
     * @throws IllegalArgumentException naming {@code what}, the text and what was expected
     */
    public static Cidr of(String what, String text) {
        return parse(text).orElseThrow(() -> none(what, text));
    }

    /**
     * Parses text that must be an address of a network with the prefix length.
     *
     * @throws IllegalArgumentException naming {@code what}, the text and what was expected
     */
    public static Cidr around(String what, String text) {
        return parseAround(text).orElseThrow(() -> none(what, text));
    }

    private static IllegalArgumentException none(String what, String text) {
        return new IllegalArgumentException(
                what + ": expected an IPv4 network such as 100.64.0.0/10, found '" + text + "'");
    }

    /** The netmask as a number. */
    public int mask() {
        return mask(bits);
    }

    private static int mask(int bits) {
        return bits == 0 ? 0 : -1 << (32 - bits);
    }

    /** Addresses in the network. */
    public long size() {
        return 1L << (32 - bits);
    }

    /** How many networks of that prefix length fit. */
    public int parts(int partBits) {
        return 1 << (partBits - bits);
    }

    /** One of the networks of that prefix length, counted from 0. */
    public Cidr part(int partBits, int index) {
        return new Cidr(network + index * (1 << (32 - partBits)), partBits);
    }

    /** The address with this host part. */
    public int host(int part) {
        if (part < 0 || part >= size()) {
            throw new IllegalArgumentException("host part " + part + " is outside " + this);
        }
        return network | part;
    }

    /** True when the address is inside. */
    public boolean contains(int address) {
        return (address & mask()) == network;
    }

    /** True when the other network is inside, or the same. */
    public boolean contains(Cidr other) {
        return other.bits >= bits && contains(other.network);
    }

    /** True when an address in text form is an IPv4 address inside. */
    public boolean contains(String address) {
        return Ip.parse4(address).map(this::contains).orElse(false);
    }

    @Override
    public String toString() {
        return Ip.text4(network) + "/" + bits;
    }
}
