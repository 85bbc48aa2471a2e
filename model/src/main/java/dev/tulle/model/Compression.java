package dev.tulle.model;

import dev.tulle.common.Reason;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Bodies of answers are compressed for clients that take that.
 *
 * @param codings what is offered; of those that a client likes alike the first
 * @param types the types of content, in lower case and without parameters, that are worth it
 * @param minimum bytes of a body that are; one whose length is not known is
 */
public record Compression(List<Coding> codings, List<String> types, int minimum) implements RouteFilter {
    /** All that are known, those that cost the least for what they save first. */
    public static final List<Coding> CODINGS = List.of(Coding.ZSTD, Coding.BROTLI, Coding.GZIP);

    /** What is text, or as good as that. */
    public static final List<String> TYPES = List.of(
            "application/javascript",
            "application/json",
            "application/ld+json",
            "application/manifest+json",
            "application/problem+json",
            "application/wasm",
            "application/xhtml+xml",
            "application/xml",
            "image/svg+xml",
            "text/css",
            "text/csv",
            "text/event-stream",
            "text/html",
            "text/javascript",
            "text/markdown",
            "text/plain",
            "text/xml");

    /** A head is that long: less is not worth the work at both ends. */
    public static final int MINIMUM = 256;

    public Compression {
        codings = List.copyOf(codings);
        types = List.copyOf(types);
        if (codings.isEmpty() || types.isEmpty() || minimum < 0) {
            throw new IllegalArgumentException("compression without codings or types, or of less than nothing");
        }
    }

    @Override
    public Optional<ProxyWork> needsProxy() {
        return Optional.of(new ProxyWork(Reason.NEEDS_REWRITE, "compresses answers"));
    }

    @Override
    public String text() {
        return "compress answers (" + codings.stream().map(Coding::token).collect(Collectors.joining(", ")) + ")";
    }
}
