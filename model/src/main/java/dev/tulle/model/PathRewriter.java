package dev.tulle.model;

import com.google.re2j.Matcher;
import com.google.re2j.Pattern;
import dev.tulle.model.regex.Regex;
import org.jspecify.annotations.Nullable;

/** A compiled {@link RouteAction.PathRewrite} of one route. Immutable, any thread. */
public final class PathRewriter {
    /** The longest path in which the matches of a regular expression are replaced, in characters. */
    static final int MAX_PATH = 2048;

    /** Matches that are replaced in one path: each may have to be looked for up to the path's end. */
    static final int MAX_MATCHES = 8;

    private final RouteAction.PathRewrite rewrite;
    private final RouteMatch.PathMatch matched;
    private final @Nullable Pattern pattern;
    private final String replacement;

    /**
     * Compiles a rewrite.
     *
     * @param rewrite what to do
     * @param match the conditions of the route it belongs to: says which prefix was matched
     * @throws dev.tulle.model.regex.RegexException when a regular expression is not taken
     */
    public PathRewriter(RouteAction.PathRewrite rewrite, RouteMatch match) {
        this.rewrite = rewrite;
        this.matched = match.path();
        if (rewrite instanceof RouteAction.PathRewrite.Regex regex) {
            pattern = Regex.replacing(regex.pattern());
            replacement = groups(regex.substitution());
        } else {
            pattern = null;
            replacement = "";
        }
    }

    /**
     * The new path for a path (without query) that the route matched.
     *
     * @return null for a path in which replacing would take too long: more than {@value #MAX_PATH} characters, or
     *     {@value #MAX_MATCHES} matches of a regular expression
     */
    public @Nullable String apply(String path) {
        return switch (rewrite) {
            case RouteAction.PathRewrite.Full(String full) -> full;
            case RouteAction.PathRewrite.MatchedPrefix(String with) -> replacePrefix(path, with);
            case RouteAction.PathRewrite.Regex regex -> pattern == null ? path : replace(pattern, path);
        };
    }

    private @Nullable String replace(Pattern matched, String path) {
        if (path.length() > MAX_PATH) {
            return null;
        }
        Matcher matcher = matched.matcher(path);
        StringBuilder out = new StringBuilder();
        int matches = 0;
        while (matcher.find()) {
            if (++matches > MAX_MATCHES) {
                return null;
            }
            matcher.appendReplacement(out, replacement);
        }
        return matcher.appendTail(out).toString();
    }

    private String replacePrefix(String path, String with) {
        String result =
                switch (matched) {
                    // An expression matches the whole path as well: there is no prefix to keep the rest of.
                    case RouteMatch.PathMatch.Exact _, RouteMatch.PathMatch.Regex _ -> with;
                    case RouteMatch.PathMatch.Prefix(String prefix) -> with + rest(path, prefix);
                    // Whole segments: a slash at the end of the prefix, or of what replaces it, says nothing.
                    case RouteMatch.PathMatch.SegmentPrefix(String prefix) ->
                        withoutSlash(with) + rest(path, withoutSlash(prefix));
                };
        return result.startsWith("/") ? result : "/" + result;
    }

    private static String withoutSlash(String path) {
        return path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    }

    private static String rest(String path, String prefix) {
        return path.length() >= prefix.length() ? path.substring(prefix.length()) : "";
    }

    /** Turns {@code \1} into the library's {@code $1} and quotes everything else that it would interpret. */
    private static String groups(String substitution) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < substitution.length(); i++) {
            char c = substitution.charAt(i);
            if (c == '\\' && i + 1 < substitution.length() && Character.isDigit(substitution.charAt(i + 1))) {
                out.append('$').append(substitution.charAt(++i));
            } else if (c == '\\' && i + 1 < substitution.length() && substitution.charAt(i + 1) == '\\') {
                out.append("\\\\");
                i++;
            } else if (c == '$' || c == '\\') {
                out.append('\\').append(c);
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }
}
