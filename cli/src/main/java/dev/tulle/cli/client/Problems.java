package dev.tulle.cli.client;

import com.google.gson.JsonObject;

/** How a configuration problem is written on one line, the same from {@code validate}, {@code apply} and {@code status}. */
public final class Problems {
    private Problems() {}

    /** One problem as the control plane reports it: {@code file:line:column: error: object: field: message}. */
    public static String line(JsonObject problem) {
        return line(
                (Json.text(problem, "severity").toLowerCase(java.util.Locale.ROOT) + " " + Json.text(problem, "code"))
                        .strip(),
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
    private static String line(
            String severity,
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
        if (!text.isEmpty()) {
            text.append(": ");
        }
        text.append(severity.isEmpty() ? "error" : severity).append(": ");
        if (!resource.isEmpty()) {
            text.append(resource).append(": ");
        }
        if (!field.isEmpty()) {
            text.append(field).append(": ");
        }
        text.append(message.isEmpty() ? "invalid" : message);
        if (!value.isEmpty()) {
            text.append("; found '").append(value).append('\'');
        }
        if (!expected.isEmpty()) {
            text.append(value.isEmpty() ? "; expected " : ", expected ").append(expected);
        }
        return text.toString();
    }
}
