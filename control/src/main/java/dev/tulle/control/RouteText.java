package dev.tulle.control;

import dev.tulle.model.Quantities;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.StringMatch;
import dev.tulle.model.WeightedCluster;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** Routes in words, for tables and explanations. */
final class RouteText {
    private RouteText() {}

    static String match(RouteMatch match) {
        List<String> parts = new ArrayList<>();
        String path =
                switch (match.path()) {
                    case PathMatch.Exact exact -> "path = " + exact.path();
                    case PathMatch.Prefix prefix when prefix.prefix().equals("/") -> "";
                    case PathMatch.Prefix prefix -> "path begins with " + prefix.prefix();
                    case PathMatch.SegmentPrefix prefix -> "path below " + prefix.prefix();
                    case PathMatch.Regex regex -> "path ~ " + regex.pattern();
                };
        if (!path.isEmpty()) {
            parts.add(path + (match.ignorePathCase() ? " (any case)" : ""));
        }
        match.method().ifPresent(method -> parts.add(named("method", method, false)));
        match.headers().forEach(header -> parts.add(named("header " + header.name(), header)));
        match.queryParams().forEach(param -> parts.add(named("query " + param.name(), param)));
        return parts.isEmpty() ? "any" : String.join(", ", parts);
    }

    private static String named(String what, Named named) {
        return named(what, named.match(), named.inverted());
    }

    private static String named(String what, StringMatch match, boolean inverted) {
        String text =
                switch (match) {
                    case StringMatch.Exact exact -> what + " = " + exact.value();
                    case StringMatch.Prefix prefix -> what + " begins with " + prefix.value();
                    case StringMatch.Regex regex -> what + " ~ " + regex.pattern();
                    case StringMatch.Present _ -> what + " present";
                };
        return inverted ? "not " + text : text;
    }

    static String action(Route route) {
        List<String> parts = new ArrayList<>();
        route.filters().forEach(filter -> parts.add(filter.text()));
        parts.add(
                switch (route.action()) {
                    case RouteAction.Forward forward -> "to " + split(forward.clusters()) + patience(forward);
                    case RouteAction.Redirect redirect ->
                        "redirect " + redirect.status()
                                + redirect.authority()
                                        .map(authority -> " to " + authority)
                                        .orElse("");
                    case RouteAction.DirectResponse direct -> "answer " + direct.status();
                });
        return String.join(", ", parts);
    }

    /** How long a request may take and how often it is tried again; empty for a route without bound and retries. */
    static String patience(RouteAction.Forward forward) {
        List<String> parts = new ArrayList<>();
        if (!forward.timeout().isZero()) {
            parts.add("timeout " + Quantities.duration(forward.timeout()));
        }
        RetryPolicy retry = forward.retry();
        if (retry.attempts() > 0) {
            parts.add(retry.attempts() + (retry.attempts() == 1 ? " retry" : " retries") + " on "
                    + String.join(" ", new TreeSet<>(retry.on()))
                    + (retry.perTryTimeout().isZero()
                            ? ""
                            : ", each try at most " + Quantities.duration(retry.perTryTimeout())));
        }
        return parts.isEmpty() ? "" : ", " + String.join(", ", parts);
    }

    /** The shares of a split with their part in percent. */
    static String split(List<WeightedCluster> clusters) {
        int total = clusters.stream().mapToInt(WeightedCluster::weight).sum();
        List<String> shares = new ArrayList<>();
        for (WeightedCluster cluster : clusters) {
            if (clusters.size() == 1) {
                shares.add(cluster.cluster());
            } else if (cluster.weight() > 0) {
                shares.add(Quantities.percent(100.0 * cluster.weight() / total) + " " + cluster.cluster());
            }
        }
        return String.join(", ", shares);
    }
}
