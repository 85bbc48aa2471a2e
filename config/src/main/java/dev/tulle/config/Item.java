package dev.tulle.config;

/**
 * One text of a list, with its place.
 *
 * @param findings where its problems go
 */
record Item(Findings findings, Position at, String text) {
    /** Refuses it as the author's mistake. */
    void error(String expected, String message) {
        findings.error(at.line(), at.column(), at.field(), text, expected, message);
    }

    /** Refuses it although it is right, because this version cannot honour it. */
    void unsupported(String what, String expected) {
        error(expected, what + FieldReader.NOT_SUPPORTED);
    }

    /** Refuses its form although it is valid, because this version cannot honour it. */
    void unsupportedForm(String expected, String message) {
        error(expected, message + FieldReader.VALID_ALL_THE_SAME);
    }
}
