package dev.tulle.proxy.loop;

import java.util.Arrays;

/** A growing array of bytes that heads are put together in. Reused; confined to one loop. */
public final class ByteSink {
    private static final byte[] HEX = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

    private byte[] bytes = new byte[4 << 10];
    private int length;

    /** Empties it. */
    public ByteSink clear() {
        length = 0;
        return this;
    }

    /** The array; only the first {@link #length} bytes count, until the next change. */
    public byte[] array() {
        return bytes;
    }

    /** Bytes in it. */
    public int length() {
        return length;
    }

    private void room(int more) {
        if (bytes.length - length < more) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, length + more));
        }
    }

    /** Adds a part of an array. */
    public ByteSink put(byte[] source, int from, int to) {
        int n = to - from;
        room(n);
        System.arraycopy(source, from, bytes, length, n);
        length += n;
        return this;
    }

    /** Adds a part of an array with the letters of ASCII in lower case. */
    public ByteSink putLower(byte[] source, int from, int to) {
        int n = to - from;
        room(n);
        for (int i = 0; i < n; i++) {
            byte b = source[from + i];
            bytes[length + i] = b >= 'A' && b <= 'Z' ? (byte) (b + 0x20) : b;
        }
        length += n;
        return this;
    }

    /** Adds an array. */
    public ByteSink put(byte[] source) {
        return put(source, 0, source.length);
    }

    /** Adds one byte. */
    public ByteSink put(char c) {
        room(1);
        bytes[length++] = (byte) c;
        return this;
    }

    /**
     * Adds a text that comes from configuration or a control plane to the head of a message, a byte per character. Nothing
     * that is written here can end a line: what no head may hold is a question mark instead.
     */
    public ByteSink value(String text) {
        int n = text.length();
        room(n);
        for (int i = 0; i < n; i++) {
            char c = text.charAt(i);
            boolean harmless = c == '\t' || (c >= ' ' && c != 0x7f && c <= 0xff);
            bytes[length + i] = (byte) (harmless ? c : '?');
        }
        length += n;
        return this;
    }

    /** Adds text of the proxy's own, whose characters are below 0x100, one byte each. */
    // The deprecated copy is the one that does exactly this without an encoder or an array between.
    @SuppressWarnings("deprecation")
    public ByteSink put(String text) {
        int n = text.length();
        room(n);
        text.getBytes(0, n, bytes, length);
        length += n;
        return this;
    }

    /** Adds a decimal number, 0 or more. */
    public ByteSink putDecimal(long value) {
        room(20);
        int digits = 1;
        for (long rest = value; rest >= 10; rest /= 10) {
            digits++;
        }
        long rest = value;
        for (int i = length + digits - 1; i >= length; i--) {
            bytes[i] = (byte) ('0' + rest % 10);
            rest /= 10;
        }
        length += digits;
        return this;
    }

    /** Adds a hexadecimal number without leading zeros. */
    public ByteSink putHex(int value) {
        int digits = Math.max(1, (35 - Integer.numberOfLeadingZeros(value)) / 4);
        return putHex(value, digits);
    }

    private ByteSink putHex(long value, int digits) {
        room(digits);
        for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
            bytes[length++] = HEX[(int) (value >>> shift) & 0xf];
        }
        return this;
    }

    /** Adds a random UUID (version 4) made of two random numbers. */
    public ByteSink putUuid(long high, long low) {
        long h = (high & ~0xf000L) | 0x4000L;
        long l = (low & 0x3fffffffffffffffL) | 0x8000000000000000L;
        putHex(h >>> 32, 8).put('-').putHex(h >>> 16, 4).put('-');
        return putHex(h, 4).put('-').putHex(l >>> 48, 4).put('-').putHex(l, 12);
    }
}
