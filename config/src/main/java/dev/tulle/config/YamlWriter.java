package dev.tulle.config;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes maps, lists, strings, numbers and booleans as plain block YAML, two spaces a level. Pure. */
public final class YamlWriter {
    private static final int INDENT = 2;

    private YamlWriter() {}

    /** One document, ending with a line end. */
    public static String write(Map<String, ?> document) {
        StringBuilder out = new StringBuilder();
        if (document.isEmpty()) {
            return out.append("{}\n").toString();
        }
        mapping(out, document, 0, false);
        return out.toString();
    }

    /** Several documents with separators between them. */
    public static String writeAll(List<? extends Map<String, ?>> documents) {
        StringBuilder out = new StringBuilder();
        for (Map<String, ?> document : documents) {
            if (!out.isEmpty()) {
                out.append("---\n");
            }
            out.append(write(document));
        }
        return out.toString();
    }

    private static void mapping(StringBuilder out, Map<?, ?> map, int indent, boolean firstOnLine) {
        boolean inLine = firstOnLine;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (!inLine) {
                indent(out, indent);
            }
            inLine = false;
            scalar(out, String.valueOf(entry.getKey()));
            out.append(':');
            value(out, entry.getValue(), indent, false);
        }
    }

    private static void sequence(StringBuilder out, List<?> list, int indent) {
        for (Object item : list) {
            indent(out, indent).append('-');
            value(out, item, indent, true);
        }
    }

    private static void value(StringBuilder out, @Nullable Object value, int indent, boolean inList) {
        switch (value) {
            case Map<?, ?> map
            when !map.isEmpty() -> {
                out.append(inList ? " " : "\n");
                mapping(out, map, indent + INDENT, inList);
            }
            case List<?> list
            when !list.isEmpty() -> {
                out.append('\n');
                sequence(out, list, indent + INDENT);
            }
            case Map<?, ?> _ -> out.append(" {}\n");
            case List<?> _ -> out.append(" []\n");
            case String text -> {
                out.append(' ');
                text(out, text, indent + INDENT);
            }
            case null -> out.append(" null\n");
            default -> out.append(' ').append(value).append('\n');
        }
    }

    private static StringBuilder indent(StringBuilder out, int indent) {
        return out.repeat(' ', indent);
    }

    private static void text(StringBuilder out, String text, int indent) {
        if (isBlock(text)) {
            out.append(text.endsWith("\n") ? "|\n" : "|-\n");
            text.lines().forEach(line -> {
                if (!line.isEmpty()) {
                    indent(out, indent).append(line);
                }
                out.append('\n');
            });
            return;
        }
        scalar(out, text);
        out.append('\n');
    }

    /** Several lines of ordinary text are easier to read as a block. */
    private static boolean isBlock(String text) {
        int end = text.indexOf('\n');
        return end > 0
                && text.charAt(0) != ' '
                && !text.endsWith("\n\n")
                && text.chars().allMatch(c -> c == '\n' || (c >= ' ' && c < 0x7f))
                && text.lines().noneMatch(line -> line.isBlank() && !line.isEmpty());
    }

    private static void scalar(StringBuilder out, String text) {
        if (isPlain(text)) {
            out.append(text);
            return;
        }
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff) {
                        out.append(String.format("\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }

    /** True when the text without quotes is read back as the same string, by YAML 1.1 readers too. */
    private static boolean isPlain(String text) {
        if (text.isEmpty() || new Tree.Scalar(text, false, 1, 1).type() != Tree.ScalarType.STRING) {
            return false;
        }
        char first = text.charAt(0);
        if (!isLetter(first) && first != '/') {
            return Character.isDigit(first) && text.chars().allMatch(YamlWriter::isWordPart) && isDigitsSafe(text);
        }
        return switch (text.toLowerCase(java.util.Locale.ROOT)) {
            case "y", "n", "yes", "no", "on", "off", "true", "false", "null" -> false;
            default -> text.chars().allMatch(YamlWriter::isWordPart);
        };
    }

    /** Other readers take digits with colons, underscores or an exponent for numbers and times. */
    private static boolean isDigitsSafe(String text) {
        return text.chars()
                        .anyMatch(c -> isLetter((char) c) && c != 'e' && c != 'E' && c != 'x' && c != 'o' && c != '_')
                && !text.startsWith("0x")
                && !text.startsWith("0o");
    }

    private static boolean isLetter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    private static boolean isWordPart(int c) {
        return isLetter((char) c) || (c >= '0' && c <= '9') || "-_./".indexOf(c) >= 0;
    }
}
