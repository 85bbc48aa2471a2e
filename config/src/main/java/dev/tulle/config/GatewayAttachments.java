package dev.tulle.config;

import dev.tulle.config.Problem.Severity;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which listeners of Gateway API's Gateways and ListenerSets are served, which routes are attached to them, and why others
 * are not. Pure.
 */
final class GatewayAttachments {
    /**
     * A route at a listener.
     *
     * @param hosts what both have in common, {@code *} for all, with the host name of the route by which that is so, empty
     *     where the route names none; nothing of a TCPRoute
     */
    record Attached(ConfigResource route, Map<String, String> hosts) {
        Attached {
            hosts = Collections.unmodifiableMap(new LinkedHashMap<>(hosts));
        }
    }

    /** A listener and what is attached to it. */
    static final class Served {
        final ApiListener listener;
        /** The Gateway or ListenerSet that has it. */
        final ConfigResource owner;
        /** Why it has no effect; empty when it has. */
        final String conflict;
        /** In the order in which they count. */
        final List<Attached> routes = new ArrayList<>();

        private final Map<String, List<Attached>> byKind = new HashMap<>();

        Served(ApiListener listener, ConfigResource owner, String conflict) {
            this.listener = listener;
            this.owner = owner;
            this.conflict = conflict;
        }
    }

    /** Why a parent did not take a route, in Gateway API's word and a sentence. */
    record Reason(String word, String message) {}

    /** What has become of a route at one parent. */
    record Outcome(ConfigResource route, ApiParent parent, Optional<Reason> refused) {}

    private final ConfigSnapshot config;
    private final List<Problem> problems;
    private final Map<ResourceKey, List<Served>> byOwner = new LinkedHashMap<>();
    private final Map<ResourceKey, Reason> refusedSets = new HashMap<>();
    private final List<Outcome> outcomes = new ArrayList<>();

    private GatewayAttachments(ConfigSnapshot config, List<Problem> problems) {
        this.config = config;
        this.problems = problems;
    }

    /** Finds out; what has no effect is told to {@code problems}. */
    static GatewayAttachments of(ConfigSnapshot config, EdgeClaims claims, List<Problem> problems) {
        GatewayAttachments all = new GatewayAttachments(config, problems);
        all.listeners(claims);
        all.refusedSets();
        all.routes();
        return all;
    }

    /** All listeners of accepted parents, in the order in which they count. */
    List<Served> listeners() {
        return byOwner.values().stream().flatMap(List::stream).toList();
    }

    /** The listeners of a Gateway or ListenerSet. */
    List<Served> listenersOf(ResourceKey owner) {
        return byOwner.getOrDefault(owner, List.of());
    }

    /** Why a ListenerSet adds nothing to its Gateway. */
    Optional<Reason> refused(ListenerSet set) {
        return Optional.ofNullable(refusedSets.get(set.key()));
    }

    /** What has become of the routes at their parents. */
    List<Outcome> outcomes() {
        return List.copyOf(outcomes);
    }

    private void listeners(EdgeClaims claims) {
        Map<List<Object>, ConfigResource> places = new HashMap<>();
        List<ApiGateway> gateways = config.apiGateways().stream()
                .sorted(ConfigResource.GATEWAY_API_ORDER)
                .toList();
        for (ApiGateway gateway : gateways) {
            gateway.listeners().forEach(listener -> listener(listener, gateway, claims, places));
            byOwner.computeIfAbsent(gateway.key(), _ -> new ArrayList<>());
            for (ListenerSet set : EdgeClaims.setsOf(gateway, config)) {
                byOwner.computeIfAbsent(set.key(), _ -> new ArrayList<>());
                set.listeners().forEach(listener -> listener(listener, set, claims, places));
            }
        }
    }

    private void listener(
            ApiListener listener, ConfigResource owner, EdgeClaims claims, Map<List<Object>, ConfigResource> places) {
        Optional<EdgeClaims.Claim> taken = claims.taken(listener.port(), listener.protocol(), true);
        String conflict = taken.map(claim -> claim.owner() + " serves the port as "
                        + (claim.ofGatewayApi() ? "" : "Istio's ") + claim.protocol())
                .orElse("");
        if (taken.isEmpty()) {
            ConfigResource other = places.putIfAbsent(List.of(listener.port(), listener.hostname()), owner);
            conflict = other == null ? "" : other.ref() + " serves " + listener;
        }
        if (!conflict.isEmpty()) {
            problems.add(Problems.at(
                            Severity.WARNING,
                            owner.ref(),
                            listener.position(),
                            listener.toString(),
                            "a port, or of HTTP and HTTPS a hostname, that no other listener has",
                            "this listener has no effect: " + conflict)
                    .as(Warning.GATEWAY_PORT_TAKEN));
        }
        byOwner.computeIfAbsent(owner.key(), _ -> new ArrayList<>()).add(new Served(listener, owner, conflict));
    }

    private void refusedSets() {
        for (ListenerSet set : config.listenerSets()) {
            Optional<ConfigResource> gateway = config.find(set.gateway());
            if (gateway.isEmpty()) {
                noParent(set, set.position(), set.gateway().toString(), "no such Gateway yet");
                refusedSets.put(set.key(), new Reason("Invalid", "no such Gateway: " + set.gateway()));
            } else if (!byOwner.containsKey(set.key())) {
                NamespaceChoice choice = ((ApiGateway) gateway.get()).sets();
                String message = "the Gateway takes ListenerSets of "
                        + choice.describe(set.gateway().namespace());
                problems.add(Problems.at(
                                Severity.WARNING,
                                set.ref(),
                                set.position(),
                                set.gateway().toString(),
                                "a Gateway whose allowedListeners admit the namespace " + set.namespace(),
                                "these listeners have no effect: " + message)
                        .as(Warning.NOT_ALLOWED));
                refusedSets.put(set.key(), new Reason("NotAllowed", message));
            }
        }
    }

    private void noParent(ConfigResource resource, Position at, String value, String message) {
        problems.add(Problems.at(
                        Severity.WARNING,
                        resource.ref(),
                        at,
                        value,
                        "a Gateway or ListenerSet, and a listener of it",
                        message + ": it takes effect there when it appears")
                .as(Warning.NO_PARENT));
    }

    private void routes() {
        List<ConfigResource> routes = new ArrayList<>(config.httpRoutes());
        routes.addAll(config.tcpRoutes());
        routes.sort(ConfigResource.GATEWAY_API_ORDER);
        for (ConfigResource route : routes) {
            List<ApiParent> parents = route instanceof HttpRoute http
                    ? http.gateways()
                    : route instanceof TcpRoute tcp ? tcp.gateways() : List.of();
            for (ApiParent parent : parents) {
                outcomes.add(new Outcome(route, parent, attach(route, parent)));
            }
        }
    }

    /** Why no listener of a parent takes a route; empty when one does. */
    private Optional<Reason> attach(ConfigResource route, ApiParent parent) {
        List<Served> all = listenersOf(parent.parent());
        List<Served> meant =
                all.stream().filter(served -> parent.means(served.listener)).toList();
        if (meant.isEmpty()) {
            boolean known = byOwner.containsKey(parent.parent());
            String message = known
                    ? "it has no such listener"
                    : config.find(parent.parent()).isPresent()
                            ? "its Gateway does not take its listeners"
                            : "no such parent yet";
            noParent(route, parent.position(), parent.toString(), message);
            return Optional.of(new Reason("NoMatchingParent", message));
        }
        List<Served> open =
                meant.stream().filter(served -> takes(served, route)).toList();
        if (open.isEmpty()) {
            String kind = route.ref().kind();
            ApiListener first = meant.getFirst().listener;
            String message = first.kinds().contains(kind)
                    ? "the listener " + first.name() + " takes routes of "
                            + first.namespaces().describe(parent.parent().namespace())
                    : "the listener " + first.name() + " (" + first.protocol() + ") takes no " + kind;
            refuse(
                    route,
                    parent,
                    Warning.NOT_ALLOWED,
                    "a listener whose allowedRoutes admit a " + kind + " of the namespace " + route.namespace(),
                    message);
            return Optional.of(new Reason("NotAllowedByListeners", message));
        }
        if (!(route instanceof HttpRoute http)) {
            open.forEach(served -> add(served, new Attached(route, Map.of())));
            return Optional.empty();
        }
        boolean common = false;
        Optional<ConfigResource> rival = Optional.empty();
        boolean taken = false;
        for (Served served : open) {
            Map<String, String> hosts = hosts(http, served.listener);
            if (hosts.isEmpty()) {
                continue;
            }
            common = true;
            Optional<ConfigResource> other = otherKind(http, served, hosts.keySet());
            if (other.isPresent()) {
                rival = other;
            } else {
                add(served, new Attached(route, hosts));
                taken = true;
            }
        }
        if (!common) {
            String message = "none of its host names is served by a listener that it names";
            refuse(route, parent, Warning.NO_COMMON_HOST, "a host name that a listener has as well", message);
            return Optional.of(new Reason("NoMatchingListenerHostname", message));
        }
        if (!taken) {
            String message = rival.map(ConfigResource::ref).orElse(route.ref())
                    + " has the same host there, and routes of the two kinds are not put together";
            refuse(route, parent, Warning.HOST_ROUTED_TWICE, "hosts that no route of the other kind has", message);
            return Optional.of(new Reason("HostnameConflict", message));
        }
        return Optional.empty();
    }

    private void refuse(ConfigResource route, ApiParent parent, Warning warning, String expected, String message) {
        problems.add(Problems.at(
                        Severity.WARNING,
                        route.ref(),
                        parent.position(),
                        parent.toString(),
                        expected,
                        "the route has no effect at this parent: " + message)
                .as(warning));
    }

    private boolean takes(Served served, ConfigResource route) {
        ApiListener listener = served.listener;
        return listener.kinds().contains(route.ref().kind())
                && listener.namespaces()
                        .admits(served.owner.namespace(), route.namespace(), config.labelsOf(route.namespace()));
    }

    /** What a route and a listener have in common: of two that cover each other the narrower. */
    private static Map<String, String> hosts(HttpRoute route, ApiListener listener) {
        if (route.hostnames().isEmpty()) {
            return Map.of(listener.hostname(), "");
        }
        Map<String, String> common = new LinkedHashMap<>();
        for (String own : route.hostnames()) {
            EdgeTables.both(listener.hostname(), own)
                    .ifPresent(both ->
                            common.merge(both, own, (one, other) -> closeness(one) < closeness(other) ? other : one));
        }
        return common;
    }

    /** How closely a route names its hosts: an exact name is closer than every pattern, a longer one of two patterns is. */
    static int closeness(String hostname) {
        return Hosts.isPattern(hostname) || hostname.isEmpty() ? hostname.length() : Integer.MAX_VALUE;
    }

    /** The route of the other kind, HTTPRoute or GRPCRoute, that was there before and has a host in common. */
    private static Optional<ConfigResource> otherKind(HttpRoute route, Served served, Set<String> hosts) {
        String other = route.isGrpc() ? "HTTPRoute" : HttpRoute.GRPC;
        return served.byKind.getOrDefault(other, List.of()).stream()
                .filter(attached -> attached.hosts().keySet().stream().anyMatch(theirs -> hosts.stream()
                        .anyMatch(own -> EdgeTables.both(theirs, own).isPresent())))
                .map(Attached::route)
                .findFirst();
    }

    private static void add(Served served, Attached attached) {
        // Two parents of a route may mean one listener; routes come one after the other.
        boolean known = !served.routes.isEmpty()
                && served.routes.getLast().route().key().equals(attached.route().key());
        if (!known) {
            served.routes.add(attached);
            served.byKind
                    .computeIfAbsent(attached.route().ref().kind(), _ -> new ArrayList<>())
                    .add(attached);
        }
    }
}
