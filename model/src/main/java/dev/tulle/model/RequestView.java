package dev.tulle.model;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What routing may ask about a request: a view, so that the proxy can answer from the bytes it received and an
 * explanation from what a person typed. Used on one thread at a time.
 */
public interface RequestView {
    /** The method, as sent. */
    String method();

    /** The path without the query, as sent; begins with a slash (or is {@code *}). */
    String path();

    /** The query without its question mark; empty when there is none. */
    String query();

    /** The host and, where sent, port; as sent. */
    String authority();

    /** The scheme; plain HTTP unless said otherwise. */
    default String scheme() {
        return "http";
    }

    /**
     * A header field's value; several fields of one name are joined by commas.
     *
     * @param name in lower case
     * @return null when the request has no such field
     */
    default @Nullable String header(String name) {
        List<String> lines = headers(name);
        return lines.isEmpty() ? null : String.join(",", lines);
    }

    /**
     * The value of each field line of that name, in order; empty when there is none.
     *
     * @param name in lower case
     */
    List<String> headers(String name);
}
