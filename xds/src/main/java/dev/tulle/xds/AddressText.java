package dev.tulle.xds;

import com.google.protobuf.ByteString;
import dev.tulle.common.Ip;
import java.net.InetAddress;
import java.net.UnknownHostException;

/** Addresses between text and bytes; never asks a name server. */
final class AddressText {
    private AddressText() {}

    /**
     * The 4 or 16 bytes of an address in text form.
     *
     * @throws IllegalArgumentException when it is not an address
     */
    static ByteString bytes(String address) {
        return ByteString.copyFrom(InetAddress.ofLiteral(address).getAddress());
    }

    /** The text form of an address; IPv6 with its longest run of zeros left out, as RFC 5952 asks. */
    static String text(ByteString bytes) {
        try {
            return Ip.text(InetAddress.getByAddress(bytes.toByteArray()));
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("an address of " + bytes.size() + " bytes, expected 4 or 16", e);
        }
    }
}
