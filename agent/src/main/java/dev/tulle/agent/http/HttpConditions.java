package dev.tulle.agent.http;

import dev.tulle.agent.http.HttpWhen.Field;
import dev.tulle.agent.http.HttpWhen.PathKind;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.StringMatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Builds one {@link HttpWhen} out of configured conditions. What the kernel cannot look at is left out, which makes the
 * result wider, and is said in words; what no request that the kernel takes can satisfy makes it {@link #isNever never}
 * hold. Not thread-safe; used for one route or rule.
 */
final class HttpConditions {
    private final HttpNames names;
    private final List<Field> fields = new ArrayList<>();
    private PathKind pathKind = PathKind.ANY;
    private String path = "";
    private int methods = HttpMethod.ALL;
    private String left = "";
    private boolean never;

    HttpConditions(HttpNames names) {
        this.names = names;
    }

    /** The conditions of a route. */
    static HttpConditions of(RouteMatch match, HttpNames names) {
        HttpConditions conditions = new HttpConditions(names);
        conditions.path(match.path(), match.ignorePathCase());
        match.method().ifPresent(method -> conditions.method(method, false));
        match.headers().forEach(conditions::header);
        if (!match.queryParams().isEmpty()) {
            conditions.leaveOut("it looks at query parameters");
        }
        return conditions;
    }

    /** What was left out, in words; empty when the result is exact. */
    String left() {
        return left;
    }

    boolean isExact() {
        return left.isEmpty();
    }

    /** True when no request that the kernel takes can satisfy the conditions. */
    boolean isNever() {
        return never;
    }

    HttpWhen when() {
        return new HttpWhen(pathKind, path, methods, fields);
    }

    private void leaveOut(String what) {
        if (left.isEmpty()) {
            left = what;
        }
    }

    private void path(PathMatch match, boolean ignoreCase) {
        switch (match) {
            case PathMatch.Exact(String exact) -> path(PathKind.EXACT, exact, ignoreCase);
            case PathMatch.Prefix(String prefix) -> path(PathKind.PREFIX, prefix, ignoreCase);
            case PathMatch.SegmentPrefix(String prefix) ->
                path(
                        PathKind.SEGMENT,
                        prefix.endsWith("/") ? prefix.substring(0, prefix.length() - 1) : prefix,
                        ignoreCase);
            case PathMatch.Regex _ -> leaveOut("its path is a regular expression");
        }
    }

    private void path(PathKind kind, String pattern, boolean ignoreCase) {
        // Every path that the kernel takes begins with a slash.
        if (kind != PathKind.EXACT && (pattern.isEmpty() || pattern.equals("/"))) {
            return;
        }
        int usable = 0;
        while (usable < pattern.length() && isPlain(pattern.charAt(usable), ignoreCase)) {
            usable++;
        }
        if (usable == pattern.length() && usable <= HttpLimits.PATH) {
            setPath(kind, pattern);
            return;
        }
        leaveOut(
                usable == pattern.length()
                        ? "its path is longer than " + HttpLimits.PATH + " bytes"
                        : ignoreCase ? "its path is compared without regard to case" : "its path is not plain ASCII");
        if (usable > 0) {
            setPath(PathKind.PREFIX, pattern.substring(0, Math.min(usable, HttpLimits.PATH)));
        }
    }

    void setPath(PathKind kind, String pattern) {
        pathKind = kind;
        path = pattern;
    }

    private static boolean isPlain(char c, boolean ignoreCase) {
        boolean letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return c > ' ' && c < 0x7f && !(ignoreCase && letter);
    }

    void method(StringMatch match, boolean inverted) {
        int bits = 0;
        for (HttpMethod method : HttpMethod.values()) {
            boolean holds =
                    switch (match) {
                        case StringMatch.Exact(String value) -> method.name().equals(value);
                        case StringMatch.Prefix(String value) -> method.name().startsWith(value);
                        case StringMatch.Present() -> true;
                        case StringMatch.Regex _ -> true;
                    };
            bits |= holds ? method.bit() : 0;
        }
        if (match instanceof StringMatch.Regex) {
            leaveOut("its method is a regular expression");
        } else {
            methods(inverted ? ~bits : bits);
        }
    }

    /** Narrows to these methods. */
    void methods(int bits) {
        methods &= bits;
        never |= methods == 0;
    }

    private void header(Named named) {
        switch (named.name()) {
            case ":method" -> method(named.match(), named.inverted());
            case ":scheme" -> leaveOut("it looks at the scheme, which a field may tell");
            case ":authority" -> field("host", named.match(), named.inverted());
            case ":path" -> leaveOut("it looks at path and query as one");
            default -> {
                if (named.name().startsWith(":")) {
                    // No such part of a request: as an absent field.
                    never |= !named.inverted();
                } else {
                    field(named.name(), named.match(), named.inverted());
                }
            }
        }
    }

    /** A condition on a header field; only equality and presence are looked at by the kernel. */
    void field(String name, StringMatch match, boolean inverted) {
        switch (match) {
            case StringMatch.Present() -> add(new Field(name, true, "", inverted));
            case StringMatch.Exact(String value) -> {
                if (value.isEmpty() && inverted) {
                    // An absent field counts as an empty one.
                    leaveOut("header " + name + " is compared with an empty value");
                } else if (!isPlainValue(value)) {
                    leaveOut("the value of " + name + " is longer than " + HttpLimits.VALUE + " bytes or not plain");
                    atLeastPresent(name, inverted);
                } else {
                    add(new Field(name, false, value, inverted));
                }
            }
            case StringMatch.Prefix _, StringMatch.Regex _ -> {
                leaveOut("header " + name + " is compared by "
                        + (match instanceof StringMatch.Prefix ? "its beginning" : "a regular expression"));
                atLeastPresent(name, inverted);
            }
        }
    }

    /** Whatever the value must be, there must be one. */
    private void atLeastPresent(String name, boolean inverted) {
        if (!inverted) {
            add(new Field(name, true, "", false));
        }
    }

    private void add(Field field) {
        if (fields.contains(field)) {
            return;
        }
        if (fields.size() == HttpLimits.FIELDS) {
            leaveOut("it has more than " + HttpLimits.FIELDS + " header conditions");
        } else if (!names.take(field.name())) {
            leaveOut("there is no room for header " + field.name() + " in the table");
        } else {
            fields.add(field);
        }
    }

    static boolean isPlainValue(String value) {
        // Blanks at the ends are not part of a value.
        return value.length() <= HttpLimits.VALUE
                && value.equals(value.strip())
                && value.chars().allMatch(c -> c >= ' ' && c < 0x7f);
    }

    /** The names of header fields that a table looks at, while it is made. */
    static final class HttpNames {
        private final List<String> names = new ArrayList<>();

        /** True when conditions on this field can be kept. */
        boolean take(String name) {
            if (names.contains(name)) {
                return true;
            }
            boolean possible = names.size() < HttpLimits.NAMES
                    && !name.isEmpty()
                    && name.length() <= HttpLimits.NAME
                    && name.equals(name.toLowerCase(Locale.ROOT))
                    && name.chars().allMatch(c -> c > ' ' && c < 0x7f && c != ':');
            if (possible) {
                names.add(name);
            }
            return possible;
        }
    }
}
