package dev.tulle.proxy.http1;

import dev.tulle.model.RequestView;
import org.jspecify.annotations.Nullable;

/**
 * The first line of a request, with the authority that it is for, which may stand in a field instead. Strings are made only
 * when asked for. Confined to one thread.
 */
public abstract class RequestLine extends MessageHead implements RequestView {
    /** Bytes of a path that is kept between messages. */
    private static final int KEPT_PATH = 256;

    private static final byte[] VERSION = FieldName.lower("http/1.");
    private static final byte[] HTTP_SCHEME = FieldName.lower("http://");
    private static final byte[] HTTPS_SCHEME = FieldName.lower("https://");

    private int methodStart;
    private int methodEnd;
    private int targetStart;
    private int targetEnd;
    private int pathStart;
    private int pathEnd;
    private int authorityStart;
    private int authorityEnd;
    private boolean absolute;
    private boolean plain;

    private @Nullable String method;
    private @Nullable String path;
    /** That of the message before: a client often asks for the same thing again. */
    private String pathBefore = "/";

    private @Nullable String authority;

    @Override
    public void reset() {
        super.reset();
        method = null;
        if (path != null) {
            pathBefore = path.length() <= KEPT_PATH ? path : "/";
            path = null;
        }
        authority = null;
        absolute = false;
        authorityStart = 0;
        authorityEnd = 0;
        methodStart = 0;
        methodEnd = 0;
        targetStart = 0;
        targetEnd = 0;
        pathStart = 0;
        pathEnd = 0;
    }

    @Override
    final int startLineLimit() {
        return MAX_REQUEST_LINE;
    }

    @Override
    final boolean skipsEmptyLine() {
        return true;
    }

    @Override
    final ParseStatus startLine(int from, int to) {
        int i = from;
        while (i < to && Ascii.isToken(bytes[i])) {
            i++;
        }
        if (i == from || i == to || bytes[i] != ' ') {
            return ParseStatus.BAD_START_LINE;
        }
        methodStart = from;
        methodEnd = i;
        targetStart = i + 1;
        i = targetStart;
        plain = true;
        int question = -1;
        while (i < to && bytes[i] != ' ') {
            byte b = bytes[i];
            if ((b >= 0 && b <= 0x20) || b == 0x7f || b == '#') {
                return ParseStatus.BAD_TARGET;
            }
            if (b == '?' && question < 0) {
                question = i;
            }
            plain &= question >= 0 || !(b == '%' || b == '\\' || (b == '.' && bytes[i - 1] == '/'));
            i++;
        }
        if (i == targetStart || i == to) {
            return ParseStatus.BAD_START_LINE;
        }
        targetEnd = i;
        if ((question < 0 ? targetEnd : question) - targetStart > MAX_PATH) {
            return ParseStatus.LINE_TOO_LONG;
        }
        int version = i + 1;
        if (to - version != 8
                || bytes[version] != 'H'
                || !FieldName.equalsLower(bytes, version, version + 7, VERSION)) {
            return to - version > 5 && bytes[version] == 'H' ? ParseStatus.BAD_VERSION : ParseStatus.BAD_START_LINE;
        }
        // Letters of the version are upper case; comparing without case above is only a shortcut.
        if (bytes[version + 1] != 'T' || bytes[version + 2] != 'T' || bytes[version + 3] != 'P') {
            return ParseStatus.BAD_START_LINE;
        }
        switch (bytes[version + 7]) {
            case '1' -> minorVersion = 1;
            case '0' -> minorVersion = 0;
            default -> {
                return ParseStatus.BAD_VERSION;
            }
        }
        return target(question);
    }

    private ParseStatus target(int question) {
        pathStart = targetStart;
        pathEnd = question < 0 ? targetEnd : question;
        if (isConnect()) {
            authorityStart = targetStart;
            authorityEnd = targetEnd;
            absolute = true;
            return authorityIsGood(authorityStart, authorityEnd) ? ParseStatus.NEED_MORE : ParseStatus.BAD_TARGET;
        }
        if (bytes[targetStart] == '/') {
            return ParseStatus.NEED_MORE;
        }
        if (bytes[targetStart] == '*' && targetEnd - targetStart == 1) {
            return method().equals("OPTIONS") ? ParseStatus.NEED_MORE : ParseStatus.BAD_TARGET;
        }
        int host;
        if (targetBegins(HTTP_SCHEME)) {
            host = targetStart + HTTP_SCHEME.length;
        } else if (targetBegins(HTTPS_SCHEME)) {
            host = targetStart + HTTPS_SCHEME.length;
        } else {
            return ParseStatus.BAD_TARGET;
        }
        int slash = host;
        while (slash < pathEnd && bytes[slash] != '/') {
            slash++;
        }
        absolute = true;
        authorityStart = host;
        authorityEnd = slash;
        pathStart = slash;
        return host < slash && authorityIsGood(host, slash) ? ParseStatus.NEED_MORE : ParseStatus.BAD_TARGET;
    }

    private boolean targetBegins(byte[] scheme) {
        int end = targetStart + scheme.length;
        return end < targetEnd && FieldName.equalsLower(bytes, targetStart, end, scheme);
    }

    final boolean authorityIsGood(int from, int to) {
        for (int i = from; i < to; i++) {
            if (!Ascii.isAuthority(bytes[i])) {
                return false;
            }
        }
        return true;
    }

    /** The authority stands there, outside of the line. */
    final void authorityIs(int start, int end) {
        authorityStart = start;
        authorityEnd = end;
    }

    /** True for CONNECT. */
    public final boolean isConnect() {
        return methodIs("CONNECT");
    }

    /** True for this method. */
    final boolean methodIs(String name) {
        if (methodEnd - methodStart != name.length()) {
            return false;
        }
        for (int i = 0; i < name.length(); i++) {
            if (bytes[methodStart + i] != name.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    public final int methodStart() {
        return methodStart;
    }

    public final int methodEnd() {
        return methodEnd;
    }

    /** Where path and query begin; the same as {@link #targetEnd} for an absolute target without a path. */
    public final int pathStart() {
        return pathStart;
    }

    /** Where the path ends and, if there is a query, its question mark is. */
    public final int pathEnd() {
        return pathEnd;
    }

    public final int targetEnd() {
        return targetEnd;
    }

    public final int authorityStart() {
        return authorityStart;
    }

    public final int authorityEnd() {
        return authorityEnd;
    }

    /** True when the target has the absolute form, as sent to a proxy. */
    public final boolean isAbsolute() {
        return absolute;
    }

    /** True when the path is certainly in its normal form, see {@link dev.tulle.model.PathNormalizer}. */
    public final boolean isPathPlain() {
        return plain;
    }

    /** The whole target as received. */
    public final String target() {
        return text(targetStart, targetEnd);
    }

    @Override
    public final String method() {
        String made = method;
        if (made == null) {
            made = methodIs("GET") ? "GET" : methodIs("POST") ? "POST" : text(methodStart, methodEnd);
            method = made;
        }
        return made;
    }

    @Override
    public final String path() {
        String made = path;
        if (made == null) {
            if (pathStart == pathEnd) {
                made = "/";
            } else {
                made = isText(pathStart, pathEnd, pathBefore) ? pathBefore : text(pathStart, pathEnd);
            }
            path = made;
        }
        return made;
    }

    @Override
    public final String query() {
        return pathEnd < targetEnd ? text(pathEnd + 1, targetEnd) : "";
    }

    @Override
    public final String authority() {
        String made = authority;
        if (made == null) {
            made = text(authorityStart, authorityEnd);
            authority = made;
        }
        return made;
    }
}
