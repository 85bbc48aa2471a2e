package dev.tulle.config;

import dev.tulle.config.Problem.Severity;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Collects the problems of one document while it is decoded. Not thread-safe. */
final class Findings {
    private final String file;
    private final List<Problem> problems = new ArrayList<>();
    private String resource = "";

    Findings(String file) {
        this.file = file;
    }

    String file() {
        return file;
    }

    /** Names the resource in every problem, also in those found before its name was read. */
    void resource(String name) {
        resource = name;
    }

    void error(int line, int column, String field, String value, String expected, String message) {
        problems.add(new Problem(Severity.ERROR, file, line, column, "", field, value, expected, message));
    }

    void error(Tree at, String field, String expected, String message) {
        error(at.line(), at.column(), field, at.shown(), expected, message);
    }

    void warning(Tree at, String field, String expected, String message) {
        problems.add(
                new Problem(Severity.WARNING, file, at.line(), at.column(), "", field, at.shown(), expected, message));
    }

    boolean hasErrors() {
        return problems.stream().anyMatch(Problem::isError);
    }

    /** In the order of the text. */
    List<Problem> problems() {
        return problems.stream()
                .sorted(Comparator.comparingInt(Problem::line).thenComparingInt(Problem::column))
                .map(p -> new Problem(
                        p.severity(),
                        p.file(),
                        p.line(),
                        p.column(),
                        resource,
                        p.field(),
                        p.value(),
                        p.expected(),
                        p.message()))
                // A field that is looked at twice has one problem all the same.
                .distinct()
                .toList();
    }
}
