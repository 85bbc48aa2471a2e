package dev.tulle.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.function.Function;

/**
 * How one Java type is kept in a field of a record: a fixed number of bytes, whatever C calls them.
 *
 * @param type the component's type in the Java record
 * @param size bytes of the field
 * @param encode gives exactly {@code size} bytes
 * @param decode from exactly {@code size} bytes
 */
public record FieldCodec<T>(Class<T> type, int size, Function<T, byte[]> encode, Function<byte[], T> decode) {

    /** An address in 16 bytes, network byte order; IPv4 is stored v4-mapped (::ffff:a.b.c.d). */
    public static FieldCodec<InetAddress> address() {
        return new FieldCodec<>(InetAddress.class, 16, FieldCodec::mapped, FieldCodec::unmapped);
    }

    private static byte[] mapped(InetAddress address) {
        byte[] bytes = address.getAddress();
        if (!(address instanceof Inet4Address)) {
            return bytes;
        }
        byte[] mapped = new byte[16];
        mapped[10] = (byte) 0xff;
        mapped[11] = (byte) 0xff;
        System.arraycopy(bytes, 0, mapped, 12, 4);
        return mapped;
    }

    private static InetAddress unmapped(byte[] bytes) {
        try {
            return InetAddress.getByAddress(bytes); // the JDK itself turns v4-mapped into Inet4Address
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("an address of " + bytes.length + " bytes, expected 16", e);
        }
    }

    void write(Object value, MemorySegment to, int offset) {
        byte[] bytes = encode.apply(type.cast(value));
        if (bytes.length != size) {
            throw new IllegalArgumentException(
                    type.getSimpleName() + " " + value + " became " + bytes.length + " bytes, expected " + size);
        }
        MemorySegment.copy(bytes, 0, to, ValueLayout.JAVA_BYTE, offset, size);
    }

    T read(MemorySegment from, int offset) {
        byte[] bytes = new byte[size];
        MemorySegment.copy(from, ValueLayout.JAVA_BYTE, offset, bytes, 0, size);
        return decode.apply(bytes);
    }
}
