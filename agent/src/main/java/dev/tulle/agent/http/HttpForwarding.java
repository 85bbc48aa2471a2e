package dev.tulle.agent.http;

import dev.tulle.agent.http.HttpTable.ClusterPart;
import dev.tulle.agent.http.HttpTable.Member;
import dev.tulle.agent.http.HttpTable.Share;
import dev.tulle.common.Reason;
import dev.tulle.model.Candidates;
import dev.tulle.model.Cluster;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.WeightedCluster;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Whether the kernel can do what a route does, and the clusters that it needs for that. Holds the clusters of one table
 * while it is made; not thread-safe.
 */
final class HttpForwarding {
    /** Conditions under which the proxy connects anew; a leased connection is connected already. */
    private static final Set<String> WHILE_CONNECTING = Set.of("connect-failure", "refused-stream");

    private final Map<String, Cluster> clusters;
    private final Map<String, EndpointSet> endpoints;
    private final Predicate<String> local;
    private final Map<String, Integer> indexes = new LinkedHashMap<>();
    private final List<ClusterPart> parts = new ArrayList<>();
    private int members;
    private int shares;

    /** What stands in the way, or what is needed to forward. */
    record Outcome(List<Share> shares, int keep, int timeoutMillis, Reason reason, String text) {
        static Outcome toProxy(Reason reason, String text) {
            return new Outcome(List.of(), 0, 0, reason, text);
        }

        boolean forwards() {
            return reason == Reason.NONE;
        }
    }

    /**
     * For one table.
     *
     * @param local true for an address of a workload on this host
     */
    HttpForwarding(Map<String, Cluster> clusters, Map<String, EndpointSet> endpoints, Predicate<String> local) {
        this.clusters = clusters;
        this.endpoints = endpoints;
        this.local = local;
    }

    /** The clusters that forwarding routes use. */
    List<ClusterPart> parts() {
        return parts;
    }

    Outcome of(Route route) {
        if (!(route.action() instanceof RouteAction.Forward forward)) {
            boolean redirect = route.action() instanceof RouteAction.Redirect;
            return Outcome.toProxy(
                    Reason.NEEDS_ANSWER, redirect ? "it answers with a redirect" : "it answers with a fixed response");
        }
        for (RouteFilter filter : route.filters()) {
            Optional<RouteFilter.ProxyWork> work = filter.needsProxy();
            if (work.isPresent()) {
                return Outcome.toProxy(work.get().reason(), "it " + work.get().text());
            }
        }
        if (changes(route.headers())) {
            return Outcome.toProxy(Reason.NEEDS_REWRITE, "it changes header fields");
        }
        if (!forward.rewrite().equals(RouteAction.Rewrite.NONE)) {
            return Outcome.toProxy(Reason.NEEDS_REWRITE, "it rewrites path or authority");
        }
        if (forward.mirrors().stream().anyMatch(mirror -> mirror.partsPerMillion() > 0)) {
            return Outcome.toProxy(Reason.NEEDS_MIRROR, "it mirrors requests");
        }
        long timeout = Math.ceilDiv(forward.timeout().toNanos(), 1_000_000L);
        if (timeout < 0 || timeout > Integer.MAX_VALUE) {
            return Outcome.toProxy(Reason.HTTP_TOO_LARGE, "its timeout of " + forward.timeout() + " is too long");
        }
        Outcome retry = retry(forward.retry());
        return retry.forwards() ? split(forward.clusters(), retry.keep(), (int) timeout) : retry;
    }

    private static boolean changes(HeaderMutation headers) {
        return !headers.request().isEmpty() || !headers.response().isEmpty();
    }

    private static Outcome retry(RetryPolicy retry) {
        if (!retry.perTryTimeout().isZero()) {
            return Outcome.toProxy(Reason.NEEDS_RETRY, "it bounds each try");
        }
        int keep = 0;
        for (String on : retry.attempts() == 0 ? Set.<String>of() : retry.on()) {
            if (WHILE_CONNECTING.contains(on)) {
                continue;
            }
            int bits = bits(on);
            if (bits < 0) {
                return Outcome.toProxy(Reason.NEEDS_RETRY, "it retries on " + on);
            }
            // What the proxy sees of the response can only be tried again if the whole request is known.
            keep |= bits | HttpTable.KEEP_BODY;
        }
        return new Outcome(List.of(), keep, 0, Reason.NONE, "");
    }

    /** The responses that the proxy must see; it decides on each whether to try again, so more is not wrong. */
    private static int bits(String on) {
        return switch (on) {
            case "reset" -> 0;
            case "5xx" -> HttpTable.KEEP_5XX;
            case "gateway-error", "502", "504" -> HttpTable.KEEP_GATEWAY;
            case "503" -> HttpTable.KEEP_503;
            case "retriable-4xx", "409" -> HttpTable.KEEP_409;
            default -> on.matches("5[0-9][0-9]") ? HttpTable.KEEP_5XX : -1;
        };
    }

    private Outcome split(List<WeightedCluster> split, int keep, int timeoutMillis) {
        long total = split.stream().mapToLong(WeightedCluster::weight).sum();
        if (total > Integer.MAX_VALUE) {
            return Outcome.toProxy(Reason.HTTP_TOO_LARGE, "its weights sum to " + total);
        }
        List<Share> made = new ArrayList<>();
        List<ClusterPart> fresh = new ArrayList<>();
        int freshMembers = 0;
        for (WeightedCluster share : split) {
            // As the proxy does: a split whose weights are all 0 goes to the first.
            int weight = total == 0 && made.isEmpty() ? 1 : share.weight();
            if (weight == 0) {
                continue;
            }
            if (changes(share.headers())) {
                return Outcome.toProxy(Reason.NEEDS_REWRITE, "a share of its split changes header fields");
            }
            Integer known = indexes.get(share.cluster());
            int at = known == null ? indexOf(fresh, share.cluster()) : known;
            if (at < 0) {
                Part part = part(share.cluster());
                if (part.part() == null) {
                    return Outcome.toProxy(part.reason(), part.text());
                }
                at = parts.size() + fresh.size();
                fresh.add(part.part());
                freshMembers += part.part().members().size();
            }
            made.add(new Share(weight, at));
        }
        if (made.isEmpty()) {
            return Outcome.toProxy(Reason.NEEDS_ENDPOINT, "it names no cluster");
        }
        if (shares + made.size() > HttpLimits.SHARES
                || parts.size() + fresh.size() > HttpLimits.CLUSTERS
                || members + freshMembers > HttpLimits.MEMBERS) {
            return Outcome.toProxy(
                    Reason.HTTP_TOO_LARGE,
                    "with it the table would have more than " + HttpLimits.SHARES + " shares, " + HttpLimits.CLUSTERS
                            + " clusters or " + HttpLimits.MEMBERS + " weighted endpoints");
        }
        for (ClusterPart part : fresh) {
            indexes.put(part.name(), parts.size());
            parts.add(part);
        }
        shares += made.size();
        members += freshMembers;
        return new Outcome(made, keep, timeoutMillis, Reason.NONE, "");
    }

    private int indexOf(List<ClusterPart> fresh, String name) {
        for (int i = 0; i < fresh.size(); i++) {
            if (fresh.get(i).name().equals(name)) {
                return parts.size() + i;
            }
        }
        return -1;
    }

    private record Part(@Nullable ClusterPart part, Reason reason, String text) {
        static Part none(Reason reason, String text) {
            return new Part(null, reason, text);
        }
    }

    private Part part(String name) {
        Cluster cluster = clusters.get(name);
        EndpointSet set = endpoints.get(name);
        if (cluster == null || set == null || set.endpoints().isEmpty()) {
            return Part.none(Reason.NEEDS_ENDPOINT, "cluster " + name + " has no endpoint");
        }
        if (cluster.tls().isPresent()) {
            return Part.none(Reason.NEEDS_TLS, "cluster " + name + " is spoken to in TLS");
        }
        if (cluster.proxyProtocol() != Cluster.ProxyProtocol.NONE) {
            return Part.none(Reason.NEEDS_TRAFFIC_POLICY, "cluster " + name + " is told for whom a connection is made");
        }
        if (cluster.protocol() == Cluster.Protocol.HTTP2) {
            return Part.none(Reason.NEEDS_HTTP2, "cluster " + name + " is spoken to in HTTP/2");
        }
        if (cluster.maxConnections() > 0
                || cluster.maxPendingRequests() > 0
                || cluster.maxRequestsPerConnection() > 0) {
            return Part.none(Reason.NEEDS_LIMIT, "cluster " + name + " bounds connections or requests");
        }
        List<Endpoint> usable = Candidates.of(set.endpoints());
        boolean ordered = cluster.balancing() == Balancing.ROUND_ROBIN || cluster.balancing() == Balancing.SOURCE_HASH;
        if (cluster.balancing() == Balancing.PASSTHROUGH || (ordered && usable.size() > 1)) {
            // The kernel chooses at random, which is neither taking turns nor the same one for a caller.
            return Part.none(Reason.NEEDS_BALANCING, "cluster " + name + " balances by " + cluster.balancing());
        }
        int divisor = 0;
        for (Endpoint endpoint : usable) {
            if (!local.test(endpoint.address())) {
                boolean number = endpoint.address().matches("[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*");
                return number
                        ? Part.none(Reason.NEEDS_MTLS, "endpoint " + endpoint.address() + " is not on this host")
                        : Part.none(Reason.NEEDS_ENDPOINT, "endpoint " + endpoint.address() + " is a name");
            }
            divisor = gcd(Math.max(1, endpoint.weight()), divisor);
        }
        List<Member> expanded = new ArrayList<>();
        for (Endpoint endpoint : usable) {
            int times = Math.max(1, endpoint.weight()) / divisor;
            if (expanded.size() + times > HttpLimits.MEMBERS) {
                return Part.none(
                        Reason.HTTP_TOO_LARGE,
                        "cluster " + name + " has more than " + HttpLimits.MEMBERS + " weighted endpoints");
            }
            for (int i = 0; i < times; i++) {
                expanded.add(new Member(endpoint.address(), endpoint.port()));
            }
        }
        return new Part(
                new ClusterPart(name, expanded, cluster.balancing() == Balancing.LEAST_REQUEST), Reason.NONE, "");
    }

    private static int gcd(int a, int b) {
        return b == 0 ? a : gcd(b, a % b);
    }
}
