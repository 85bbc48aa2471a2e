package dev.tulle.model;

/**
 * A request's path as routes compare it and as it is sent on: Istio's path normalization BASE, its default. Escapes of
 * unreserved characters are resolved, a backslash is a slash, segments that are one or two dots are folded (RFC 3986
 * section 6.2.2, WHATWG URL); double slashes and all other escapes stay as they are. Pure, any thread; linear time.
 */
public final class PathNormalizer {
    private PathNormalizer() {}

    /**
     * The path's normal form.
     *
     * @param path without the query, one char per byte
     * @return the same object when there is nothing to do, or when it does not begin with a slash (or a backslash)
     */
    public static String normalize(String path) {
        if (isNormal(path)) {
            return path;
        }
        StringBuilder out = new StringBuilder(path.length());
        int i = 0;
        // Where a % without two digits was written: what follows it must not become its digits.
        int broken = -3;
        while (i < path.length()) {
            int segment = out.length();
            out.append('/');
            i++;
            while (i < path.length() && !isSlash(path.charAt(i))) {
                int escaped = out.length() - broken <= 2 ? -1 : unreserved(path, i);
                if (path.charAt(i) == '%' && !isEscape(path, i)) {
                    broken = out.length();
                }
                out.append(escaped < 0 ? path.charAt(i) : (char) escaped);
                i += escaped < 0 ? 1 : 3;
            }
            boolean last = i == path.length();
            String name = out.substring(segment + 1);
            if (name.equals(".") || name.equals("..")) {
                out.setLength(name.equals(".") ? segment : parent(out, segment));
                broken = -3;
                if (last) {
                    out.append('/');
                }
            }
        }
        return out.toString();
    }

    /** Where the segment before the one at a position begins; 0 when there is none. */
    private static int parent(StringBuilder out, int segment) {
        return segment == 0 ? 0 : Math.max(0, out.lastIndexOf("/", segment - 1));
    }

    private static boolean isNormal(String path) {
        if (path.isEmpty() || !isSlash(path.charAt(0))) {
            return true;
        }
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            if (c == '\\' || (c == '%' && unreserved(path, i) >= 0)) {
                return false;
            }
            if (c == '.' && path.charAt(i - 1) == '/' && isDots(path, i)) {
                return false;
            }
        }
        return true;
    }

    private static boolean isDots(String path, int from) {
        int end = from + 1 < path.length() && path.charAt(from + 1) == '.' ? from + 2 : from + 1;
        return end == path.length() || isSlash(path.charAt(end));
    }

    private static boolean isSlash(char c) {
        return c == '/' || c == '\\';
    }

    /** The unreserved character (RFC 3986 section 2.3) whose escape is at a position; -1 when there is none. */
    private static int unreserved(String path, int at) {
        if (!isEscape(path, at)) {
            return -1;
        }
        char c = (char) (Character.digit(path.charAt(at + 1), 16) << 4 | Character.digit(path.charAt(at + 2), 16));
        boolean letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        return letter || c == '-' || c == '.' || c == '_' || c == '~' ? c : -1;
    }

    private static boolean isEscape(String path, int at) {
        return path.charAt(at) == '%'
                && at + 2 < path.length()
                && Character.digit(path.charAt(at + 1), 16) >= 0
                && Character.digit(path.charAt(at + 2), 16) >= 0;
    }
}
