package dev.tulle.config;

import dev.tulle.model.Route;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.StringMatch;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Gateway API's rules about which of several routes wins, expressed as an order. Pure. */
final class RoutePrecedence {
    private static final String AUTHORITY = ":authority";

    /**
     * Most specific host name, then exact path, regular expression, longest prefix, a method, most headers, most query
     * parameters. Gateway API leaves the place of regular expressions open.
     */
    static final Comparator<Route> MOST_SPECIFIC_FIRST = Comparator.comparingInt(RoutePrecedence::hostRank)
            .thenComparingInt(RoutePrecedence::pathRank)
            .thenComparingInt(route -> -pathLength(route.match().path()))
            .thenComparingInt(route -> route.match().method().isPresent() ? 0 : 1)
            .thenComparingInt(route -> -headers(route.match()))
            .thenComparingInt(route -> -route.match().queryParams().size());

    private RoutePrecedence() {}

    /** One match for each host name, longest first; the match itself when there are none. */
    static List<RouteMatch> forHostnames(RouteMatch match, List<String> hostnames) {
        if (hostnames.isEmpty()) {
            return List.of(match);
        }
        List<RouteMatch> out = new ArrayList<>();
        for (String hostname : hostnames) {
            boolean pattern = Hosts.isPattern(hostname);
            String literal = com.google.re2j.Pattern.quote(pattern ? hostname.substring(1) : hostname);
            String regex = "(?i)" + (pattern ? "[^:]+" : "") + literal + "(:[0-9]+)?";
            List<Named> headers = new ArrayList<>();
            headers.add(new Named(AUTHORITY, new StringMatch.Regex(regex), false));
            headers.addAll(match.headers());
            out.add(new RouteMatch(match.path(), match.ignorePathCase(), match.method(), headers, match.queryParams()));
        }
        return out;
    }

    /** Smaller is more specific: an exact host, a longer pattern, a shorter one, none. */
    private static int hostRank(Route route) {
        for (Named header : route.match().headers()) {
            if (header.name().equals(AUTHORITY) && header.match() instanceof StringMatch.Regex regex) {
                boolean pattern = regex.pattern().contains("[^:]+");
                return (pattern ? 10_000 : 0) - regex.pattern().length();
            }
        }
        return Integer.MAX_VALUE;
    }

    private static int pathRank(Route route) {
        return switch (route.match().path()) {
            case PathMatch.Exact _ -> 0;
            case PathMatch.Regex _ -> 1;
            case PathMatch.Prefix _, PathMatch.SegmentPrefix _ -> 2;
        };
    }

    private static int pathLength(PathMatch path) {
        return switch (path) {
            case PathMatch.Exact exact -> exact.path().length();
            case PathMatch.Prefix prefix -> prefix.prefix().length();
            case PathMatch.SegmentPrefix prefix -> prefix.prefix().length();
            case PathMatch.Regex regex -> regex.pattern().length();
        };
    }

    private static int headers(RouteMatch match) {
        return (int) match.headers().stream()
                .filter(h -> !h.name().equals(AUTHORITY))
                .count();
    }
}
