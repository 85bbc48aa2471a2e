package dev.tulle.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The ways in which the parties behind a policy may read one string of a request.
 *
 * @param sure an ALLOW must match all of these
 * @param perhaps a DENY matches when it matches one of these
 * @param broken true when nobody can say how it will be read: no ALLOW matches, every DENY does
 * @param fieldPresence true where {@code *} asks only whether there is a value, be it empty
 */
record Readings(List<String> sure, List<String> perhaps, boolean broken, boolean fieldPresence) {
    private static final Readings BROKEN = new Readings(List.of(), List.of(), true, false);

    /** A string that everybody reads in the same way. */
    static Readings one(String text) {
        List<String> only = List.of(text);
        return new Readings(only, only, false, false);
    }

    /** A path without its query. */
    static Readings ofPath(String path) {
        if (PathReadings.isPlain(path)) {
            return one(path);
        }
        List<String> all = PathReadings.of(path);
        return all.isEmpty() ? BROKEN : new Readings(all, all, false, false);
    }

    /** An authority: without regard to case; servers differ in what they make of a port and of a final dot. */
    static Readings ofAuthority(String authority) {
        String lower = authority.toLowerCase(Locale.ROOT);
        List<String> sure = List.of(lower);
        int colon = lower.lastIndexOf(':');
        boolean port = colon >= 0 && lower.indexOf(']', colon) < 0;
        String name = port ? lower.substring(0, colon) : lower;
        boolean dot = name.endsWith(".");
        if (!port && !dot) {
            return new Readings(sure, sure, false, false);
        }
        List<String> perhaps = new ArrayList<>();
        perhaps.add(lower);
        perhaps.add(name);
        if (dot) {
            String undotted = name.substring(0, name.length() - 1);
            perhaps.add(undotted);
            perhaps.add(undotted + lower.substring(name.length()));
        }
        return new Readings(sure, perhaps, false, false);
    }

    /** The values of a field's lines: each may be taken for the field's value, or all of them as one list. */
    static Readings ofField(List<String> lines) {
        if (lines.size() < 2) {
            return new Readings(lines, lines, false, true);
        }
        List<String> perhaps = new ArrayList<>(lines);
        perhaps.add(String.join(",", lines));
        perhaps.add(String.join(", ", lines));
        return new Readings(lines, perhaps, false, true);
    }

    /**
     * True when the value satisfies both lists: one of the values, if there are any, and none of the others.
     *
     * @param cautious true when it must do so in every reading, false when one is enough
     */
    boolean hold(List<TextPattern> values, List<TextPattern> not, boolean cautious) {
        return (values.isEmpty() || (cautious ? surely(values) : possibly(values)))
                && (not.isEmpty() || !(cautious ? possibly(not) : surely(not)));
    }

    private boolean surely(List<TextPattern> patterns) {
        if (broken || sure.isEmpty()) {
            return false;
        }
        for (String text : sure) {
            if (!matches(patterns, text)) {
                return false;
            }
        }
        return true;
    }

    private boolean possibly(List<TextPattern> patterns) {
        if (broken) {
            return true;
        }
        for (String text : perhaps) {
            if (matches(patterns, text)) {
                return true;
            }
        }
        return false;
    }

    private boolean matches(List<TextPattern> patterns, String text) {
        for (TextPattern pattern : patterns) {
            if (pattern.matches(text) || (fieldPresence && pattern instanceof TextPattern.Present)) {
                return true;
            }
        }
        return false;
    }
}
