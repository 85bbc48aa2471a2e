package dev.tulle.config;

import dev.tulle.model.Route;
import dev.tulle.model.RouteMatch.PathMatch;
import java.util.Comparator;

/** Gateway API's rules about which of several routes wins, expressed as an order. Pure. */
final class RoutePrecedence {
    /**
     * Exact path, longest prefix, regular expression, a method, most headers, most query parameters. Gateway API leaves the
     * place of regular expressions open; this is Istio's.
     */
    static final Comparator<Route> MOST_SPECIFIC_FIRST = Comparator.comparingInt(RoutePrecedence::pathRank)
            .thenComparingInt(route -> -pathLength(route.match().path()))
            .thenComparingInt(route -> route.match().method().isPresent() ? 0 : 1)
            .thenComparingInt(route -> -route.match().headers().size())
            .thenComparingInt(route -> -route.match().queryParams().size());

    private RoutePrecedence() {}

    private static int pathRank(Route route) {
        return switch (route.match().path()) {
            case PathMatch.Exact _ -> 0;
            // Only a GRPCRoute has it: its rule for every call comes behind all that name service or method.
            case PathMatch.Prefix prefix when prefix.equals(GrpcMatches.EVERY_CALL) -> 3;
            case PathMatch.Prefix _, PathMatch.SegmentPrefix _ -> 1;
            case PathMatch.Regex _ -> 2;
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
}
