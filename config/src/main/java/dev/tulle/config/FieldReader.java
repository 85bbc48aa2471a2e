package dev.tulle.config;

import dev.tulle.config.Tree.ScalarType;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Which fields of one mapping are there, which were asked for, and what is wrong with them. {@link #done()} refuses every
 * field that nobody asked for. Not thread-safe.
 */
abstract sealed class FieldReader permits Fields {
    private static final String UNSUPPORTED = "not supported by this version of Tulle";

    /** Ends a sentence about what is right in itself. */
    static final String NOT_SUPPORTED = " is " + UNSUPPORTED;

    /** Ends a sentence about a form that is unusual but right. */
    static final String VALID_ALL_THE_SAME = " (valid all the same, but " + UNSUPPORTED + ")";

    private final Findings findings;
    private final Tree.Mapping node;
    private final String path;
    private final Set<String> known = new TreeSet<>();
    private final Set<String> refused = new TreeSet<>();

    FieldReader(Findings findings, Tree.Mapping node, String path) {
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

    final @Nullable Tree present(String name) {
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
        findings.error(value == null ? node : value, path(name), expected, what + NOT_SUPPORTED);
    }

    /** Refuses the form of a field's value, which is valid but which this version cannot honour. */
    void unsupportedForm(String name, String expected, String message) {
        error(name, expected, message + VALID_ALL_THE_SAME);
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

    final void missing(String name, String expected) {
        findings.error(node.line(), node.column(), path(name), "", expected, "this field is required");
    }

    final void wrongType(Tree at, String field, String expected) {
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

    final List<Tree> items(String name) {
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

    /** How many entries a list has, of whatever type. */
    int count(String name) {
        return present(name) instanceof Tree.Sequence list ? list.items().size() : 0;
    }

    /** True for a list that is there and has no entry. */
    boolean isEmptyList(String name) {
        return present(name) instanceof Tree.Sequence list && list.items().isEmpty();
    }

    /** Reports a list that is longer than its kind allows. */
    void atMost(String name, int most) {
        int found = count(name);
        if (found > most) {
            error(name, "at most " + most + " entries", found + " entries are too many");
        }
    }
}
