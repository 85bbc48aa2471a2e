package dev.tulle.config;

import dev.tulle.common.VisibleText;

/**
 * Something wrong in a manifest, told so that a person can go to the place and mend it.
 *
 * @param severity whether the resource is refused
 * @param file the file, or where else the text came from; empty when unknown
 * @param line counted from 1; 0 when the problem has no place in the text
 * @param column counted from 1; 0 when the problem has no place in the text
 * @param resource kind, namespace and name, for example {@code VirtualService default/reviews}; empty when unknown
 * @param field the path of the field, for example {@code spec.http[0].route[1].weight}; empty for the whole document
 * @param value the offending value, shortened; empty when there is none
 * @param expected what would have been right; empty when the message says all
 * @param message what is wrong, one sentence without a full stop
 * @param code what kind of warning it is ({@link Warning}), for example {@code TUL0101}; empty for others
 */
public record Problem(
        Severity severity,
        String file,
        int line,
        int column,
        String resource,
        String field,
        String value,
        String expected,
        String message,
        String code) {
    /** One without a code. */
    public Problem(
            Severity severity,
            String file,
            int line,
            int column,
            String resource,
            String field,
            String value,
            String expected,
            String message) {
        this(severity, file, line, column, resource, field, value, expected, message, "");
    }

    /** The same as a warning of a kind. */
    Problem as(Warning warning) {
        return new Problem(severity, file, line, column, resource, field, value, expected, message, warning.code());
    }

    /** How bad a problem is. */
    public enum Severity {
        /** The resource is refused; its last good version, if any, stays in force. */
        ERROR,
        /** The resource is in force, but probably not as meant. */
        WARNING
    }

    /** The longest value that is repeated in a problem, in characters; the rest is cut off. */
    static final int MAX_VALUE = 120;

    /** How PEM begins in base64, as Secrets hold it. */
    private static final String ENCODED_PEM = "LS0tLS1CRUdJTi";

    public Problem {
        file = line(file);
        resource = line(resource);
        field = line(field);
        value = shown(value);
        expected = line(expected);
        message = line(message);
    }

    /** Whoever applies the wrong file must not find its key in a log: that of a short one is whole in what is shown. */
    private static String shown(String value) {
        if (value.contains("PRIVATE KEY")) {
            return "a private key";
        }
        return value.contains(ENCODED_PEM) ? "PEM in base64" : VisibleText.line(value, MAX_VALUE);
    }

    /** True when the resource is refused. */
    public boolean isError() {
        return severity == Severity.ERROR;
    }

    /** One line for people: {@code file:line:column: error: resource: field: message; found 'x', expected y}. */
    @Override
    public String toString() {
        StringBuilder out = new StringBuilder();
        if (!file.isEmpty()) {
            out.append(file);
            if (line > 0) {
                out.append(':').append(line).append(':').append(column);
            }
            out.append(": ");
        }
        out.append(isError() ? "error" : "warning")
                .append(code.isEmpty() ? "" : " " + code)
                .append(": ");
        if (!resource.isEmpty()) {
            out.append(resource).append(": ");
        }
        if (!field.isEmpty()) {
            out.append(field).append(": ");
        }
        out.append(message);
        if (!value.isEmpty()) {
            out.append("; found '").append(value).append('\'');
        }
        if (!expected.isEmpty()) {
            out.append(value.isEmpty() ? "; expected " : ", expected ").append(expected);
        }
        return out.toString();
    }

    /** Any part may repeat what the manifest says, also a message of the YAML library. */
    private static String line(String text) {
        return VisibleText.line(text, text.length());
    }
}
