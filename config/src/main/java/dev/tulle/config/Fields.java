package dev.tulle.config;

import dev.tulle.config.Tree.ScalarType;
import dev.tulle.model.WireText;
import dev.tulle.model.regex.Regex;
import dev.tulle.model.regex.RegexException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Reads the fields of one mapping. Whoever decodes asks for each field by name and type; a wrong type or value becomes
 * a problem and the field counts as absent, so that one pass finds everything. {@link #done()} then refuses every field
 * that nobody asked for. Not thread-safe.
 */
final class Fields {
    private static final String UNSUPPORTED = "not supported by this version of Tulle";

    private final Findings findings;
    private final Tree.Mapping node;
    private final String path;
    private final Set<String> known = new TreeSet<>();
    private final Set<String> refused = new TreeSet<>();

    Fields(Findings findings, Tree.Mapping node, String path) {
        this.findings = findings;
        this.node = node;
        this.path = path;
    }

    Findings findings() {
        return findings;
    }

    Tree.Mapping node() {
        return node;
    }

    /** The path of a field of this mapping. */
    String path(String name) {
        if (name.isEmpty()) {
            return path;
        }
        return path.isEmpty() ? name : path + "." + name;
    }

    /** Where this mapping begins. */
    Position position() {
        return new Position(node.line(), node.column(), path);
    }

    /** Where a field's value is written; where the mapping begins when it is absent. */
    Position position(String name) {
        Tree at = node.get(name);
        return at == null
                ? new Position(node.line(), node.column(), path(name))
                : new Position(at.line(), at.column(), path(name));
    }

    /** Names of all fields that are present. */
    List<String> names() {
        return node.entries().stream().map(entry -> entry.key().text()).toList();
    }

    /** True when the field is there and has a value. */
    boolean has(String name) {
        return present(name) != null;
    }

    private @Nullable Tree present(String name) {
        known.add(name);
        Tree value = node.get(name);
        return value instanceof Tree.Scalar scalar && scalar.type() == ScalarType.NULL ? null : value;
    }

    /** Fields that may be there and mean nothing to the mesh. */
    void tolerate(String... names) {
        known.addAll(List.of(names));
    }

    /** Fields that exist but that this version cannot honour: each one present is refused by name. */
    void unsupported(String... names) {
        for (String name : names) {
            known.add(name);
            refused.add(name);
            Tree value = present(name);
            if (value != null) {
                findings.error(value, path(name), "this field to be left out", UNSUPPORTED);
            }
        }
    }

    /** Refuses a field's value that is right in itself but that this version cannot honour. */
    void unsupportedValue(String name, String what, String expected) {
        Tree value = node.get(name);
        findings.error(value == null ? node : value, path(name), expected, what + " is " + UNSUPPORTED);
    }

    /** Refuses every field that was not asked for. */
    void done() {
        for (Tree.Entry entry : node.entries()) {
            String name = entry.key().text();
            if (!known.contains(name)) {
                Set<String> usable = new TreeSet<>(known);
                usable.removeAll(refused);
                String guess = Words.nearest(name, usable)
                        .map(word -> ", did you mean '" + word + "'?")
                        .orElse("");
                findings.error(
                        entry.key().line(),
                        entry.key().column(),
                        path(name),
                        name,
                        usable.isEmpty() ? "no field" : "one of " + String.join(", ", usable),
                        "unknown field" + guess);
            }
        }
    }

    /** Adds a problem at a field's value, or at the mapping when the field is absent. */
    void error(String name, String expected, String message) {
        Tree at = node.get(name);
        if (at == null) {
            findings.error(node.line(), node.column(), path(name), "", expected, message);
        } else {
            findings.error(at, path(name), expected, message);
        }
    }

    void warning(String name, String expected, String message) {
        Tree at = node.get(name);
        findings.warning(at == null ? node : at, path(name), expected, message);
    }

    private void missing(String name, String expected) {
        findings.error(node.line(), node.column(), path(name), "", expected, "this field is required");
    }

    private void wrongType(Tree at, String field, String expected) {
        String type =
                switch (at) {
                    case Tree.Scalar scalar ->
                        switch (scalar.type()) {
                            case STRING -> "a string";
                            case INTEGER, FLOAT -> "a number";
                            case BOOLEAN -> "a boolean";
                            case NULL -> "nothing";
                        };
                    case Tree.Sequence _ -> "a list";
                    case Tree.Mapping _ -> "a mapping";
                };
        String hint = expected.startsWith("a string") && at instanceof Tree.Scalar ? " (put it in quotes)" : "";
        findings.error(at, field, expected + hint, "wrong type: " + type);
    }

    Optional<Fields> object(String name) {
        Tree value = present(name);
        if (value == null) {
            return Optional.empty();
        }
        if (value instanceof Tree.Mapping mapping) {
            return Optional.of(new Fields(findings, mapping, path(name)));
        }
        wrongType(value, path(name), "a mapping");
        return Optional.empty();
    }

    Optional<Fields> requiredObject(String name) {
        if (!has(name)) {
            missing(name, "a mapping");
        }
        return object(name);
    }

    /** The mappings of a list; items of another type are reported and left out. */
    List<Fields> objects(String name) {
        List<Fields> out = new ArrayList<>();
        List<Tree> items = items(name);
        for (int i = 0; i < items.size(); i++) {
            String field = path(name) + "[" + i + "]";
            if (items.get(i) instanceof Tree.Mapping mapping) {
                out.add(new Fields(findings, mapping, field));
            } else {
                wrongType(items.get(i), field, "a mapping");
            }
        }
        return out;
    }

    private List<Tree> items(String name) {
        Tree value = present(name);
        if (value == null) {
            return List.of();
        }
        if (value instanceof Tree.Sequence sequence) {
            return sequence.items();
        }
        wrongType(value, path(name), "a list");
        return List.of();
    }

    Optional<String> string(String name) {
        Tree value = present(name);
        return value == null ? Optional.empty() : string(value, path(name));
    }

    private Optional<String> string(Tree value, String field) {
        if (value instanceof Tree.Scalar scalar && scalar.type() == ScalarType.STRING) {
            return Optional.of(scalar.text());
        }
        wrongType(value, field, "a string");
        return Optional.empty();
    }

    /** The string, which must not be empty; an empty one after a problem was reported. */
    String requiredString(String name) {
        if (node.get(name) instanceof Tree.Scalar scalar
                && scalar.quoted()
                && scalar.text().isEmpty()) {
            known.add(name);
            error(name, "a string that is not empty", "empty");
            return "";
        }
        return presentString(name);
    }

    /** The string, which may be empty; an empty one after a problem was reported. */
    String presentString(String name) {
        if (!has(name)) {
            missing(name, "a string");
            return "";
        }
        return string(name).orElse("");
    }

    List<String> strings(String name) {
        List<String> out = new ArrayList<>();
        List<Tree> items = items(name);
        for (int i = 0; i < items.size(); i++) {
            string(items.get(i), path(name) + "[" + i + "]").ifPresent(out::add);
        }
        return out;
    }

    /** Where each item of a list is written. */
    List<Position> positions(String name) {
        List<Position> out = new ArrayList<>();
        List<Tree> items = items(name);
        for (int i = 0; i < items.size(); i++) {
            out.add(new Position(items.get(i).line(), items.get(i).column(), path(name) + "[" + i + "]"));
        }
        return out;
    }

    Map<String, String> stringMap(String name) {
        Map<String, String> out = new LinkedHashMap<>();
        object(name).ifPresent(map -> map.names().forEach(key -> map.string(key).ifPresent(v -> out.put(key, v))));
        return out;
    }

    Map<String, Integer> portMap(String name) {
        Map<String, Integer> out = new LinkedHashMap<>();
        object(name).ifPresent(map -> map.names().forEach(key -> map.port(key).ifPresent(v -> out.put(key, v))));
        return out;
    }

    OptionalInt integer(String name, int min, int max) {
        Tree value = present(name);
        return value == null ? OptionalInt.empty() : integer(value, path(name), min, max);
    }

    private OptionalInt integer(Tree value, String field, int min, int max) {
        String expected =
                max == Integer.MAX_VALUE ? "an integer, " + min + " or more" : "an integer from " + min + " to " + max;
        if (!(value instanceof Tree.Scalar scalar) || scalar.type() != ScalarType.INTEGER) {
            wrongType(value, field, expected);
            return OptionalInt.empty();
        }
        long number = scalar.integer();
        if (number < min || number > max) {
            findings.error(value, field, expected, number < 0 && min >= 0 ? "negative" : "out of range");
            return OptionalInt.empty();
        }
        return OptionalInt.of((int) number);
    }

    OptionalInt requiredInteger(String name, int min, int max) {
        if (!has(name)) {
            missing(name, "an integer from " + min + " to " + max);
        }
        return integer(name, min, max);
    }

    OptionalInt port(String name) {
        return integer(name, 1, 65535);
    }

    OptionalInt requiredPort(String name) {
        return requiredInteger(name, 1, 65535);
    }

    OptionalDouble number(String name, double min, double max) {
        Tree value = present(name);
        if (value == null) {
            return OptionalDouble.empty();
        }
        String expected = "a number from " + whole(min) + " to " + whole(max);
        if (!(value instanceof Tree.Scalar scalar)
                || (scalar.type() != ScalarType.INTEGER && scalar.type() != ScalarType.FLOAT)) {
            wrongType(value, path(name), expected);
            return OptionalDouble.empty();
        }
        double number = scalar.number();
        if (!(number >= min && number <= max)) {
            findings.error(value, path(name), expected, number < 0 && min >= 0 ? "negative" : "out of range");
            return OptionalDouble.empty();
        }
        return OptionalDouble.of(number);
    }

    private static String whole(double number) {
        return number == Math.rint(number) ? Long.toString((long) number) : Double.toString(number);
    }

    Optional<Boolean> bool(String name) {
        Tree value = present(name);
        if (value == null) {
            return Optional.empty();
        }
        if (value instanceof Tree.Scalar scalar && scalar.type() == ScalarType.BOOLEAN) {
            return Optional.of(Boolean.TRUE.equals(scalar.plain()));
        }
        wrongType(value, path(name), "true or false");
        return Optional.empty();
    }

    /** A duration of 0 or more, such as {@code 1.5s}. */
    Optional<Duration> duration(String name) {
        Tree value = present(name);
        if (value == null) {
            return Optional.empty();
        }
        String expected = "a duration such as 500ms, 2s or 1m30s";
        if (!(value instanceof Tree.Scalar scalar)
                || (scalar.type() != ScalarType.STRING && !scalar.text().equals("0"))) {
            wrongType(value, path(name), expected);
            return Optional.empty();
        }
        Optional<Duration> duration = Words.duration(scalar.text());
        if (duration.isEmpty()) {
            boolean negative = scalar.text().startsWith("-");
            findings.error(value, path(name), expected, negative ? "negative" : "not a duration");
        }
        return duration;
    }

    <E> Optional<E> choice(String name, Map<String, E> choices) {
        Optional<String> word = string(name);
        if (word.isEmpty()) {
            return Optional.empty();
        }
        E value = choices.get(word.get());
        if (value == null) {
            String guess = Words.nearest(word.get(), choices.keySet())
                    .map(near -> ", did you mean '" + near + "'?")
                    .orElse("");
            error(name, "one of " + String.join(", ", new TreeSet<>(choices.keySet())), "unknown value" + guess);
        }
        return Optional.ofNullable(value);
    }

    /** A text that is put into the head of a message as it is. */
    Optional<String> wire(String name, WireText kind) {
        Optional<String> text = string(name);
        Optional<String> fault = text.flatMap(kind::fault);
        fault.ifPresent(found -> error(name, kind.expected(), found));
        return fault.isPresent() ? Optional.empty() : text;
    }

    /** A regular expression whose matches are replaced. */
    Optional<String> replacingRegex(String name) {
        Optional<String> text = string(name);
        return text.isPresent() && isTaken(name, Regex.replacingFault(text.get())) ? text : Optional.empty();
    }

    /** A regular expression that can be matched in bounded time. */
    Optional<String> regex(String name) {
        Optional<String> text = string(name);
        return text.isPresent() && isRegex(name, text.get()) ? text : Optional.empty();
    }

    /** Reports a regular expression that cannot be matched in bounded time. */
    boolean isRegex(String name, String text) {
        return isTaken(name, Regex.fault(text));
    }

    private boolean isTaken(String name, Optional<RegexException> fault) {
        fault.ifPresent(f -> error(name, f.expected(), String.valueOf(f.getMessage())));
        return fault.isEmpty();
    }

    /** A port number or, in Kubernetes, the name of a port. Returns the scalar when it is either. */
    Tree.@Nullable Scalar numberOrName(String name) {
        Tree value = present(name);
        if (value == null) {
            return null;
        }
        if (value instanceof Tree.Scalar scalar
                && (scalar.type() == ScalarType.INTEGER || scalar.type() == ScalarType.STRING)) {
            return scalar;
        }
        wrongType(value, path(name), "a port number");
        return null;
    }
}
