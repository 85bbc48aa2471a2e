package dev.tulle.cli.client;

import com.google.gson.JsonObject;

/** How a configuration problem is written on one line, the same from {@code validate}, {@code apply} and {@code status}. */
public final class Problems {
    private Problems() {}

    /** One problem as the control plane reports it: file:line:column: object: field: message. */
    public static String line(JsonObject problem) {
        return line(
                Json.text(problem, "file"),
                (int) Json.number(problem, "line"),
                (int) Json.number(problem, "column"),
                Json.text(problem, "resource"),
                Json.text(problem, "field"),
                Json.text(problem, "value"),
                Json.text(problem, "expected"),
                Json.text(problem, "message"));
    }

    /** Joins the parts that are there; 0 for a line or column means unknown. */
    public static String line(
            String file,
            int line,
            int column,
            String resource,
            String field,
            String value,
            String expected,
            String message) {
        StringBuilder text = new StringBuilder(file);
        if (line > 0) {
            text.append(':').append(line);
            if (column > 0) {
                text.append(':').append(column);
            }
        }
        append(text, resource);
        append(text, field);
        append(text, message.isEmpty() ? "invalid" : message);
        if (!value.isEmpty()) {
            text.append("; found ").append(value);
        }
        if (!expected.isEmpty()) {
            text.append("; expected ").append(expected);
        }
        return text.toString();
    }

    private static void append(StringBuilder text, String part) {
        if (!part.isEmpty()) {
            text.append(text.isEmpty() ? "" : ": ").append(part);
        }
    }
}
