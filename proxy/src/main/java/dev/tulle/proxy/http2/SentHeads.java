package dev.tulle.proxy.http2;

import dev.tulle.model.HeaderMutation;
import dev.tulle.proxy.http1.FieldName;
import dev.tulle.proxy.http1.ForwardedRequest;
import dev.tulle.proxy.http1.ForwardingFields;
import dev.tulle.proxy.http1.HeadWriter;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.MessageHead;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http1.Sender;
import dev.tulle.proxy.loop.ByteSink;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.AsciiString;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Forwarded heads as the fields of HTTP/2: what is said with pseudo-fields or by the stream's end is left out, fields of one
 * hop too, names are in lower case. The counterpart of {@link HeadWriter}.
 */
public final class SentHeads {
    private static final AsciiString HTTP = AsciiString.cached("http");
    private static final AsciiString TE = AsciiString.cached("te");
    private static final AsciiString TRAILERS = AsciiString.cached("trailers");
    private static final AsciiString LENGTH = AsciiString.cached("content-length");
    private static final AsciiString TYPE = AsciiString.cached("content-type");
    private static final AsciiString TEXT = AsciiString.cached("text/plain");
    private static final AsciiString LOCATION = AsciiString.cached("location");
    private static final AsciiString FORWARDED_FOR = AsciiString.cached("x-forwarded-for");
    private static final AsciiString EXTERNAL = AsciiString.cached("x-envoy-external-address");
    private static final AsciiString FORWARDED_PROTO = AsciiString.cached("x-forwarded-proto");
    private static final AsciiString REQUEST_ID = AsciiString.cached("x-request-id");
    private static final AsciiString CONNECT = AsciiString.cached("CONNECT");
    private static final AsciiString OK = AsciiString.cached("200");
    private static final AsciiString KEY = AsciiString.cached("sec-websocket-key");
    private static final AsciiString ACCEPT = AsciiString.cached("sec-websocket-accept");
    private static final AsciiString ROOT = AsciiString.cached("/");
    private static final int FIELDS = 16;

    private SentHeads() {}

    /**
     * A request; the rules for its client are those of {@link HeadWriter#request}.
     *
     * @param switches true to ask for another protocol on the stream (RFC 8441), if the request asks for it
     */
    public static Http2Headers request(ForwardedRequest request, boolean switches, SplittableRandom random) {
        RequestHead head = request.head();
        Sender client = request.sender();
        byte[] b = head.bytes();
        Http2Headers to = new DefaultHttp2Headers(false, FIELDS);
        to.method(switches ? CONNECT : part(b, head.methodStart(), head.methodEnd()));
        if (switches) {
            to.set(Http2Headers.PseudoHeaderName.PROTOCOL.value(), new AsciiString(head.upgrade()));
        }
        String authority = request.authority();
        to.authority(authority == null ? part(b, head.authorityStart(), head.authorityEnd()) : value(authority));
        if (!head.isConnect()) {
            to.scheme(HTTP);
            to.path(path(request));
        }
        boolean outside = !client.outside().isEmpty();
        fields(to, head, request.changes(), HeadWriter.alsoTravels(head, client), outside ? client : null);
        if (switches) {
            to.remove(KEY);
        } else if (!head.isChunked() && head.contentLength() >= 0) {
            to.add(LENGTH, new AsciiString(Long.toString(head.contentLength())));
        }
        String te = head.header("te");
        if (te != null && te.toLowerCase(Locale.ROOT).contains("trailers")) {
            // The only one that HTTP/2 has; servers of gRPC insist on it.
            to.add(TE, TRAILERS);
        }
        if (outside) {
            to.add(FORWARDED_FOR, value(ForwardingFields.forwardedFor(head, client)));
            to.add(EXTERNAL, value(ForwardingFields.caller(head, client)));
        }
        if (outside || (client.edge() && head.find(FieldName.X_FORWARDED_PROTO) < 0)) {
            to.add(FORWARDED_PROTO, value(ForwardingFields.protocol(head, client)));
        }
        if (client.edge() && head.find(FieldName.X_REQUEST_ID) < 0) {
            ByteSink id = new ByteSink().putUuid(random.nextLong(), random.nextLong());
            to.add(REQUEST_ID, part(id.array(), 0, id.length()));
        }
        return to;
    }

    private static AsciiString path(ForwardedRequest request) {
        RequestHead head = request.head();
        byte[] b = head.bytes();
        String path = request.path();
        if (path != null) {
            return value(path + head.text(head.pathEnd(), head.targetEnd()));
        }
        if (head.pathStart() == head.pathEnd()) {
            return head.pathEnd() == head.targetEnd() ? ROOT : value("/" + head.text(head.pathEnd(), head.targetEnd()));
        }
        return part(b, head.pathStart(), head.targetEnd());
    }

    /** A response. */
    public static Http2Headers response(ResponseHead head, HeaderProgram changes) {
        Http2Headers to = new DefaultHttp2Headers(false, FIELDS);
        boolean switched = head.code() == 101;
        to.status(switched ? OK : new AsciiString(Integer.toString(head.code())));
        fields(to, head, changes, 0, null);
        if (switched) {
            to.remove(ACCEPT);
        }
        if (head.contentLength() >= 0 && !head.isChunked() && head.code() >= 200 && head.code() != 204) {
            to.add(LENGTH, new AsciiString(Long.toString(head.contentLength())));
        }
        return to;
    }

    /**
     * A response of the proxy itself.
     *
     * @param length bytes of its body
     * @param location the value of Location; empty for none
     * @param changes what the route changes of its answers; a type of its own replaces the usual one
     */
    public static Http2Headers local(int code, int length, String location, HeaderProgram changes) {
        Http2Headers to = new DefaultHttp2Headers(false, FIELDS);
        to.status(new AsciiString(Integer.toString(code)));
        if (!location.isEmpty() && !changes.drops("location")) {
            to.add(LOCATION, value(location));
        }
        if (length > 0 && !changes.adds("content-type")) {
            to.add(TYPE, TEXT);
        }
        if (code != 204 && code != 304) {
            to.add(LENGTH, new AsciiString(Integer.toString(length)));
        }
        return with(to, changes);
    }

    /** Adds what a route adds to an answer of the proxy itself. */
    public static Http2Headers with(Http2Headers to, HeaderProgram changes) {
        for (HeaderMutation.Field field : changes.added()) {
            to.add(new AsciiString(field.name().toLowerCase(Locale.ROOT)), value(field.value()));
        }
        return to;
    }

    /**
     * Trailers.
     *
     * @param lines fields, each with its line end
     */
    public static Http2Headers trailers(byte[] lines) {
        Http2Headers to = new DefaultHttp2Headers(false, 4);
        for (String line : new String(lines, StandardCharsets.ISO_8859_1).split("\r\n")) {
            int colon = line.indexOf(':');
            if (colon > 0) {
                String name = line.substring(0, colon).toLowerCase(Locale.ROOT);
                to.add(new AsciiString(name), value(line.substring(colon + 1).strip()));
            }
        }
        return to;
    }

    private static void fields(
            Http2Headers to, MessageHead head, HeaderProgram changes, int also, @Nullable Sender outside) {
        byte[] b = head.bytes();
        boolean changed = !changes.isEmpty();
        for (int i = 0; i < head.fieldCount(); i++) {
            if (!HeadWriter.travels(head, i, also)
                    || head.nameOf(i) == FieldName.UPGRADE
                    || HeadWriter.isDropped(head, i, outside)
                    || (changed && changes.drops(head, i))) {
                continue;
            }
            to.add(
                    part(b, head.nameStart(i), head.nameEnd(i)).toLowerCase(),
                    part(b, head.valueStart(i), head.valueEnd(i)));
        }
        with(to, changes);
    }

    /** A text of configuration as {@link ByteSink#value} writes it. */
    private static AsciiString value(String text) {
        ByteSink sink = new ByteSink().value(text);
        return part(sink.array(), 0, sink.length());
    }

    private static AsciiString part(byte[] bytes, int from, int to) {
        return new AsciiString(bytes, from, to - from, true);
    }
}
