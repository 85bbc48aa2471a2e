package dev.tulle.agent.http;

import dev.tulle.common.Reason;
import dev.tulle.model.Caller;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What the kernel may do by itself with the requests of one service port: a plain value that can be printed and compared,
 * made by {@link HttpTableCompiler}. A request that no route takes, or that no rule proves allowed, is the proxy's.
 *
 * @param routes at most {@value HttpLimits#ROUTES}, the first that matches decides
 * @param rules at most {@value HttpLimits#RULES}: one DENY that matches sends the request to the proxy
 * @param anyAllow true when an ALLOW must match
 * @param concerns which rules concern a caller, as bits; a caller that is not among them is the proxy's when there are
 *     rules
 * @param clusters at most {@value HttpLimits#CLUSTERS}, what the routes' shares name by index
 * @param bodyMax largest request body that the kernel takes, bytes
 */
public record HttpTable(
        List<Route> routes,
        List<Rule> rules,
        boolean anyAllow,
        Map<Caller, Integer> concerns,
        List<ClusterPart> clusters,
        int bodyMax) {
    public HttpTable {
        concerns = Map.copyOf(concerns);
        routes = List.copyOf(routes);
        rules = List.copyOf(rules);
        clusters = List.copyOf(clusters);
    }

    /** Bit of {@link Route#keep}: responses of class 5xx go through the proxy. */
    public static final int KEEP_5XX = 1;
    /** Bit of {@link Route#keep}: 502, 503, 504. */
    public static final int KEEP_GATEWAY = 1 << 1;
    /** Bit of {@link Route#keep}: 503. */
    public static final int KEEP_503 = 1 << 2;
    /** Bit of {@link Route#keep}: 409. */
    public static final int KEEP_409 = 1 << 3;
    /** Bit of {@link Route#keep}: a request with a body goes to the proxy, as it may have to be sent again. */
    public static final int KEEP_BODY = 1 << 7;

    /**
     * A route.
     *
     * @param name the configured route's
     * @param when its conditions; wider than the configured ones where those cannot be proven (then it is not forwarded)
     * @param shares the split, empty when the proxy has to act
     * @param keep which responses the proxy must see, bits
     * @param timeoutMillis bound on the whole request, 0 for none
     * @param reason why the proxy has to act; {@link Reason#NONE} when the kernel forwards
     * @param text the same in words
     */
    public record Route(
            String name, HttpWhen when, List<Share> shares, int keep, int timeoutMillis, Reason reason, String text) {
        public Route {
            shares = List.copyOf(shares);
        }

        /** True when the kernel forwards; false when the proxy has to act. */
        public boolean forwards() {
            return reason == Reason.NONE;
        }

        /** Sum of the weights. */
        public int weight() {
            return shares.stream().mapToInt(Share::weight).sum();
        }

        @Override
        public String toString() {
            return name + ": " + when + " -> " + (forwards() ? shares.toString() : "proxy (" + text + ")");
        }
    }

    /** A part of a split; {@code cluster} is an index into {@link HttpTable#clusters}, the weight is 1 or more. */
    public record Share(int weight, int cluster) {}

    /**
     * Endpoints to choose from.
     *
     * @param name the cluster's name
     * @param members each endpoint as often as its weight says
     * @param leastRequest the less busy of two; otherwise at random
     */
    public record ClusterPart(String name, List<Member> members, boolean leastRequest) {
        public ClusterPart {
            members = List.copyOf(members);
        }
    }

    /** An endpoint on this host. */
    public record Member(String address, int port) {
        @Override
        public String toString() {
            return address + ":" + port;
        }
    }

    /**
     * A policy rule.
     *
     * @param when conditions on the request: narrower than configured in an ALLOW, wider in a DENY, where they cannot be
     *     proven
     * @param allow true for ALLOW, false for DENY
     * @param policy the policy's name, for people
     */
    public record Rule(HttpWhen when, boolean allow, String policy) {}

    /** Names of the header fields that any condition looks at, in lower case. */
    public List<String> names() {
        return Stream.concat(routes.stream().map(Route::when), rules.stream().map(Rule::when))
                .flatMap(when -> when.fields().stream())
                .map(HttpWhen.Field::name)
                .distinct()
                .toList();
    }

    /** All endpoints of all clusters, each once. */
    public List<Member> endpoints() {
        return clusters.stream()
                .flatMap(cluster -> cluster.members().stream())
                .distinct()
                .toList();
    }

    /** The first route that the proxy has to act on; empty when the kernel forwards all. */
    public Optional<Route> firstToProxy() {
        return routes.stream().filter(route -> !route.forwards()).findFirst();
    }
}
