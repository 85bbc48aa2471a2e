package dev.tulle.model;

import dev.tulle.model.regex.Regex;
import org.jspecify.annotations.Nullable;

/** A compiled {@link StringMatch}. Immutable, any thread. */
final class StringCondition {
    private enum Kind {
        EXACT,
        PREFIX,
        REGEX,
        PRESENT
    }

    private final Kind kind;
    private final String text;
    private final @Nullable Regex pattern;

    private StringCondition(Kind kind, String text, @Nullable Regex pattern) {
        this.kind = kind;
        this.text = text;
        this.pattern = pattern;
    }

    /**
     * Compiles a condition.
     *
     * @throws dev.tulle.model.regex.RegexException when a regular expression is not taken
     */
    static StringCondition compile(StringMatch match) {
        return switch (match) {
            case StringMatch.Exact(String value) -> new StringCondition(Kind.EXACT, value, null);
            case StringMatch.Prefix(String value) -> new StringCondition(Kind.PREFIX, value, null);
            case StringMatch.Regex(String pattern) -> new StringCondition(Kind.REGEX, pattern, Regex.compile(pattern));
            case StringMatch.Present() -> new StringCondition(Kind.PRESENT, "", null);
        };
    }

    /** True when any value will do, but there must be one. */
    boolean asksPresence() {
        return kind == Kind.PRESENT;
    }

    /** True when the value is there and satisfies the condition. */
    boolean holds(@Nullable String value) {
        if (value == null) {
            return false;
        }
        return switch (kind) {
            case EXACT -> value.equals(text);
            case PREFIX -> value.startsWith(text);
            case REGEX -> pattern != null && pattern.matches(value);
            case PRESENT -> true;
        };
    }
}
