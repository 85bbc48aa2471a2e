package dev.tulle.config;

import dev.tulle.model.HeaderMutation;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.RouteMatch;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * One rule for requests, as VirtualService and HTTPRoute declare it: some matches (any of them) and an action.
 *
 * @param name the rule's name, or its place in the list ({@code http[0]})
 * @param matches alternatives; never empty
 * @param action what happens to a request that matches
 * @param filters what else is done with its requests, in the order in which they meet it
 * @param headers header changes of the whole rule
 */
public record HttpRule(
        String name, List<Match> matches, Action action, List<RouteFilter> filters, HeaderMutation headers) {
    public HttpRule {
        filters = List.copyOf(filters);
        matches = List.copyOf(matches);
    }

    /**
     * One alternative.
     *
     * @param name the match's name, empty when it has none
     * @param port only requests to this port of the service or gateway; empty means every port
     * @param gateways only in the mesh or at these gateways; empty means wherever the rule's object holds
     */
    public record Match(String name, RouteMatch route, OptionalInt port, List<String> gateways) {
        public Match {
            gateways = List.copyOf(gateways);
        }

        /** One that holds wherever its rule does. */
        Match(String name, RouteMatch route, OptionalInt port) {
            this(name, route, port, List.of());
        }

        /** True when it holds for a port, in the mesh or at a gateway. */
        boolean holdsFor(int number, String where) {
            return (port.isEmpty() || port.getAsInt() == number) && (gateways.isEmpty() || gateways.contains(where));
        }
    }

    /** What a rule does. */
    public sealed interface Action {
        /**
         * Forwards.
         *
         * @param destinations the split; may be empty or weightless in an HTTPRoute, which then answers 500
         * @param timeout bound on the whole request; zero means no bound
         * @param rewriteUri replaces the matched prefix where a prefix was matched, else the whole path
         * @param rewrite other changes of path and authority
         */
        record Forward(
                List<Destination> destinations,
                Duration timeout,
                RetryPolicy retry,
                Optional<String> rewriteUri,
                RouteAction.Rewrite rewrite,
                List<Mirror> mirrors)
                implements Action {
            public Forward {
                destinations = List.copyOf(destinations);
                mirrors = List.copyOf(mirrors);
            }
        }

        /**
         * Answers by itself: a redirect or a fixed response.
         *
         * @param atAskedPort whether a redirect without a port keeps the service port that was asked
         */
        record Answer(RouteAction action, boolean atAskedPort) implements Action {
            /** One that needs no port. */
            Answer(RouteAction action) {
                this(action, false);
            }
        }
    }

    /** A shadow copy for a share of the requests, in parts per million. */
    public record Mirror(Destination destination, int partsPerMillion) {}
}
