package dev.tulle.model;

/** A condition on one string, as Istio and Envoy define it. Regular expressions are RE2 and match the whole string. */
public sealed interface StringMatch {
    /** Equal. */
    record Exact(String value) implements StringMatch {}

    /** Starts with. */
    record Prefix(String value) implements StringMatch {}

    /** RE2, the whole string. */
    record Regex(String pattern) implements StringMatch {}

    /** Present with any value. */
    record Present() implements StringMatch {}
}
