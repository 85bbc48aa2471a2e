package dev.tulle.model;

/**
 * A condition on one string as {@link AuthorizationPolicy} writes it: literal text with at most one star, at its
 * beginning or end. Never a regular expression, whatever the text holds.
 */
public sealed interface TextPattern {
    /** Equal. */
    record Exact(String text) implements TextPattern {}

    /** {@code text*}: begins with. */
    record Prefix(String text) implements TextPattern {}

    /** {@code *text}: ends with. */
    record Suffix(String text) implements TextPattern {}

    /** {@code *}: there and not empty; for a header field, there. */
    record Present() implements TextPattern {}

    /** Reads a pattern; a star anywhere but at one end is literal. */
    static TextPattern parse(String written) {
        if (written.equals("*")) {
            return new Present();
        }
        if (written.startsWith("*")) {
            return new Suffix(written.substring(1));
        }
        return written.endsWith("*") ? new Prefix(written.substring(0, written.length() - 1)) : new Exact(written);
    }

    /** True when the string satisfies the condition. */
    default boolean matches(String value) {
        return switch (this) {
            case Exact(String text) -> value.equals(text);
            case Prefix(String text) -> value.startsWith(text);
            case Suffix(String text) -> value.endsWith(text);
            case Present() -> !value.isEmpty();
        };
    }

    /** The pattern as it is written in a policy. */
    default String written() {
        return switch (this) {
            case Exact(String text) -> text;
            case Prefix(String text) -> text + "*";
            case Suffix(String text) -> "*" + text;
            case Present() -> "*";
        };
    }
}
