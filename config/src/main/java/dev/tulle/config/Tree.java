package dev.tulle.config;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A node of a YAML or JSON document with its place. Aliased nodes are shared, never copied. */
sealed interface Tree {
    /** Counted from 1. */
    int line();

    /** Counted from 1. */
    int column();

    /** What to show of the node in a problem. */
    String shown();

    /** As maps, lists, strings, numbers, booleans and null. */
    @Nullable
    Object plain();

    /** The kinds of scalars of YAML's core schema. */
    enum ScalarType {
        STRING,
        INTEGER,
        FLOAT,
        BOOLEAN,
        NULL
    }

    /** A scalar as written; {@code quoted} (or block) text is a string whatever it looks like. */
    record Scalar(String text, boolean quoted, int line, int column) implements Tree {
        private static final Pattern INTEGER = Pattern.compile("[-+]?[0-9]++|0x[0-9a-fA-F]++|0o[0-7]++");
        private static final Pattern FLOAT =
                Pattern.compile("[-+]?(?:\\.[0-9]++|[0-9]++(?:\\.[0-9]*+)?)(?:[eE][-+]?[0-9]++)?");

        /** Longer digits are not read as exact integers: nothing in any kind is that large. */
        private static final int MAX_DIGITS = 18;

        ScalarType type() {
            if (quoted) {
                return ScalarType.STRING;
            }
            return switch (text) {
                case "", "~", "null", "Null", "NULL" -> ScalarType.NULL;
                case "true", "True", "TRUE", "false", "False", "FALSE" -> ScalarType.BOOLEAN;
                default -> {
                    if (INTEGER.matcher(text).matches()) {
                        yield ScalarType.INTEGER;
                    }
                    yield FLOAT.matcher(text).matches() ? ScalarType.FLOAT : ScalarType.STRING;
                }
            };
        }

        /** The value of an INTEGER; saturates. */
        long integer() {
            if (text.startsWith("0x") || text.startsWith("0o")) {
                String digits = text.substring(2);
                return digits.length() > 12 ? Long.MAX_VALUE : Long.parseLong(digits, text.charAt(1) == 'x' ? 16 : 8);
            }
            if (text.length() > MAX_DIGITS) {
                return text.charAt(0) == '-' ? Long.MIN_VALUE : Long.MAX_VALUE;
            }
            return Long.parseLong(text);
        }

        /** The value of an INTEGER or FLOAT. */
        double number() {
            return type() == ScalarType.INTEGER ? integer() : Double.parseDouble(text);
        }

        @Override
        public String shown() {
            return text;
        }

        @Override
        public @Nullable Object plain() {
            return switch (type()) {
                case STRING -> text;
                case INTEGER -> integer();
                case FLOAT -> number();
                case BOOLEAN -> text.toLowerCase(Locale.ROOT).equals("true");
                case NULL -> null;
            };
        }
    }

    /** A list. */
    record Sequence(List<Tree> items, int line, int column) implements Tree {
        @Override
        public String shown() {
            return "a list";
        }

        @Override
        public Object plain() {
            List<@Nullable Object> out = new ArrayList<>(items.size());
            for (Tree item : items) {
                out.add(item.plain());
            }
            return Collections.unmodifiableList(out);
        }
    }

    /** A mapping from names to nodes, in the order of the document. */
    record Mapping(List<Entry> entries, int line, int column) implements Tree {
        @Nullable
        Tree get(String name) {
            for (Entry entry : entries) {
                if (entry.key.text().equals(name)) {
                    return entry.value;
                }
            }
            return null;
        }

        @Override
        public String shown() {
            return "a mapping";
        }

        @Override
        public Object plain() {
            return object();
        }

        /** The same as {@link #plain()}; an entry without a value is left out. */
        Map<String, Object> object() {
            Map<String, Object> out = new LinkedHashMap<>();
            for (Entry entry : entries) {
                Object value = entry.value.plain();
                if (value != null) {
                    out.put(entry.key.text(), Objects.requireNonNull(value));
                }
            }
            return Collections.unmodifiableMap(out);
        }
    }

    /** One entry of a mapping. */
    record Entry(Scalar key, Tree value) {}
}
