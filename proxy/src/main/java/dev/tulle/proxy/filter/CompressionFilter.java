package dev.tulle.proxy.filter;

import dev.tulle.model.AcceptEncoding;
import dev.tulle.model.Coding;
import dev.tulle.model.Compression;
import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import dev.tulle.model.RequestView;
import dev.tulle.proxy.body.BodyChange;
import dev.tulle.proxy.body.Compressors;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.ResponseHead;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Compresses answers, as Envoy's filter of that name decides it, and never what somebody has asked to be left as it is. */
final class CompressionFilter implements HttpFilter {
    /** Fields that vouch for the bytes of the body, which would be others. */
    private static final List<String> VOUCHERS = List.of("content-digest", "repr-digest", "digest", "content-md5");

    private final Compression compression;
    private final List<Coding> codings;
    private Optional<Coding> wanted = Optional.empty();
    private boolean untouched;
    private HeaderProgram changes = HeaderProgram.NONE;

    private CompressionFilter(Compression compression, List<Coding> codings) {
        this.compression = compression;
        this.codings = codings;
    }

    static FilterFactory factory(Compression compression) {
        List<Coding> codings = Compressors.available(compression.codings());
        return () -> new CompressionFilter(compression, codings);
    }

    @Override
    public Step request(RequestView head, FilterStream stream) {
        wanted = AcceptEncoding.choose(head.headers("accept-encoding"), codings);
        untouched = lists(String.join(",", head.headers("cache-control")), "no-transform");
        return Step.CONTINUE;
    }

    @Override
    public List<BodyChange> responseBody(ResponseHead head, boolean hasBody, ByteBufAllocator allocator) {
        if (!mayBeCompressed(head)) {
            return List.of();
        }
        List<Field> set = new ArrayList<>();
        String vary = text(head, "vary");
        if (!lists(vary, "accept-encoding") && !lists(vary, "*")) {
            // Also where it is not compressed: a cache must not give this one to who would have got another.
            set.add(new Field("vary", vary.isEmpty() ? "Accept-Encoding" : vary + ", Accept-Encoding"));
        }
        boolean compresses = hasBody && wanted.isPresent() && !untouched;
        if (compresses) {
            set.add(new Field("content-encoding", wanted.get().token()));
            String tag = text(head, "etag");
            if (!tag.isEmpty() && !tag.regionMatches(true, 0, "W/", 0, 2)) {
                // The bytes are others, the meaning is the same (RFC 9110 section 8.8.1).
                set.add(new Field("etag", "W/" + tag));
            }
        }
        changes = set.isEmpty()
                ? HeaderProgram.NONE
                : HeaderProgram.of(new Changes(set, List.of(), List.of()), Changes.NONE);
        return compresses ? List.of(Compressors.of(wanted.get(), allocator)) : List.of();
    }

    private boolean mayBeCompressed(ResponseHead head) {
        long length = head.isChunked() ? -1 : head.contentLength();
        return head.code() != 206
                && (length < 0 || length >= compression.minimum())
                && isWorthIt(type(head))
                && head.header("content-encoding") == null
                && head.header("content-range") == null
                && !lists(text(head, "cache-control"), "no-transform")
                && VOUCHERS.stream().noneMatch(name -> head.header(name) != null);
    }

    /** One that does not say what it is may be; of an answer without a body (304) nobody says. */
    private boolean isWorthIt(String type) {
        return type.isEmpty() || compression.types().contains(type);
    }

    private static String type(ResponseHead head) {
        String type = text(head, "content-type");
        int semicolon = type.indexOf(';');
        return (semicolon < 0 ? type : type.substring(0, semicolon)).strip().toLowerCase(Locale.ROOT);
    }

    private static String text(ResponseHead head, String name) {
        String value = head.header(name);
        return value == null ? "" : value;
    }

    /** True when a list of words has one, in lower case. */
    private static boolean lists(String list, String word) {
        return Arrays.stream(list.split(",", -1)).anyMatch(item -> item.strip().equalsIgnoreCase(word));
    }

    @Override
    public HeaderProgram responseChanges() {
        return changes;
    }
}
