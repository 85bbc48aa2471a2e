package dev.tulle.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Turns a Java value into the bytes of a map's key or value, and back. Any thread; holds no state.
 *
 * <p>{@link #encode} is given memory of exactly {@link #size} bytes that is all zero, so padding never holds noise (hash
 * maps compare padding too).
 *
 * @param <T> the Java type; immutable
 */
public interface MapCodec<T> {
    /** Bytes; must be the map's key or value size. */
    int size();

    void encode(T value, MemorySegment to);

    /** Reads a value; {@code from} is valid only during the call. */
    T decode(MemorySegment from);

    /** A 32-bit key or value, such as an array map's index. */
    static MapCodec<Integer> u32() {
        return new MapCodec<>() {
            @Override
            public int size() {
                return Integer.BYTES;
            }

            @Override
            public void encode(Integer value, MemorySegment to) {
                to.set(ValueLayout.JAVA_INT_UNALIGNED, 0, value);
            }

            @Override
            public Integer decode(MemorySegment from) {
                return from.get(ValueLayout.JAVA_INT_UNALIGNED, 0);
            }
        };
    }

    /** A 64-bit key or value, such as a cgroup id. */
    static MapCodec<Long> u64() {
        return new MapCodec<>() {
            @Override
            public int size() {
                return Long.BYTES;
            }

            @Override
            public void encode(Long value, MemorySegment to) {
                to.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, value);
            }

            @Override
            public Long decode(MemorySegment from) {
                return from.get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
            }
        };
    }

    /** An 8-bit value, such as a flag. */
    static MapCodec<Byte> u8() {
        return new MapCodec<>() {
            @Override
            public int size() {
                return Byte.BYTES;
            }

            @Override
            public void encode(Byte value, MemorySegment to) {
                to.set(ValueLayout.JAVA_BYTE, 0, value);
            }

            @Override
            public Byte decode(MemorySegment from) {
                return from.get(ValueLayout.JAVA_BYTE, 0);
            }
        };
    }

    /** Bytes that only the programs understand. */
    static MapCodec<byte[]> bytes(int size) {
        return new MapCodec<>() {
            @Override
            public int size() {
                return size;
            }

            @Override
            public void encode(byte[] value, MemorySegment to) {
                MemorySegment.copy(value, 0, to, ValueLayout.JAVA_BYTE, 0, size);
            }

            @Override
            public byte[] decode(MemorySegment from) {
                return from.toArray(ValueLayout.JAVA_BYTE);
            }
        };
    }
}
