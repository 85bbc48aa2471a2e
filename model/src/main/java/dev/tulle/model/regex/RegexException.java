package dev.tulle.model.regex;

/** A regular expression is not taken; the message says why, {@link #expected} what would be. Carries no stack trace. */
public final class RegexException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    private final String expected;
    private final boolean syntax;

    RegexException(String message, String expected) {
        this(message, expected, false);
    }

    private RegexException(String message, String expected, boolean syntax) {
        super(message);
        this.expected = expected;
        this.syntax = syntax;
    }

    /** For a text that is no regular expression at all. */
    static RegexException notRe2(String detail) {
        String more = detail.isEmpty() ? "" : ": " + detail;
        return new RegexException("not a regular expression" + more, "a regular expression in RE2 syntax", true);
    }

    /** True when the text is no regular expression at all; false when it is one that is too dear. */
    public boolean isSyntax() {
        return syntax;
    }

    /** What would have been taken. */
    public String expected() {
        return expected;
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
        return this;
    }
}
