package dev.tulle.xds;

import com.google.protobuf.ByteString;
import java.net.Inet6Address;
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
            InetAddress address = InetAddress.getByAddress(bytes.toByteArray());
            return address instanceof Inet6Address ? text6(bytes.toByteArray()) : address.getHostAddress();
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("an address of " + bytes.size() + " bytes, expected 4 or 16", e);
        }
    }

    private static String text6(byte[] bytes) {
        int[] groups = new int[8];
        for (int i = 0; i < 8; i++) {
            groups[i] = (bytes[2 * i] & 0xff) << 8 | (bytes[2 * i + 1] & 0xff);
        }
        int start = -1;
        int length = 1;
        for (int i = 0; i < 8; i++) {
            int end = i;
            while (end < 8 && groups[end] == 0) {
                end++;
            }
            if (end - i > length) {
                start = i;
                length = end - i;
            }
            i = Math.max(i, end - 1);
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 8; i++) {
            if (i == start) {
                text.append("::");
                i += length - 1;
                continue;
            }
            if (!text.isEmpty() && text.charAt(text.length() - 1) != ':') {
                text.append(':');
            }
            text.append(Integer.toHexString(groups[i]));
        }
        return text.toString();
    }
}
