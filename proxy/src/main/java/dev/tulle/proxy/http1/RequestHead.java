package dev.tulle.proxy.http1;

import io.netty.buffer.Unpooled;
import java.util.Locale;

/** The head of a request: what it asks for, and what its fields mean for the connection. Confined to one thread. */
public final class RequestHead extends RequestLine {
    private static final byte[] CONTINUE = FieldName.lower("100-continue");
    private static final byte[] H2C = FieldName.lower("h2c");
    private static final byte[] TLS = FieldName.lower("tls/");
    private static final byte[] GRPC = FieldName.lower("application/grpc");

    private int hostFields;
    private boolean expectContinue;
    private boolean expectOther;
    private int upgradeField;
    private boolean ignoredUpgrade;
    private boolean http2;

    /** An empty head. */
    public RequestHead() {
        reset();
    }

    @Override
    public void reset() {
        super.reset();
        hostFields = 0;
        expectContinue = false;
        expectOther = false;
        upgradeField = -1;
        ignoredUpgrade = false;
        http2 = false;
    }

    @Override
    ParseStatus known(int name, int start, int end) {
        switch (name) {
            case FieldName.HOST -> {
                if (++hostFields > 1 || !authorityIsGood(start, end)) {
                    return ParseStatus.BAD_HOST;
                }
                if (!isAbsolute()) {
                    authorityIs(start, end);
                } else if (!isConnect()) {
                    // RFC 9112 section 3.2.2: the target's authority takes the place of what the field says.
                    lastValueIs(authorityStart(), authorityEnd());
                } else if (!sameText(start, end, authorityStart(), authorityEnd())) {
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

    /** True for HEAD. */
    public boolean isHead() {
        return methodIs("HEAD");
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
}
