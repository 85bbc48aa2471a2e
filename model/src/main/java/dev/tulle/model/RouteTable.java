package dev.tulle.model;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * A {@link RouteConfiguration} made ready to decide: virtual host by authority (exact, then the longest {@code
 * *.suffix}, then {@code *}), then the first route that matches. Pure and immutable: any thread may decide with one
 * table; chance comes in as a parameter. Decisions without chance in them are made once, at compilation.
 */
public final class RouteTable {
    private static final class Host {
        final VirtualHost source;
        final Entry[] routes;
        final RouteDecision none;

        Host(VirtualHost source, Entry[] routes) {
            this.source = source;
            this.routes = routes;
            this.none = noRoute(source.name(), "no route of virtual host " + source.name() + " matches");
        }
    }

    private static final class Entry {
        final Route route;
        final RouteCondition condition;
        final RouteDecision[] shares;
        final int[] cumulative;
        final boolean chance;

        Entry(Route route, RouteDecision[] shares, int[] cumulative) {
            this.route = route;
            this.condition = new RouteCondition(route.match());
            this.shares = shares;
            this.cumulative = cumulative;
            this.chance = route.action() instanceof RouteAction.Forward forward
                    && !forward.mirrors().isEmpty();
        }
    }

    private record Suffix(String suffix, Host host) {}

    private final RouteConfiguration source;
    private final Map<String, Host> exact = new HashMap<>();
    private final List<Suffix> suffixes = new ArrayList<>();
    private final @Nullable Host any;
    private final List<RouteDecision> plans = new ArrayList<>();
    private final RouteDecision noHost;

    private RouteTable(RouteConfiguration source) {
        this.source = source;
        this.noHost = noRoute("", "no virtual host of " + source.name() + " has the authority");
        Host wildcard = null;
        for (VirtualHost virtualHost : source.virtualHosts()) {
            Host host = compile(virtualHost);
            for (String domain : virtualHost.domains()) {
                String lower = domain.toLowerCase(Locale.ROOT);
                if (lower.equals("*")) {
                    wildcard = wildcard == null ? host : wildcard;
                } else if (lower.startsWith("*")) {
                    suffixes.add(new Suffix(lower.substring(1), host));
                } else {
                    exact.putIfAbsent(lower, host);
                }
            }
        }
        suffixes.sort(Comparator.comparingInt((Suffix s) -> s.suffix.length()).reversed());
        any = wildcard;
    }

    /**
     * Makes a table ready.
     *
     * @throws dev.tulle.model.regex.RegexException when a regular expression is not taken
     */
    public static RouteTable compile(RouteConfiguration configuration) {
        return new RouteTable(configuration);
    }

    private Host compile(VirtualHost virtualHost) {
        List<Entry> entries = new ArrayList<>();
        for (Route route : virtualHost.routes()) {
            entries.add(compile(virtualHost, route));
        }
        return new Host(virtualHost, entries.toArray(Entry[]::new));
    }

    private Entry compile(VirtualHost virtualHost, Route route) {
        String said = "route " + route.name() + " of virtual host " + virtualHost.name() + " matches";
        if (!(route.action() instanceof RouteAction.Forward forward)) {
            RouteDecision.Outcome outcome = route.action() instanceof RouteAction.Redirect
                    ? RouteDecision.Outcome.REDIRECT
                    : RouteDecision.Outcome.DIRECT_RESPONSE;
            return new Entry(route, new RouteDecision[] {plan(outcome, virtualHost, route, null, said)}, new int[] {1});
        }
        List<WeightedCluster> clusters = forward.clusters();
        int total = clusters.stream().mapToInt(WeightedCluster::weight).sum();
        List<RouteDecision> shares = new ArrayList<>();
        int[] cumulative = new int[clusters.size()];
        int sum = 0;
        for (WeightedCluster share : clusters) {
            // A split whose weights are all 0 (only possible for a single share in practice) sends to the first.
            int weight = total == 0 && shares.isEmpty() ? 1 : share.weight();
            sum += weight;
            cumulative[shares.size()] = sum;
            String part = clusters.size() == 1
                    ? "; cluster " + share.cluster()
                    : "; cluster " + share.cluster() + " has weight " + share.weight() + " of " + total;
            shares.add(plan(RouteDecision.Outcome.FORWARD, virtualHost, route, share, said + part));
        }
        if (shares.isEmpty()) {
            throw new IllegalArgumentException(
                    source.name() + ": route " + route.name() + " forwards to no cluster, expected at least one");
        }
        return new Entry(route, shares.toArray(RouteDecision[]::new), cumulative);
    }

    private RouteDecision plan(
            RouteDecision.Outcome outcome,
            VirtualHost virtualHost,
            Route route,
            @Nullable WeightedCluster share,
            String reason) {
        RouteDecision decision =
                new RouteDecision(plans.size(), outcome, virtualHost.name(), route, share, List.of(), reason);
        plans.add(decision);
        return decision;
    }

    private static RouteDecision noRoute(String virtualHost, String reason) {
        return new RouteDecision(-1, RouteDecision.Outcome.NO_ROUTE, virtualHost, null, null, List.of(), reason);
    }

    /** The configuration that was compiled. */
    public RouteConfiguration source() {
        return source;
    }

    /** Every decision that can be made, without mirrors, in the order of {@link RouteDecision#plan()}. */
    public List<RouteDecision> plans() {
        return List.copyOf(plans);
    }

    /** Decides on one request. */
    public RouteDecision decide(RequestView request, RandomGenerator random) {
        Host host = host(request);
        if (host == null) {
            return noHost;
        }
        String path = request.path();
        for (Entry entry : host.routes) {
            if (entry.condition.matches(request, path)) {
                RouteDecision decision = entry.shares[0];
                if (entry.shares.length > 1) {
                    decision = entry.shares[draw(entry.cumulative, random)];
                }
                return entry.chance ? withChance(decision, entry.route, random) : decision;
            }
        }
        return host.none;
    }

    /** The virtual host for an authority; empty string when none has it. For explanations. */
    public String virtualHostFor(RequestView request) {
        Host host = host(request);
        return host == null ? "" : host.source.name();
    }

    private @Nullable Host host(RequestView request) {
        if (exact.isEmpty() && suffixes.isEmpty()) {
            return any;
        }
        String authority = lowerCase(request.authority());
        Host host = exact.get(authority);
        if (host != null) {
            return host;
        }
        String name = withoutPort(authority);
        if (name.length() != authority.length()) {
            host = exact.get(name);
            if (host != null) {
                return host;
            }
        }
        for (Suffix suffix : suffixes) {
            if (below(name, suffix.suffix) || below(authority, suffix.suffix)) {
                return suffix.host;
            }
        }
        return any;
    }

    /** "*.example.com" needs something in the star's place. */
    private static boolean below(String name, String suffix) {
        return name.length() > suffix.length() && name.endsWith(suffix);
    }

    private static String lowerCase(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= 'A' && c <= 'Z') {
                return text.toLowerCase(Locale.ROOT);
            }
        }
        return text;
    }

    private static String withoutPort(String authority) {
        int colon = authority.lastIndexOf(':');
        if (colon < 0 || authority.indexOf(']', colon) >= 0) {
            return authority;
        }
        return authority.substring(0, colon);
    }

    private static int draw(int[] cumulative, RandomGenerator random) {
        int drawn = random.nextInt(cumulative[cumulative.length - 1]);
        int i = 0;
        while (drawn >= cumulative[i]) {
            i++;
        }
        return i;
    }

    private static RouteDecision withChance(RouteDecision decision, Route route, RandomGenerator random) {
        List<RouteAction.Mirror> mirrors = List.of();
        if (route.action() instanceof RouteAction.Forward forward
                && !forward.mirrors().isEmpty()) {
            mirrors = forward.mirrors().stream()
                    .filter(m -> FaultInjection.hit(m.partsPerMillion(), random))
                    .toList();
        }
        return new RouteDecision(
                decision.plan(),
                decision.outcome(),
                decision.virtualHost(),
                decision.route(),
                decision.share(),
                mirrors,
                decision.reason());
    }
}
