package dev.tulle.proxy.http1;

import dev.tulle.model.RequestView;
import io.netty.buffer.Unpooled;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The head of a request. Strings are made only when asked for. Confined to one thread. */
public final class RequestHead extends MessageHead implements RequestView {
    private static final byte[] VERSION = FieldName.lower("http/1.");
    private static final byte[] CONTINUE = FieldName.lower("100-continue");
    private static final byte[] H2C = FieldName.lower("h2c");
    private static final byte[] TLS = FieldName.lower("tls/");
    private static final byte[] HTTP_SCHEME = FieldName.lower("http://");
    private static final byte[] HTTPS_SCHEME = FieldName.lower("https://");
    private static final byte[] GRPC = FieldName.lower("application/grpc");

    private int methodEnd;
    /** Bytes of a path that is kept between messages. */
    private static final int KEPT_PATH = 256;

    private int methodStart;
    private int targetStart;
    private int targetEnd;
    private int pathStart;
    private int pathEnd;
    private int authorityStart;
    private int authorityEnd;
    private boolean absolute;
    private boolean plain;
    private int hostFields;
    private boolean expectContinue;
    private boolean expectOther;
    private int upgradeField;
    private boolean ignoredUpgrade;
    private boolean http2;

    private @Nullable String method;
    private @Nullable String path;
    private @Nullable String authority;
    /** That of the message before: a client often asks for the same thing again. */
    private String pathBefore = "/";

    /** An empty head. */
    public RequestHead() {
        reset();
    }

    @Override
    public void reset() {
        super.reset();
        method = null;
        if (path != null) {
            pathBefore = path.length() <= KEPT_PATH ? path : "/";
            path = null;
        }
        authority = null;
        hostFields = 0;
        absolute = false;
        expectContinue = false;
        expectOther = false;
        upgradeField = -1;
        ignoredUpgrade = false;
        http2 = false;
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
    int startLineLimit() {
        return MAX_REQUEST_LINE;
    }

    @Override
    boolean skipsEmptyLine() {
        return true;
    }

    @Override
    ParseStatus startLine(int from, int to) {
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

    private boolean authorityIsGood(int from, int to) {
        for (int i = from; i < to; i++) {
            if (!Ascii.isAuthority(bytes[i])) {
                return false;
            }
        }
        return true;
    }

    @Override
    ParseStatus known(int name, int start, int end) {
        switch (name) {
            case FieldName.HOST -> {
                if (++hostFields > 1 || !authorityIsGood(start, end)) {
                    return ParseStatus.BAD_HOST;
                }
                if (!absolute) {
                    authorityStart = start;
                    authorityEnd = end;
                } else if (!isConnect()) {
                    // RFC 9112 section 3.2.2: the target's authority takes the place of what the field says.
                    lastValueIs(authorityStart, authorityEnd);
                } else if (!sameText(start, end, authorityStart, authorityEnd)) {
                    return ParseStatus.BAD_HOST;
                }
            }
            case FieldName.EXPECT -> {
                if (FieldName.equalsLower(bytes, start, end, CONTINUE)) {
                    expectContinue = true;
                } else {
                    expectOther = true;
                }
            }
            case FieldName.UPGRADE -> {
                ignoredUpgrade |= upgradeField >= 0
                        || FieldName.equalsLower(bytes, start, end, H2C)
                        || (end - start > TLS.length && FieldName.equalsLower(bytes, start, start + TLS.length, TLS));
                upgradeField = fieldCount() - 1;
            }
            default -> {
                // Nothing to check in the others.
            }
        }
        return ParseStatus.NEED_MORE;
    }

    private boolean sameText(int a, int aEnd, int b, int bEnd) {
        return aEnd - a == bEnd - b
                && text(a, aEnd).toLowerCase(Locale.ROOT).equals(text(b, bEnd).toLowerCase(Locale.ROOT));
    }

    @Override
    ParseStatus finish() {
        if (hostFields == 0 && minorVersion == 1) {
            return ParseStatus.BAD_HOST;
        }
        ParseStatus framing = framing();
        if (framing != ParseStatus.COMPLETE) {
            return framing;
        }
        if (expectOther) {
            return ParseStatus.BAD_EXPECT;
        }
        if (hasBody() && (isConnect() || method().equals("TRACE"))) {
            return ParseStatus.BODY_NOT_ALLOWED;
        }
        return ParseStatus.COMPLETE;
    }

    /** The same head, in memory of its own. */
    public RequestHead copy() {
        RequestHead made = new RequestHead();
        made.read(Unpooled.wrappedBuffer(bytes, 0, length()));
        made.http2 = http2;
        return made;
    }

    /** The client has sent it in HTTP/2; what was read here was put together from that. */
    public void cameAsHttp2() {
        http2 = true;
    }

    /** True when the client speaks HTTP/2. */
    public boolean isHttp2() {
        return http2;
    }

    /** The client's protocol, for people. */
    public String protocol() {
        return http2 ? "HTTP/2" : minorVersion == 1 ? "HTTP/1.1" : "HTTP/1.0";
    }

    /** True for a call of gRPC, by the type of its content. */
    public boolean isGrpc() {
        int field = find(FieldName.CONTENT_TYPE);
        return field >= 0 && isGrpc(valueStart(field), valueEnd(field));
    }

    private boolean isGrpc(int start, int end) {
        int after = start + GRPC.length;
        return after <= end
                && FieldName.equalsLower(bytes, start, after, GRPC)
                && (after == end || bytes[after] == '+' || bytes[after] == ';');
    }

    /** True when bytes follow that belong to the request. */
    public boolean hasBody() {
        return chunked || contentLength > 0;
    }

    /** True when the client waits for leave to send the body. */
    public boolean expectsContinue() {
        return expectContinue && minorVersion == 1;
    }

    /**
     * True when the request asks for another protocol and may get it. A server may ignore that it is asked (RFC 9110
     * section 7.8), which is done for HTTP/2 and TLS, offered in passing by clients that do without, and for requests with
     * a body.
     */
    public boolean isUpgrade() {
        return connectionUpgrade && upgradeField >= 0 && !ignoredUpgrade && minorVersion == 1 && !hasBody();
    }

    /** What the request asks for, if {@link #isUpgrade}. */
    public String upgrade() {
        return text(valueStart(upgradeField), valueEnd(upgradeField));
    }

    /**
     * True when a client of HTTP/2 asks for another protocol on its stream (RFC 8441): a GET with an upgrade from here on,
     * as in Envoy, but for one thing: it cannot be ignored that it asks.
     */
    public boolean isExtendedConnect() {
        return http2 && isUpgrade();
    }

    /** True when what follows the head, if the server agrees, is no HTTP any more. */
    public boolean asksForTunnel() {
        return isConnect() || isUpgrade();
    }

    /** True for CONNECT. */
    public boolean isConnect() {
        return methodEnd - methodStart == 7 && methodIs("CONNECT");
    }

    /** True for HEAD. */
    public boolean isHead() {
        return methodEnd - methodStart == 4 && methodIs("HEAD");
    }

    /** True when it has a body although its method has none by custom: a server may take that for its next request. */
    public boolean hasUnusualBody() {
        if (!hasBody()) {
            return false;
        }
        return methodIs("GET") || methodIs("HEAD") || methodIs("OPTIONS") || methodIs("DELETE");
    }

    /** True for a method whose repetition has the same effect as doing it once. */
    public boolean isIdempotent() {
        return methodIs("GET") || methodIs("HEAD") || methodIs("OPTIONS") || methodIs("PUT") || methodIs("DELETE");
    }

    private boolean methodIs(String name) {
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

    public int methodStart() {
        return methodStart;
    }

    public int methodEnd() {
        return methodEnd;
    }

    /** Where path and query begin; the same as {@link #targetEnd} for an absolute target without a path. */
    public int pathStart() {
        return pathStart;
    }

    /** Where the path ends and, if there is a query, its question mark is. */
    public int pathEnd() {
        return pathEnd;
    }

    public int targetEnd() {
        return targetEnd;
    }

    public int authorityStart() {
        return authorityStart;
    }

    public int authorityEnd() {
        return authorityEnd;
    }

    /** True when the target has the absolute form, as sent to a proxy. */
    public boolean isAbsolute() {
        return absolute;
    }

    /** True when the path is certainly in its normal form, see {@link dev.tulle.model.PathNormalizer}. */
    public boolean isPathPlain() {
        return plain;
    }

    /** The whole target as received. */
    public String target() {
        return text(targetStart, targetEnd);
    }

    @Override
    public String method() {
        String made = method;
        if (made == null) {
            made = methodIs("GET") ? "GET" : methodIs("POST") ? "POST" : text(methodStart, methodEnd);
            method = made;
        }
        return made;
    }

    @Override
    public String path() {
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
    public String query() {
        return pathEnd < targetEnd ? text(pathEnd + 1, targetEnd) : "";
    }

    @Override
    public String authority() {
        String made = authority;
        if (made == null) {
            made = text(authorityStart, authorityEnd);
            authority = made;
        }
        return made;
    }
}
