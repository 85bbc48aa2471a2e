package dev.tulle.config;

import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.PathMatch;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** Decodes a match of Gateway API's GRPCRoute: a call of gRPC is a request for {@code /SERVICE/METHOD}. */
final class GrpcMatches {
    /** Not what an HTTPRoute has, so that it comes behind every condition of a GRPCRoute on service or method. */
    static final PathMatch EVERY_CALL = new PathMatch.Prefix("/");

    static final RouteMatch ANY = new RouteMatch(EVERY_CALL, false, Optional.empty(), List.of(), List.of());

    private static final Map<String, Boolean> EXACT = Map.of("Exact", true, "RegularExpression", false);

    private static final Pattern SERVICE =
            Pattern.compile("\\.?[A-Za-z_][A-Za-z_0-9]*+(?:\\.[A-Za-z_][A-Za-z_0-9]*+)*+");
    private static final Pattern METHOD = Pattern.compile("[A-Za-z_][A-Za-z_0-9]*+");

    private static final int MOST = 1024;

    private GrpcMatches() {}

    static RouteMatch decode(Fields match) {
        PathMatch path = match.object("method").map(GrpcMatches::path).orElse(EVERY_CALL);
        RouteMatch made = new RouteMatch(
                path, false, Optional.empty(), HttpRouteDecoder.named(match, "headers", true), List.of());
        match.done();
        return made;
    }

    private static PathMatch path(Fields method) {
        boolean exact = method.choice("type", EXACT).orElse(true);
        String service = part(method, "service", exact, SERVICE, "PACKAGE.SERVICE, of letters, digits, '_' and '.'");
        String name = part(method, "method", exact, METHOD, "a method's name, of letters, digits and '_'");
        if (!method.has("service") && !method.has("method")) {
            method.error("", "a service, a method or both", "neither service nor method");
        }
        method.done();
        if (service.isEmpty() && name.isEmpty()) {
            return EVERY_CALL;
        }
        if (exact && !service.isEmpty()) {
            return name.isEmpty()
                    ? new PathMatch.Prefix("/" + service + "/")
                    : new PathMatch.Exact("/" + service + "/" + name);
        }
        String both = "/" + expression(service, exact) + "/" + expression(name, exact);
        // Each may be taken by itself, and the two together be too large.
        method.isRegex("", both);
        return new PathMatch.Regex(both);
    }

    private static String expression(String text, boolean exact) {
        return text.isEmpty() ? "[^/]+" : exact ? text : "(?:" + text + ")";
    }

    /** A text that may be used; empty when there is none or it cannot, which was reported. */
    private static String part(Fields method, String field, boolean exact, Pattern form, String expected) {
        Optional<String> found = method.string(field);
        String text = found.orElse("");
        if (text.length() > MOST) {
            method.error(field, "at most " + MOST + " characters", "too long");
            return "";
        }
        if (exact) {
            if (found.isPresent() && !form.matcher(text).matches()) {
                method.error(field, expected, "not such a name");
                return "";
            }
            return text;
        }
        return text.isEmpty() || method.isRegex(field, text) ? text : "";
    }
}
