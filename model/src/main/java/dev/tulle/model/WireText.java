package dev.tulle.model;

import java.util.Optional;

/**
 * Texts that configuration puts into the head of a message. None of them may hold a line end, whose halves would make one
 * message two, nor a character whose low byte is one: bytes are what is written. Pure.
 */
public enum WireText {
    /** A path of a request line or a location: visible ASCII. */
    TARGET("visible ASCII characters, others percent-encoded"),
    /** A host with or without port. */
    AUTHORITY("a host name or address, with or without :port"),
    /** The scheme of a location. */
    SCHEME("a scheme such as https"),
    /** The name of a header field. */
    HEADER_NAME("a header field's name: letters, digits and !#$%&'*+-.^_`|~"),
    /** The value of a header field: a byte per character. */
    HEADER_VALUE("one line of characters below U+0100, without control characters");

    private static final String MARKS = "!#$%&'*+-.^_`|~";
    private static final String HOST_MARKS = "-._~!$&'()*+,;=:[]%";

    private final String expected;

    WireText(String expected) {
        this.expected = expected;
    }

    /** What would be right, for people. */
    public String expected() {
        return expected;
    }

    /** What is wrong with a text; empty when nothing is. */
    public Optional<String> fault(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!allows(c)) {
                return Optional.of(String.format("character U+%04X cannot be sent there", (int) c));
            }
        }
        boolean nothing = text.isEmpty() && this != HEADER_VALUE && this != TARGET;
        return nothing ? Optional.of("an empty text cannot be sent there") : Optional.empty();
    }

    private boolean allows(char c) {
        return switch (this) {
            case TARGET -> c > ' ' && c < 0x7f;
            case AUTHORITY -> isAlphanumeric(c) || HOST_MARKS.indexOf(c) >= 0;
            case SCHEME -> isAlphanumeric(c) || c == '+' || c == '-' || c == '.';
            case HEADER_NAME -> isAlphanumeric(c) || MARKS.indexOf(c) >= 0;
            case HEADER_VALUE -> c == '\t' || (c >= ' ' && c != 0x7f && c <= 0xff);
        };
    }

    private static boolean isAlphanumeric(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    /**
     * The text, which must be right.
     *
     * @throws IllegalArgumentException naming the field, when it is not
     */
    public String require(String field, String text) {
        fault(text).ifPresent(fault -> {
            throw new IllegalArgumentException(field + ": " + fault + "; expected " + expected);
        });
        return text;
    }
}
