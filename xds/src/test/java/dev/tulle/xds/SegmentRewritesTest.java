package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.PathRewriter;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The table of Gateway API's ReplacePrefixMatch, at the proxy and as Envoy reads what is sent to it. */
class SegmentRewritesTest {
    private static final String TABLE = """
            /foo/bar,  /foo,    /xyz,  /xyz/bar
            /foo/bar,  /foo,    /xyz/, /xyz/bar
            /foo/bar,  /foo/,   /xyz,  /xyz/bar
            /foo/bar,  /foo/,   /xyz/, /xyz/bar
            /foo,      /foo,    /xyz,  /xyz
            /foo/,     /foo,    /xyz,  /xyz/
            /foo/bar,  /foo,    '',    /bar
            /foo/,     /foo,    '',    /
            /foo,      /foo,    '',    /
            /foo/,     /foo,    /,     /
            /foo,      /foo,    /,     /
            /f.o/a/b,  /f.o,    /,     /a/b
            /a,        /,       /new,  /new/a
            /a/b,      /,       /new/, /new/a/b
            /,         /,       /new,  /new/
            /a,        /,       '',    /a
            /a,        /,       /,     /a
            """;

    private static RouteConfiguration table(PathMatch match, RouteAction.PathRewrite rewrite, boolean redirects) {
        RouteAction action = redirects
                ? new RouteAction.Redirect(
                        302, Optional.empty(), Optional.empty(), Optional.empty(), Optional.of(rewrite))
                : new RouteAction.Forward(
                        List.of(new WeightedCluster("c", 1)),
                        Duration.ZERO,
                        RetryPolicy.NONE,
                        new RouteAction.Rewrite(Optional.empty(), Optional.of(rewrite)),
                        List.of());
        Route route = new Route(
                "r",
                new RouteMatch(match, false, Optional.empty(), List.of(), List.of()),
                action,
                FaultInjection.NONE,
                HeaderMutation.NONE,
                ResourceRef.DEFAULT);
        return new RouteConfiguration("t", List.of(new VirtualHost("h", List.of("*"), List.of(route))));
    }

    private static Route only(RouteConfiguration table) {
        return table.virtualHosts().getFirst().routes().getFirst();
    }

    private static RouteAction.PathRewrite rewriteOf(Route route) {
        return switch (route.action()) {
            case RouteAction.Forward forward -> forward.rewrite().path().orElseThrow();
            case RouteAction.Redirect redirect -> redirect.path().orElseThrow();
            case RouteAction.DirectResponse direct -> throw new AssertionError(direct);
        };
    }

    /** What Envoy makes of a path: it knows of no segments when it replaces. */
    private static String byEnvoy(Route sent, String path) {
        return switch (rewriteOf(sent)) {
            case RouteAction.PathRewrite.MatchedPrefix(String with) ->
                with
                        + path.substring(
                                switch (sent.match().path()) {
                                    case PathMatch.SegmentPrefix(String prefix) ->
                                        prefix.equals("/") ? 1 : prefix.length();
                                    case PathMatch other -> throw new AssertionError(other);
                                });
            case RouteAction.PathRewrite.Regex(String pattern, String substitution) ->
                path.replaceAll(pattern, substitution.replace("\\1", "$1"));
            case RouteAction.PathRewrite.Full(String full) -> full;
        };
    }

    @ParameterizedTest
    @CsvSource(textBlock = TABLE)
    void aPrefixOfSegmentsIsReplaced(String path, String prefix, String with, String expected) throws Exception {
        for (boolean redirects : new boolean[] {false, true}) {
            PathMatch match = new PathMatch.SegmentPrefix(
                    prefix.length() > 1 && prefix.endsWith("/") ? prefix.substring(0, prefix.length() - 1) : prefix);
            RouteConfiguration given = table(match, new RouteAction.PathRewrite.MatchedPrefix(with), redirects);
            assertEquals(expected, byEnvoy(SegmentRewrites.written(only(given)), path));
            Route received = only((RouteConfiguration)
                    ResourceCodec.decode(ResourceType.ROUTE.typeUrl(), ResourceCodec.encode(given)));
            assertEquals(expected, new PathRewriter(rewriteOf(received), received.match()).apply(path));
        }
    }
}
