package dev.tulle.xds;

import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteAction.PathRewrite;
import dev.tulle.model.RouteMatch.PathMatch;
import java.util.Optional;

/**
 * Replacing a prefix of whole segments (Gateway API's ReplacePrefixMatch), as Envoy is told of it. Envoy puts what replaces
 * a prefix directly before the rest of the path; a slash at the end of either says nothing in Gateway API, and never are
 * there two. Pure.
 */
final class SegmentRewrites {
    private static final String TO_ROOT = "/\\1";

    private SegmentRewrites() {}

    /** The route with a rewrite that means the same to Envoy. */
    static Route written(Route route) {
        return route.match().path() instanceof PathMatch.SegmentPrefix(String prefix)
                        && rewriteOf(route.action()).orElse(null) instanceof PathRewrite.MatchedPrefix(String with)
                ? with(route, written(withoutSlash(prefix), withoutSlash(with)))
                : route;
    }

    private static PathRewrite written(String prefix, String with) {
        if (prefix.isEmpty()) {
            // Every path: the prefix is the slash that all begin with.
            return new PathRewrite.MatchedPrefix(with + "/");
        }
        return with.isEmpty() ? toRoot(prefix) : new PathRewrite.MatchedPrefix(with);
    }

    /** What {@link #written} made of a prefix that is taken away, as it was. */
    static Route read(Route route) {
        return route.match().path() instanceof PathMatch.SegmentPrefix(String prefix)
                        && rewriteOf(route.action()).equals(Optional.of(toRoot(withoutSlash(prefix))))
                ? with(route, new PathRewrite.MatchedPrefix("/"))
                : route;
    }

    private static PathRewrite toRoot(String prefix) {
        return new PathRewrite.Regex("^" + prefix.replaceAll("[^A-Za-z0-9/_-]", "\\\\$0") + "/?(.*)", TO_ROOT);
    }

    private static String withoutSlash(String path) {
        return path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    }

    private static Optional<PathRewrite> rewriteOf(RouteAction action) {
        return switch (action) {
            case RouteAction.Forward forward -> forward.rewrite().path();
            case RouteAction.Redirect redirect -> redirect.path();
            case RouteAction.DirectResponse _ -> Optional.empty();
        };
    }

    private static Route with(Route route, PathRewrite path) {
        RouteAction action =
                switch (route.action()) {
                    case RouteAction.Forward f ->
                        new RouteAction.Forward(
                                f.clusters(),
                                f.timeout(),
                                f.retry(),
                                new RouteAction.Rewrite(f.rewrite().authority(), Optional.of(path)),
                                f.mirrors(),
                                f.notFound());
                    case RouteAction.Redirect r ->
                        new RouteAction.Redirect(r.status(), r.scheme(), r.authority(), r.port(), Optional.of(path));
                    case RouteAction.DirectResponse direct -> direct;
                };
        return new Route(route.name(), route.match(), action, route.fault(), route.headers(), route.origin());
    }
}
