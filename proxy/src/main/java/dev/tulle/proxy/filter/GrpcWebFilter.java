package dev.tulle.proxy.filter;

import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import dev.tulle.model.RequestView;
import dev.tulle.proxy.body.Base64Reader;
import dev.tulle.proxy.body.Base64Writer;
import dev.tulle.proxy.body.BodyChange;
import dev.tulle.proxy.body.TrailersFrame;
import dev.tulle.proxy.http1.ChangedHeads;
import dev.tulle.proxy.http1.FieldName;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http2.GrpcStatus;
import io.netty.buffer.ByteBufAllocator;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Makes a call of gRPC of one of gRPC-Web, which browsers can make, and answers it as such: the type of the content is
 * another one, trailers stand in the body, and all of it may be written in Base64.
 */
final class GrpcWebFilter implements HttpFilter {
    private static final String GRPC = "application/grpc";
    private static final String BINARY = "application/grpc-web";
    private static final String TEXT = "application/grpc-web-text";

    private String format = "";
    private boolean textIn;
    private boolean textOut;
    private HeaderProgram changes = HeaderProgram.NONE;

    /** True for a call of gRPC-Web, by the type of its content. */
    static boolean isCall(RequestHead head) {
        return head.find(FieldName.CONTENT_TYPE) >= 0
                && !kindOf(head.value(FieldName.CONTENT_TYPE)).isEmpty();
    }

    /** {@link #TEXT}, {@link #BINARY}, or empty for another type. */
    private static String kindOf(String type) {
        String name = bare(type);
        int plus = name.indexOf('+');
        String kind = plus < 0 ? name : name.substring(0, plus);
        return kind.equals(TEXT) || kind.equals(BINARY) ? kind : "";
    }

    private static String bare(String type) {
        int semicolon = type.indexOf(';');
        return (semicolon < 0 ? type : type.substring(0, semicolon)).strip().toLowerCase(Locale.ROOT);
    }

    @Override
    public Step request(RequestView head, FilterStream stream) {
        String type = String.join(",", head.headers("content-type"));
        int plus = bare(type).indexOf('+');
        format = plus < 0 ? "" : bare(type).substring(plus);
        textIn = kindOf(type).equals(TEXT);
        String accept = String.join(",", head.headers("accept"));
        textOut = (accept.isEmpty() || bare(accept).equals("*/*"))
                ? textIn
                : kindOf(accept).equals(TEXT);
        return Step.CONTINUE;
    }

    @Override
    public @Nullable RequestHead sent(RequestHead head) {
        String type = format.isEmpty() || format.equals("+proto") ? GRPC : GRPC + format;
        return ChangedHeads.request(
                head,
                List.of("content-type", "te", "grpc-accept-encoding"),
                "content-type: " + type + "\r\nte: trailers\r\ngrpc-accept-encoding: identity\r\n");
    }

    @Override
    public List<BodyChange> requestBody(ByteBufAllocator allocator) {
        return textIn ? List.of(new Base64Reader(allocator)) : List.of();
    }

    @Override
    public List<BodyChange> responseBody(ResponseHead head, boolean hasBody, ByteBufAllocator allocator) {
        String type = bare(head.value(FieldName.CONTENT_TYPE));
        if (!type.equals(GRPC) && !type.startsWith(GRPC + "+")) {
            // No answer to a call: its client makes a status of that of HTTP.
            return List.of();
        }
        changes = typed(List.of());
        if (!hasBody) {
            // Also where trailers alone came, as the head: they stay there.
            return List.of();
        }
        BodyChange framed = new TrailersFrame(allocator);
        return textOut ? List.of(framed, new Base64Writer(allocator)) : List.of(framed);
    }

    /** What is answered in: the format of the call, which is that of protobuf without a word. */
    private HeaderProgram typed(List<Field> others) {
        List<Field> set = new ArrayList<>(others);
        set.add(new Field("content-type", (textOut ? TEXT : BINARY) + (format.isEmpty() ? "+proto" : format)));
        return HeaderProgram.of(new Changes(set, List.of(), List.of()), Changes.NONE);
    }

    @Override
    public HeaderProgram responseChanges() {
        return changes;
    }

    /** A status of gRPC in the head, without a body. */
    @Override
    public LocalAnswer own(LocalAnswer answer, int grpc) {
        List<Field> fields = new ArrayList<>();
        fields.add(new Field("grpc-status", Integer.toString(grpc)));
        if (!answer.body().isEmpty()) {
            fields.add(
                    new Field("grpc-message", GrpcStatus.message(answer.body().getBytes(StandardCharsets.UTF_8))));
        }
        return new LocalAnswer(200, "", answer.changes().then(typed(fields)));
    }
}
