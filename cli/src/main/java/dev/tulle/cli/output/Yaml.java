package dev.tulle.cli.output;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.Map;
import java.util.Set;

/** Writes JSON values as block-style YAML. Texts that YAML could read as something else are quoted. */
final class Yaml {
    private static final Set<String> NOT_TEXT =
            Set.of("", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "~", ".nan", ".inf", "-.inf");

    private Yaml() {}

    static String write(JsonElement value) {
        StringBuilder out = new StringBuilder();
        if (isBlock(value)) {
            block(out, value, 0);
        } else {
            out.append(scalar(value)).append('\n');
        }
        return out.toString();
    }

    private static void block(StringBuilder out, JsonElement value, int indent) {
        if (value instanceof JsonObject object) {
            for (Map.Entry<String, JsonElement> entry : object.entrySet()) {
                out.repeat(' ', indent);
                member(out, entry, indent);
            }
        } else {
            for (JsonElement element : value.getAsJsonArray()) {
                out.repeat(' ', indent).append("- ");
                item(out, element, indent + 2);
            }
        }
    }

    /** After "- ": an object's first member stands on the same line. */
    private static void item(StringBuilder out, JsonElement element, int indent) {
        if (element instanceof JsonObject object && !object.isEmpty()) {
            boolean first = true;
            for (Map.Entry<String, JsonElement> entry : object.entrySet()) {
                out.repeat(' ', first ? 0 : indent);
                member(out, entry, indent);
                first = false;
            }
        } else if (isBlock(element)) {
            out.append('\n');
            block(out, element, indent);
        } else {
            out.append(scalar(element)).append('\n');
        }
    }

    private static void member(StringBuilder out, Map.Entry<String, JsonElement> entry, int indent) {
        out.append(quoteIfNeeded(entry.getKey())).append(':');
        if (isBlock(entry.getValue())) {
            out.append('\n');
            block(out, entry.getValue(), indent + 2);
        } else {
            out.append(' ').append(scalar(entry.getValue())).append('\n');
        }
    }

    private static boolean isBlock(JsonElement value) {
        return (value instanceof JsonObject object && !object.isEmpty())
                || (value instanceof JsonArray array && !array.isEmpty());
    }

    private static String scalar(JsonElement value) {
        return switch (value) {
            case JsonObject _ -> "{}";
            case JsonArray _ -> "[]";
            case JsonPrimitive primitive when primitive.isString() -> quoteIfNeeded(primitive.getAsString());
            default -> value.toString();
        };
    }

    private static String quoteIfNeeded(String text) {
        if (NOT_TEXT.contains(text.toLowerCase(java.util.Locale.ROOT)) || !isPlain(text)) {
            // A JSON string is a valid double-quoted YAML scalar.
            return new JsonPrimitive(text).toString();
        }
        return text;
    }

    private static boolean isPlain(String text) {
        char first = text.charAt(0);
        if (!Character.isLetter(first) && first != '/' && first != '_') {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean last = i + 1 == text.length();
            boolean safe = c == ' ' ? !last : c > ' ' && c < 127 && "#,[]{}\"'`&*|>%@!".indexOf(c) < 0;
            if (!safe || (c == ':' && (last || text.charAt(i + 1) == ' '))) {
                return false;
            }
        }
        return true;
    }
}
