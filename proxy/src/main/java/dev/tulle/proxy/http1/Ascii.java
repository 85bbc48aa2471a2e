package dev.tulle.proxy.http1;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Character classes of HTTP/1.1 and searches over bytes, eight at a time. */
public final class Ascii {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private static final long ONES = 0x0101010101010101L;
    private static final long HIGHS = 0x8080808080808080L;

    private static final boolean[] TOKEN = new boolean[256];
    private static final boolean[] AUTHORITY = new boolean[256];

    static {
        for (int c = 0; c < 256; c++) {
            boolean alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
            TOKEN[c] = alphanumeric || (c < 128 && "!#$%&'*+-.^_`|~".indexOf(c) >= 0);
            AUTHORITY[c] = alphanumeric || (c < 128 && "-._~%[]:".indexOf(c) >= 0);
        }
    }

    private Ascii() {}

    /** True for a character of a token (RFC 9110 section 5.6.2). */
    public static boolean isToken(byte b) {
        return TOKEN[b & 0xff];
    }

    static boolean isAuthority(byte b) {
        return AUTHORITY[b & 0xff];
    }

    /** The index of the first line feed, -1 when there is none. */
    static int indexOfLineFeed(byte[] bytes, int from, int to) {
        int i = from;
        for (; i + 8 <= to; i += 8) {
            long word = (long) LONG.get(bytes, i) ^ 0x0a0a0a0a0a0a0a0aL;
            long found = (word - ONES) & ~word & HIGHS;
            if (found != 0) {
                return i + (Long.numberOfTrailingZeros(found) >>> 3);
            }
        }
        for (; i < to; i++) {
            if (bytes[i] == '\n') {
                return i;
            }
        }
        return -1;
    }

    /** True when a byte is a control character other than the horizontal tab. */
    public static boolean hasControl(byte[] bytes, int from, int to) {
        int i = from;
        for (; i + 8 <= to; i += 8) {
            long word = (long) LONG.get(bytes, i);
            // A byte below 0x20, or 0x7f; exact only as "none" or "perhaps", the slow look decides.
            long below = (word - 0x2020202020202020L) & ~word & HIGHS;
            long delete = word ^ 0x7f7f7f7f7f7f7f7fL;
            long deleted = (delete - ONES) & ~delete & HIGHS;
            if ((below | deleted) != 0 && hasControlSlowly(bytes, i, i + 8)) {
                return true;
            }
        }
        return hasControlSlowly(bytes, i, to);
    }

    private static boolean hasControlSlowly(byte[] bytes, int from, int to) {
        for (int i = from; i < to; i++) {
            byte b = bytes[i];
            if ((b >= 0 && b < 0x20 && b != '\t') || b == 0x7f) {
                return true;
            }
        }
        return false;
    }
}
