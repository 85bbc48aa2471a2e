package dev.tulle.model;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How servers may read a request's path: escapes decoded not at all, once or twice, parameters of segments cut or kept,
 * a backslash taken for a slash or not, double slashes merged or not, dot segments folded or not, in the orders that are
 * in use. What is written plainly has one reading, itself.
 *
 * <p>Readings are in canonical form, as the paths of policies are: what needs no escape has none, escapes are in upper
 * case. Pure, any thread; the time taken is linear in the path's length.
 */
public final class PathReadings {
    /** What nobody gives a meaning: the same with and without an escape. */
    private static final String HARMLESS = "-._~\"<>[]^`{|}";

    private static final String HEX = "0123456789ABCDEF";

    private PathReadings() {}

    /** True when there is only one way to read the path. */
    public static boolean isPlain(String path) {
        char before = 0;
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            if (c == '%' || c == ';' || c == '\\' || c <= 0x20 || c >= 0x7f || (c == '/' && before == '/')) {
                return false;
            }
            if (c == '.' && (before == '/' || i == 0) && isDots(path, i)) {
                return false;
            }
            before = c;
        }
        return true;
    }

    private static boolean isDots(String path, int from) {
        int end = from + 1;
        if (end < path.length() && path.charAt(end) == '.') {
            end++;
        }
        return end == path.length() || path.charAt(end) == '/';
    }

    /**
     * All readings of a path, without duplicates.
     *
     * @param path as received, one char per byte
     * @return empty when it cannot be read: a broken escape, an escaped control character, an overlong form
     */
    public static List<String> of(String path) {
        if (isPlain(path)) {
            return List.of(path);
        }
        Set<String> readings = new LinkedHashSet<>();
        String decoded = path;
        for (int times = 0; times <= 2; times++) {
            String base;
            if (times == 0) {
                base = canonical(path);
            } else {
                String next = decode(decoded);
                // Decoded once more, a lone percent sign is only that: nobody could decode it again.
                base = next == null ? null : encode(next);
                if (next != null) {
                    decoded = next;
                }
            }
            if (base == null) {
                if (times < 2) {
                    return List.of();
                }
                continue;
            }
            shapes(base, readings);
        }
        return List.copyOf(readings);
    }

    /**
     * The canonical form of a path that a person wrote: escapes only where needed, in upper case, no dot segments, no
     * double slash; null when an escape is broken.
     */
    public static @Nullable String canonicalOf(String path) {
        byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        String form = canonical(new String(bytes, StandardCharsets.ISO_8859_1));
        return form == null ? null : fold(merge(form));
    }

    private static void shapes(String base, Set<String> readings) {
        for (String slashed : variants(base, base.replace('\\', '/'))) {
            for (String bare : variants(slashed, withoutParameters(slashed))) {
                readings.add(bare);
                readings.add(fold(bare));
                readings.add(merge(bare));
                readings.add(fold(merge(bare)));
            }
        }
    }

    private static List<String> variants(String one, String other) {
        return one.equals(other) ? List.of(one) : List.of(one, other);
    }

    /** Needless escapes decoded, the others in upper case, what must be escaped escaped; null when it is broken. */
    private static @Nullable String canonical(String path) {
        StringBuilder out = new StringBuilder(path.length() + 16);
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            if (c != '%') {
                append(out, c);
                continue;
            }
            int value = escaped(path, i);
            if (value < 0x20 || value == 0x7f) {
                return null;
            }
            if (isHarmless(value)) {
                out.append((char) value);
            } else {
                escape(out, value);
            }
            i += 2;
        }
        return out.toString();
    }

    /** Every escape decoded, to one char per byte; null when it is broken. */
    private static @Nullable String decode(String path) {
        StringBuilder out = new StringBuilder(path.length());
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            if (c != '%') {
                out.append(c);
                continue;
            }
            int value = escaped(path, i);
            if (value < 0x20 || value == 0x7f) {
                return null;
            }
            out.append((char) value);
            i += 2;
        }
        return hasOverlong(out) ? null : out.toString();
    }

    private static String encode(String decoded) {
        StringBuilder out = new StringBuilder(decoded.length() + 16);
        for (int i = 0; i < decoded.length(); i++) {
            char c = decoded.charAt(i);
            if (c == '%') {
                escape(out, c);
            } else {
                append(out, c);
            }
        }
        return out.toString();
    }

    private static void append(StringBuilder out, char c) {
        if (c > 0x20 && c < 0x7f && c != '%' && c != '?' && c != '#') {
            out.append(c);
        } else {
            escape(out, c & 0xff);
        }
    }

    private static void escape(StringBuilder out, int value) {
        out.append('%').append(HEX.charAt(value >> 4)).append(HEX.charAt(value & 15));
    }

    /** The value of the escape at the percent sign; -1 when it is none. */
    private static int escaped(String path, int at) {
        if (at + 2 >= path.length()) {
            return -1;
        }
        int high = Character.digit(path.charAt(at + 1), 16);
        int low = Character.digit(path.charAt(at + 2), 16);
        return high < 0 || low < 0 || path.charAt(at + 1) > 0x7f || path.charAt(at + 2) > 0x7f ? -1 : high << 4 | low;
    }

    private static boolean isHarmless(int c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || HARMLESS.indexOf(c) >= 0;
    }

    /** UTF-8 that hides a shorter character, such as C0 AF for a slash. */
    private static boolean hasOverlong(CharSequence bytes) {
        for (int i = 0; i < bytes.length(); i++) {
            char c = bytes.charAt(i);
            char next = i + 1 < bytes.length() ? bytes.charAt(i + 1) : 0;
            boolean follows = next >= 0x80 && next <= 0xbf;
            if (follows && (c == 0xc0 || c == 0xc1 || (c == 0xe0 && next < 0xa0) || (c == 0xf0 && next < 0x90))) {
                return true;
            }
        }
        return false;
    }

    private static String withoutParameters(String path) {
        if (path.indexOf(';') < 0) {
            return path;
        }
        StringBuilder out = new StringBuilder(path.length());
        boolean skipping = false;
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            skipping = c == ';' || (skipping && c != '/');
            if (!skipping) {
                out.append(c);
            }
        }
        return out.toString();
    }

    private static String merge(String path) {
        StringBuilder out = new StringBuilder(path.length());
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            if (c != '/' || i == 0 || path.charAt(i - 1) != '/') {
                out.append(c);
            }
        }
        return out.toString();
    }

    /** Dot segments folded, as RFC 3986 §5.2.4 does for a path that begins with a slash. */
    private static String fold(String path) {
        if (!path.startsWith("/")) {
            return path;
        }
        // Each kept segment with the slash before it: a path of thousands of segments makes no list of them.
        StringBuilder kept = new StringBuilder(path.length());
        for (int slash = 0; slash >= 0; ) {
            int next = path.indexOf('/', slash + 1);
            int end = next < 0 ? path.length() : next;
            int length = end - slash - 1;
            boolean dots = length >= 1 && length <= 2 && path.startsWith("..".substring(0, length), slash + 1);
            if (!dots) {
                kept.append(path, slash, end);
            } else {
                if (length == 2) {
                    kept.setLength(Math.max(0, kept.lastIndexOf("/")));
                }
                if (next < 0) {
                    kept.append('/');
                }
            }
            slash = next;
        }
        return kept.isEmpty() ? "/" : kept.toString();
    }
}
