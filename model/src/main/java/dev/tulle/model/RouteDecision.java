package dev.tulle.model;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is to be done with one request: a plain value that can be printed, made by {@link RouteTable} before any byte
 * moves.
 *
 * @param plan the number of the route and share in its table, 0 or more and dense, so that a data path can keep what it
 *     prepared for them in an array; -1 without a route
 * @param outcome what kind of decision it is
 * @param virtualHost the name of the virtual host, empty when none has the authority
 * @param route the first route that matches; null when none does
 * @param share the chosen part of the traffic split; null unless the outcome is {@link Outcome#FORWARD}
 * @param mirrors the shadow copies of this very request
 * @param reason one sentence for people
 */
public record RouteDecision(
        int plan,
        Outcome outcome,
        String virtualHost,
        @Nullable Route route,
        @Nullable WeightedCluster share,
        List<RouteAction.Mirror> mirrors,
        String reason) {
    /** The decision that there is no route after all, for a reason that is found only when the route is followed. */
    public RouteDecision unrouted(String why) {
        return new RouteDecision(plan, Outcome.NO_ROUTE, virtualHost, null, null, List.of(), why);
    }

    /** The kinds of decisions. */
    public enum Outcome {
        /** To an endpoint of the share's cluster. */
        FORWARD,
        /** Answered with the route's redirect. */
        REDIRECT,
        /** Answered with the route's fixed response. */
        DIRECT_RESPONSE,
        /** No virtual host has the authority, or none of its routes matches: 404 with flag NR. */
        NO_ROUTE
    }
}
