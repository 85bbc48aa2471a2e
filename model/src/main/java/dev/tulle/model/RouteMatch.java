package dev.tulle.model;

import java.util.List;
import java.util.Optional;

/**
 * The conditions of a route; all must hold.
 *
 * @param path condition on the path without the query
 * @param ignorePathCase compares the path without regard to case, unless by an expression, which says that itself
 * @param method condition on the method
 * @param headers conditions on header fields (and {@code :authority}, {@code :scheme})
 * @param queryParams conditions on query parameters
 */
public record RouteMatch(
        PathMatch path,
        boolean ignorePathCase,
        Optional<StringMatch> method,
        List<Named> headers,
        List<Named> queryParams) {
    /** Matches every request. */
    public static final RouteMatch ANY =
            new RouteMatch(new PathMatch.Prefix("/"), false, Optional.empty(), List.of(), List.of());

    public RouteMatch {
        headers = List.copyOf(headers);
        queryParams = List.copyOf(queryParams);
    }

    /**
     * A condition on a header field or query parameter.
     *
     * @param name lower case for header fields
     * @param inverted true when the condition must not hold; an absent field satisfies it, unless an empty value would not
     */
    public record Named(String name, StringMatch match, boolean inverted) {}

    /** A condition on the path without the query. */
    public sealed interface PathMatch {
        /** The whole path. */
        record Exact(String path) implements PathMatch {}

        /** The path begins with these characters (Istio's {@code uri.prefix}). */
        record Prefix(String prefix) implements PathMatch {}

        /** The path begins with these whole segments (Gateway API's {@code PathPrefix}); no trailing slash. */
        record SegmentPrefix(String prefix) implements PathMatch {}

        /** RE2, the whole path. */
        record Regex(String pattern) implements PathMatch {}
    }
}
