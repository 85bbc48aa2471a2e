package dev.tulle.model;

import dev.tulle.model.regex.Regex;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A compiled {@link RouteMatch}. Immutable, any thread. */
final class RouteCondition {
    private enum PathKind {
        ANY,
        EXACT,
        PREFIX,
        SEGMENT_PREFIX,
        REGEX
    }

    private record Named(String name, StringCondition condition, boolean inverted) {}

    private static final Named[] NONE = {};

    private final PathKind pathKind;
    private final String path;
    private final @Nullable Regex pathPattern;
    private final boolean ignoreCase;
    private final @Nullable StringCondition method;
    private final Named[] headers;
    private final Named[] queryParams;

    /**
     * Compiles the conditions of a route.
     *
     * @throws dev.tulle.model.regex.RegexException when a regular expression is not taken
     */
    RouteCondition(RouteMatch match) {
        ignoreCase = match.ignorePathCase();
        Regex pattern = null;
        switch (match.path()) {
            case RouteMatch.PathMatch.Exact(String exact) -> {
                pathKind = PathKind.EXACT;
                path = exact;
            }
            case RouteMatch.PathMatch.Prefix(String prefix) -> {
                pathKind = prefix.isEmpty() || prefix.equals("/") ? PathKind.ANY : PathKind.PREFIX;
                path = prefix;
            }
            case RouteMatch.PathMatch.SegmentPrefix(String prefix) -> {
                path = prefix.endsWith("/") ? prefix.substring(0, prefix.length() - 1) : prefix;
                pathKind = path.isEmpty() ? PathKind.ANY : PathKind.SEGMENT_PREFIX;
            }
            case RouteMatch.PathMatch.Regex(String regex) -> {
                pathKind = PathKind.REGEX;
                path = regex;
                pattern = Regex.compile(regex);
            }
        }
        pathPattern = pattern;
        method = match.method().map(StringCondition::compile).orElse(null);
        headers = compile(match.headers());
        queryParams = compile(match.queryParams());
    }

    private static Named[] compile(List<RouteMatch.Named> conditions) {
        return conditions.isEmpty()
                ? NONE
                : conditions.stream()
                        .map(c -> new Named(c.name(), StringCondition.compile(c.match()), c.inverted()))
                        .toArray(Named[]::new);
    }

    /** True when every condition holds. */
    boolean matches(RequestView request, String requestPath) {
        if (!pathMatches(requestPath) || (method != null && !method.holds(request.method()))) {
            return false;
        }
        for (Named header : headers) {
            if (holds(header, request) == header.inverted) {
                return false;
            }
        }
        if (queryParams.length > 0) {
            String query = request.query();
            for (Named param : queryParams) {
                if (param.condition.holds(queryParam(query, param.name)) == param.inverted) {
                    return false;
                }
            }
        }
        return true;
    }

    private boolean pathMatches(String p) {
        return switch (pathKind) {
            case ANY -> true;
            case EXACT -> ignoreCase ? p.equalsIgnoreCase(path) : p.equals(path);
            case PREFIX -> p.regionMatches(ignoreCase, 0, path, 0, path.length());
            case SEGMENT_PREFIX ->
                p.regionMatches(ignoreCase, 0, path, 0, path.length())
                        && (p.length() == path.length() || p.charAt(path.length()) == '/');
            case REGEX -> pathPattern != null && pathPattern.matches(p);
        };
    }

    /**
     * As in Envoy, each line of a field is compared by itself, and one is enough; for a condition that must not hold an absent
     * field is an empty one, unless it asks for presence.
     */
    private static boolean holds(Named named, RequestView request) {
        List<String> lines = lines(request, named.name);
        if (lines.isEmpty()) {
            return named.inverted && !named.condition.asksPresence() && named.condition.holds("");
        }
        for (String line : lines) {
            if (named.condition.holds(line)) {
                return true;
            }
        }
        return false;
    }

    private static List<String> lines(RequestView request, String name) {
        return switch (name) {
            case ":authority" -> List.of(request.authority());
            case ":method" -> List.of(request.method());
            case ":scheme" -> List.of(request.scheme());
            case ":path" ->
                List.of(request.query().isEmpty() ? request.path() : request.path() + "?" + request.query());
            default -> name.startsWith(":") ? List.of() : request.headers(name);
        };
    }

    /** The first value of a query parameter, not decoded (as Envoy compares it); null when absent. */
    static @Nullable String queryParam(String query, String name) {
        int start = 0;
        while (start <= query.length()) {
            int end = query.indexOf('&', start);
            if (end < 0) {
                end = query.length();
            }
            int equals = query.indexOf('=', start);
            int nameEnd = equals < 0 || equals > end ? end : equals;
            if (nameEnd - start == name.length() && query.startsWith(name, start)) {
                return nameEnd == end ? "" : query.substring(nameEnd + 1, end);
            }
            start = end + 1;
        }
        return null;
    }
}
