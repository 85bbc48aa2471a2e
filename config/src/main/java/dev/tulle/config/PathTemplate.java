package dev.tulle.config;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Paths of an AuthorizationPolicy in which a segment <code>{*}</code> stands for any one and <code>{**}</code>, the last
 * such, for any number. Pure.
 */
final class PathTemplate {
    private static final String ONE = "{*}";
    private static final String ANY = "{**}";
    private static final Pattern LITERAL = Pattern.compile("[a-zA-Z0-9-._~%!$&'()+,;:@=]++");

    private PathTemplate() {}

    static boolean isTemplate(String path) {
        return path.contains(ONE) || path.contains(ANY);
    }

    /** Why Istio would not take a path; empty when it would. */
    static Optional<String> fault(String path) {
        boolean template = isTemplate(path);
        boolean any = false;
        for (String segment : path.replaceAll("^/+|/+$", "").split("/", -1)) {
            boolean operator = segment.equals(ONE) || segment.equals(ANY);
            if (operator && any) {
                return Optional.of("{**} is not the last operator");
            }
            any |= segment.equals(ANY);
            if (!operator && (segment.contains("{") || segment.contains("}"))) {
                return Optional.of("a '{' or '}' that is no segment {*} or {**}");
            }
            if (!operator && template && !LITERAL.matcher(segment).matches()) {
                return Optional.of("the segment '" + segment + "' cannot stand in a template");
            }
        }
        return Optional.empty();
    }
}
