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
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Forwarded heads as the fields of HTTP/2: what is said with pseudo-fields or by the stream's end is left out, fields of one
 * hop too, names are in lower case. The counterpart of {@link HeadWriter}.
 */
public final class SentHeads {
    private static final String KEY = "sec-websocket-key";
    private static final String ACCEPT = "sec-websocket-accept";

    private SentHeads() {}

    /**
     * A request; the rules for its client are those of {@link HeadWriter#request}.
     *
     * @param switches true to ask for another protocol on the stream (RFC 8441), if the request asks for it
     */
    public static FieldBlock request(
            FieldBlock to, ForwardedRequest request, boolean switches, SplittableRandom random) {
        RequestHead head = request.head();
        Sender client = request.sender();
        byte[] b = head.bytes();
        if (switches) {
            to.name(FieldBlock.METHOD).value("CONNECT");
            to.name(":protocol").value(head.upgrade());
        } else {
            method(to, head);
        }
        String authority = request.authority();
        to.name(FieldBlock.AUTHORITY);
        if (authority == null) {
            to.value(b, head.authorityStart(), head.authorityEnd());
        } else {
            to.value(authority);
        }
        if (!head.isConnect()) {
            to.known(FieldBlock.HTTP);
            path(to, request);
        }
        boolean outside = !client.outside().isEmpty();
        fields(
                to,
                head,
                request.changes(),
                HeadWriter.alsoTravels(head, client),
                outside ? client : null,
                switches ? KEY : "");
        if (!switches && !head.isChunked() && head.contentLength() >= 0) {
            to.name(FieldBlock.CONTENT_LENGTH).value(head.contentLength());
        }
        String te = head.header("te");
        if (te != null && te.toLowerCase(Locale.ROOT).contains("trailers")) {
            // The only one that HTTP/2 has; servers of gRPC insist on it.
            to.name("te").value("trailers");
        }
        if (outside) {
            to.name("x-forwarded-for").value(ForwardingFields.forwardedFor(head, client));
            to.name("x-envoy-external-address").value(ForwardingFields.caller(head, client));
        }
        if (outside || (client.edge() && head.find(FieldName.X_FORWARDED_PROTO) < 0)) {
            to.name("x-forwarded-proto").value(ForwardingFields.protocol(head, client));
        }
        if (client.edge() && head.find(FieldName.X_REQUEST_ID) < 0) {
            ByteSink id = new ByteSink().putUuid(random.nextLong(), random.nextLong());
            to.name("x-request-id").value(id.array(), 0, id.length());
        }
        return to;
    }

    private static void method(FieldBlock to, RequestHead head) {
        switch (head.method()) {
            case "GET" -> to.known(FieldBlock.GET);
            case "POST" -> to.known(FieldBlock.POST);
            default -> to.name(FieldBlock.METHOD).value(head.bytes(), head.methodStart(), head.methodEnd());
        }
    }

    private static void path(FieldBlock to, ForwardedRequest request) {
        RequestHead head = request.head();
        String path = request.path();
        if (path != null) {
            to.name(FieldBlock.PATH).value(path + head.text(head.pathEnd(), head.targetEnd()));
        } else if (head.pathStart() < head.pathEnd()) {
            to.name(FieldBlock.PATH).value(head.bytes(), head.pathStart(), head.targetEnd());
        } else if (head.pathEnd() == head.targetEnd()) {
            to.known(FieldBlock.ROOT);
        } else {
            to.name(FieldBlock.PATH).value("/" + head.text(head.pathEnd(), head.targetEnd()));
        }
    }

    private static void status(FieldBlock to, int code) {
        if (code == 200) {
            to.known(FieldBlock.OK);
        } else {
            to.name(FieldBlock.STATUS).value(code);
        }
    }

    /** A response. */
    public static FieldBlock response(FieldBlock to, ResponseHead head, HeaderProgram changes) {
        boolean switched = head.code() == 101;
        status(to, switched ? 200 : head.code());
        fields(to, head, changes, 0, null, switched ? ACCEPT : "");
        if (head.contentLength() >= 0 && !head.isChunked() && head.code() >= 200 && head.code() != 204) {
            to.name(FieldBlock.CONTENT_LENGTH).value(head.contentLength());
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
    public static FieldBlock local(FieldBlock to, int code, int length, String location, HeaderProgram changes) {
        status(to, code);
        if (!location.isEmpty() && !changes.drops("location")) {
            to.name(FieldBlock.LOCATION).value(location);
        }
        if (length > 0 && !changes.adds("content-type")) {
            to.name(FieldBlock.CONTENT_TYPE).value("text/plain");
        }
        if (code != 204 && code != 304) {
            to.name(FieldBlock.CONTENT_LENGTH).value(length);
        }
        return with(to, changes);
    }

    /**
     * What the proxy answers to a call of gRPC, a whole answer in one block.
     *
     * @param status the call's
     * @param text the body that another request would get
     */
    public static FieldBlock grpc(FieldBlock to, int status, byte[] text, HeaderProgram changes) {
        status(to, 200);
        to.name(FieldBlock.CONTENT_TYPE).value("application/grpc");
        to.name("grpc-status").value(status);
        if (text.length > 0) {
            to.name("grpc-message").value(GrpcStatus.message(text));
        }
        return with(to, changes);
    }

    /** Adds what a route adds. */
    private static FieldBlock with(FieldBlock to, HeaderProgram changes) {
        for (HeaderMutation.Field field : changes.added()) {
            to.name(field.name().toLowerCase(Locale.ROOT)).value(field.value());
        }
        return to;
    }

    /**
     * Trailers.
     *
     * @param lines fields, each with its line end
     */
    public static FieldBlock trailers(FieldBlock to, byte[] lines) {
        for (String line : new String(lines, StandardCharsets.ISO_8859_1).split("\r\n")) {
            int colon = line.indexOf(':');
            if (colon > 0) {
                to.name(line.substring(0, colon).toLowerCase(Locale.ROOT))
                        .value(line.substring(colon + 1).strip());
            }
        }
        return to;
    }

    private static void fields(
            FieldBlock to,
            MessageHead head,
            HeaderProgram changes,
            int also,
            @Nullable Sender outside,
            String without) {
        byte[] b = head.bytes();
        boolean changed = !changes.isEmpty();
        for (int i = 0; i < head.fieldCount(); i++) {
            if (!HeadWriter.travels(head, i, also)
                    || head.nameOf(i) == FieldName.UPGRADE
                    || HeadWriter.isDropped(head, i, outside)
                    || (!without.isEmpty() && head.isNamed(i, without))
                    || (changed && changes.drops(head, i))) {
                continue;
            }
            to.name(b, head.nameStart(i), head.nameEnd(i), head.nameOf(i))
                    .value(b, head.valueStart(i), head.valueEnd(i));
        }
        with(to, changes);
    }
}
