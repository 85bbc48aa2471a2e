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
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Reads the fields of one mapping. Whoever decodes asks for each field by name and type; a wrong type or value becomes
 * a problem and the field counts as absent, so that one pass finds everything. Not thread-safe.
 */
final class Fields extends FieldReader {
    private static final String DURATION = "a duration such as 500ms, 2s or 1m30s, in whole milliseconds";

    Fields(Findings findings, Tree.Mapping node, String path) {
        super(findings, node, path);
    }

    Optional<Fields> object(String name) {
        Tree value = present(name);
        if (value == null) {
            return Optional.empty();
        }
        if (value instanceof Tree.Mapping mapping) {
            return Optional.of(new Fields(findings(), mapping, path(name)));
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
                out.add(new Fields(findings(), mapping, field));
            } else {
                wrongType(items.get(i), field, "a mapping");
            }
        }
        return out;
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
        if (node().get(name) instanceof Tree.Scalar scalar
                && scalar.quoted()
                && scalar.text().isEmpty()) {
            tolerate(name);
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

    /** The texts of a list with their places; items of another type are reported and left out. */
    List<Item> texts(String name) {
        List<Item> out = new ArrayList<>();
        List<Tree> items = items(name);
        for (int i = 0; i < items.size(); i++) {
            Tree item = items.get(i);
            String field = path(name) + "[" + i + "]";
            Position at = new Position(item.line(), item.column(), field);
            string(item, field).ifPresent(text -> out.add(new Item(findings(), at, text)));
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
            findings().error(value, field, expected, number < 0 && min >= 0 ? "negative" : "out of range");
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

    /** A port of which 0 means the same as none. */
    OptionalInt portOrNone(String name) {
        OptionalInt port = integer(name, 0, 65535);
        return port.isPresent() && port.getAsInt() == 0 ? OptionalInt.empty() : port;
    }

    /** A number that may be larger than this version can use. */
    OptionalInt integerUpTo(String name, int min, int usable) {
        return integerUpTo(name, min, usable, Integer.MAX_VALUE);
    }

    /** The same for one that has a bound of its own. */
    OptionalInt integerUpTo(String name, int min, int usable, int valid) {
        if (present(name) instanceof Tree.Scalar scalar
                && scalar.type() == ScalarType.INTEGER
                && scalar.integer() > usable
                && scalar.integer() <= valid) {
            unsupportedValue(name, "a number above " + usable, "at most " + usable);
            return OptionalInt.empty();
        }
        return integer(name, min, usable);
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
            findings().error(value, path(name), expected, number < 0 && min >= 0 ? "negative" : "out of range");
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

    /** A duration of a millisecond or more in whole milliseconds, as Istio has every duration. */
    Optional<Duration> duration(String name) {
        Optional<Duration> duration = duration(name, DURATION);
        Optional<String> fault = duration.flatMap(Words::millisecondsFault);
        fault.ifPresent(found -> error(name, DURATION, found));
        return fault.isPresent() ? Optional.empty() : duration;
    }

    /** A duration as Gateway API writes them: whole numbers of up to five digits with their units; zero means none. */
    Optional<Duration> gatewayDuration(String name) {
        String expected = "a duration such as 500ms, 2s or 1m30s, each number with at most five digits";
        Optional<Duration> duration = duration(name, expected);
        if (duration.isPresent() && !Words.isGatewayDuration(string(name).orElse("0"))) {
            error(name, expected, "not a duration of Gateway API");
            return Optional.empty();
        }
        return duration;
    }

    private Optional<Duration> duration(String name, String expected) {
        Tree value = present(name);
        if (value == null) {
            return Optional.empty();
        }
        if (!(value instanceof Tree.Scalar scalar) || scalar.type() != ScalarType.STRING) {
            wrongType(value, path(name), expected);
            return Optional.empty();
        }
        Optional<Duration> duration = Words.duration(scalar.text());
        if (duration.isEmpty()) {
            boolean negative = scalar.text().startsWith("-");
            findings().error(value, path(name), expected, negative ? "negative" : "not a duration");
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
        // Istio and Gateway API take any text here; what cannot be sent would have to be escaped.
        fault.ifPresent(found -> unsupportedForm(name, kind.expected(), found));
        return fault.isPresent() ? Optional.empty() : text;
    }

    /** A regular expression whose matches are replaced. */
    Optional<String> replacingRegex(String name) {
        Optional<String> text = string(name);
        return text.isPresent() && isTaken(name, Regex.replacingFault(text.get())) ? text : Optional.empty();
    }

    /** Reports a regular expression that cannot be matched in bounded time. */
    boolean isRegex(String name, String text) {
        return isTaken(name, Regex.fault(text));
    }

    private boolean isTaken(String name, Optional<RegexException> fault) {
        fault.ifPresent(f -> {
            if (f.isSyntax()) {
                error(name, f.expected(), String.valueOf(f.getMessage()));
            } else {
                unsupportedForm(name, f.expected(), String.valueOf(f.getMessage()));
            }
        });
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
