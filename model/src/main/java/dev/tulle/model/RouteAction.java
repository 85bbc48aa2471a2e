package dev.tulle.model;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What a matched route does. */
public sealed interface RouteAction {
    /**
     * Forwards to one of the clusters.
     *
     * @param clusters the split; at least one with a weight above 0
     * @param timeout bound on the whole request until the response is complete; zero means no bound
     * @param retry when to try again
     * @param rewrite changes of path and authority
     * @param mirrors shadow copies whose answers are thrown away
     * @param notFound the status for a share whose cluster there is not: 503, 404 or 500
     */
    record Forward(
            List<WeightedCluster> clusters,
            Duration timeout,
            RetryPolicy retry,
            Rewrite rewrite,
            List<Mirror> mirrors,
            int notFound)
            implements RouteAction {
        public Forward {
            clusters = List.copyOf(clusters);
            mirrors = List.copyOf(mirrors);
            if (notFound != 503 && notFound != 404 && notFound != 500) {
                throw new IllegalArgumentException(
                        "status without a cluster " + notFound + ": expected 503, 404 or 500");
            }
        }

        /** One that answers 503 for a cluster that there is not. */
        public Forward(
                List<WeightedCluster> clusters,
                Duration timeout,
                RetryPolicy retry,
                Rewrite rewrite,
                List<Mirror> mirrors) {
            this(clusters, timeout, retry, rewrite, mirrors, 503);
        }
    }

    /** Answers with a redirect; empty parts keep the request's. */
    record Redirect(
            int status,
            Optional<String> scheme,
            Optional<String> authority,
            Optional<Integer> port,
            Optional<PathRewrite> path)
            implements RouteAction {
        public Redirect {
            scheme.ifPresent(text -> WireText.SCHEME.require("redirect scheme", text));
            authority.ifPresent(text -> WireText.AUTHORITY.require("redirect authority", text));
        }
    }

    /** Answers with a fixed response. */
    record DirectResponse(int status, String body) implements RouteAction {
        public DirectResponse {
            if (status < 200 || status > 599) {
                throw new IllegalArgumentException("direct response status " + status + ": expected 200 to 599");
            }
        }
    }

    /** Changes before forwarding; empty parts keep the request's. */
    record Rewrite(Optional<String> authority, Optional<PathRewrite> path) {
        /** Changes nothing. */
        public static final Rewrite NONE = new Rewrite(Optional.empty(), Optional.empty());

        public Rewrite {
            authority.ifPresent(text -> WireText.AUTHORITY.require("rewrite authority", text));
        }
    }

    /** How the path is changed. */
    sealed interface PathRewrite {
        /** Replaces the whole path, keeps the query. */
        record Full(String path) implements PathRewrite {
            public Full {
                WireText.TARGET.require("rewritten path", path);
            }
        }

        /** Replaces the prefix that the route matched. */
        record MatchedPrefix(String replacement) implements PathRewrite {
            public MatchedPrefix {
                WireText.TARGET.require("replaced prefix", replacement);
            }
        }

        /** Replaces every RE2 match in the path; {@code \1} stands for a group. */
        record Regex(String pattern, String substitution) implements PathRewrite {
            public Regex {
                WireText.TARGET.require("substitution", substitution);
            }
        }
    }

    /** A shadow copy for a share of the requests, in parts per million. */
    record Mirror(String cluster, int partsPerMillion) {}
}
