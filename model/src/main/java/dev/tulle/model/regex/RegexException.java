package dev.tulle.model.regex;

/** A regular expression is not taken; the message says why, {@link #expected} what would be. Carries no stack trace. */
public final class RegexException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    private final String expected;

    RegexException(String message, String expected) {
        super(message);
        this.expected = expected;
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
