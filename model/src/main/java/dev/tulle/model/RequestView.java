package dev.tulle.model;

import java.util.List;

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

    /** The scheme that the client asked with: plain HTTP unless a program before us that may say so says otherwise. */
    default String scheme() {
        return "http";
    }

    /**
     * The value of each field line of that name, in order; empty when there is none.
     *
     * @param name in lower case
     */
    List<String> headers(String name);
}
