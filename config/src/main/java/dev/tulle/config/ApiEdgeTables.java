package dev.tulle.config;

import dev.tulle.config.GatewayAttachments.Attached;
import dev.tulle.config.GatewayAttachments.Served;
import dev.tulle.config.IstioGateway.Protocol;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.EdgeTls;
import dev.tulle.model.Listener;
import dev.tulle.model.Listener.Target;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.ServicePort;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Builds what the edge serves of Gateway API: ports, hosts and routes. A request belongs to the listener of its port whose
 * hostname fits best, and to no other; of that one's routes the one with the most specific host counts, then Gateway API's
 * order of matches, then the oldest.
 */
final class ApiEdgeTables {
    private final RouteTables tables;
    private final TreeMap<Integer, List<Served>> ports = new TreeMap<>();
    /** Of listeners of HTTPS; none of one whose Secret has not come. */
    private final Map<Served, EdgeTls> certificates = new HashMap<>();

    private ApiEdgeTables(RouteTables tables) {
        this.tables = tables;
    }

    static ApiEdgeTables of(GatewayAttachments attachments, RouteTables tables, Credentials credentials) {
        ApiEdgeTables edge = new ApiEdgeTables(tables);
        for (Served served : attachments.listeners()) {
            if (served.conflict.isEmpty()) {
                edge.ports
                        .computeIfAbsent(served.listener.port(), _ -> new ArrayList<>())
                        .add(served);
                credentials
                        .edge(served.owner.ref(), served.listener.tls())
                        .ifPresent(tls -> edge.certificates.put(served, tls));
            }
        }
        return edge;
    }

    /** What happens to the connections of each port. */
    List<Target.Chain> chains() {
        List<Target.Chain> all = new ArrayList<>();
        ports.forEach((port, served) -> {
            Served first = served.getFirst();
            switch (first.listener.protocol()) {
                case HTTP -> all.add(new Target.Chain(port, requests(tableOf(first)), first.owner.ref()));
                case HTTPS -> served.forEach(one -> secure(one).ifPresent(all::add));
                case TCP, TLS ->
                    bytes(first)
                            .ifPresent(split -> all.add(
                                    new Target.Chain(port, new Target.Tcp(split.clusters()), first.owner.ref())));
            }
        });
        return all;
    }

    private static Target requests(String table) {
        return new Target.Http(table, false, List.of());
    }

    private Optional<Target.Chain> secure(Served served) {
        ApiListener listener = served.listener;
        boolean everybody = listener.hostname().equals("*");
        List<String> names = everybody ? List.of() : List.of(listener.hostname());
        String table = tableOf(served);
        String name = Listener.EDGE + "_" + table;
        Optional<EdgeTls> tls = certificate(served);
        if (tls.isPresent()) {
            return Optional.of(new Target.Chain(
                    name + (everybody ? ".everybody" : ""),
                    listener.port(),
                    names,
                    tls,
                    requests(table),
                    served.owner.ref()));
        }
        // Its host is nobody's: what another listener has for everybody is not for it.
        return everybody
                ? Optional.empty()
                : Optional.of(Target.Chain.passing(
                        name + ".nobody", listener.port(), names, new Target.Tcp(List.of()), served.owner.ref()));
    }

    private Optional<EdgeTls> certificate(Served served) {
        return Optional.ofNullable(certificates.get(served));
    }

    /** The destinations of the oldest TCPRoute; where there is none the port stays closed. */
    private Optional<RouteTables.Split> bytes(Served served) {
        return served.routes.stream()
                .findFirst()
                .flatMap(attached -> attached.route() instanceof TcpRoute route
                        ? Optional.of(tables.tcp(route, port(served.listener)))
                        : Optional.empty());
    }

    private String tableOf(Served served) {
        ApiListener listener = served.listener;
        return listener.protocol() == Protocol.HTTPS
                ? EdgeTables.secureTable(
                        Protocol.HTTPS,
                        listener.port(),
                        served.owner.namespace() + "/" + served.owner.name(),
                        List.of(listener.hostname()),
                        certificate(served))
                : "http." + listener.port();
    }

    private static ServicePort port(ApiListener listener) {
        AppProtocol spoken = listener.protocol() == Protocol.TCP ? AppProtocol.TCP : AppProtocol.HTTP;
        return new ServicePort(listener.port(), listener.port(), spoken, "");
    }

    /** The route tables of all ports for requests: one of a port of HTTP, one of a listener of HTTPS. */
    List<RouteConfiguration> routes() {
        List<RouteConfiguration> all = new ArrayList<>();
        for (List<Served> port : ports.values()) {
            Served first = port.getFirst();
            switch (first.listener.protocol()) {
                case HTTP -> {
                    Map<String, List<Route>> hosts = new LinkedHashMap<>();
                    port.forEach(served -> hosts.putAll(hosts(served, port)));
                    // What no route of the best listener takes is not for the routes of another one.
                    port.forEach(served -> hosts.putIfAbsent(served.listener.hostname(), List.of()));
                    all.add(table(first, hosts, Set.of()));
                }
                case HTTPS -> {
                    // A host that another certificate is for: its caller has to make a connection for it.
                    Set<String> others = new LinkedHashSet<>();
                    port.forEach(served -> others.add(served.listener.hostname()));
                    for (Served served : port) {
                        if (certificate(served).isPresent()) {
                            Map<String, List<Route>> hosts = hosts(served, port);
                            hosts.putIfAbsent(served.listener.hostname(), List.of());
                            all.add(table(served, hosts, others));
                        }
                    }
                }
                case TCP, TLS -> {}
            }
        }
        return all;
    }

    private RouteConfiguration table(Served served, Map<String, List<Route>> hosts, Set<String> others) {
        return EdgeTables.table(tableOf(served), served.listener.port(), hosts, others, served.owner.ref());
    }

    /** The routes of the hosts for which a listener is the best of its port. */
    private Map<String, List<Route>> hosts(Served served, List<Served> port) {
        Map<String, List<Attached>> byHost = new LinkedHashMap<>();
        for (Attached attached : served.routes) {
            attached.hosts().keySet().forEach(host -> byHost.computeIfAbsent(host, _ -> new ArrayList<>())
                    .add(attached));
        }
        Map<String, List<Route>> made = new LinkedHashMap<>();
        Map<ResourceKey, List<Route>> known = new HashMap<>();
        for (String name : byHost.keySet()) {
            if (port.stream().noneMatch(other -> isCloser(other.listener, served.listener, name))) {
                made.put(name, routesOf(name, served, byHost, known));
            }
        }
        return made;
    }

    /** True when a host belongs to another listener because that one's hostname is narrower. */
    private static boolean isCloser(ApiListener other, ApiListener own, String host) {
        return includes(other.hostname(), host)
                && !other.hostname().equals(own.hostname())
                && includes(own.hostname(), other.hostname());
    }

    /** True when a host name or pattern has nothing that another one does not have. */
    private static boolean includes(String pattern, String host) {
        return pattern.equals(host) || Hosts.covers(pattern, host);
    }

    /** A route of the edge with how closely its object names the host. */
    private record Candidate(Route route, int closeness) {}

    /**
     * The routes of a host: of those that name it most closely first, whose rules come before every rule of the others, as
     * Gateway API has it.
     */
    private List<Route> routesOf(
            String host, Served served, Map<String, List<Attached>> byHost, Map<ResourceKey, List<Route>> known) {
        List<Candidate> all = new ArrayList<>();
        Set<ResourceKey> seen = new HashSet<>();
        for (String name : widening(host)) {
            for (Attached attached : byHost.getOrDefault(name, List.of())) {
                ResourceKey key = attached.route().key();
                if (seen.add(key)) {
                    int closeness =
                            GatewayAttachments.closeness(attached.hosts().getOrDefault(name, ""));
                    known.computeIfAbsent(key, _ -> routes(attached.route(), served))
                            .forEach(route -> all.add(new Candidate(route, closeness)));
                }
            }
        }
        // A stable sort: what is equal keeps the order of routes, the oldest first, and of their rules.
        all.sort(Comparator.<Candidate>comparingInt(candidate -> -candidate.closeness())
                .thenComparing(Candidate::route, RoutePrecedence.MOST_SPECIFIC_FIRST));
        return VirtualHosts.uniquelyNamed(all.stream().map(Candidate::route).toList());
    }

    /** A host name or pattern and all patterns that include it, the narrowest first. */
    static List<String> widening(String host) {
        List<String> all = new ArrayList<>(List.of(host));
        if (!host.equals("*")) {
            for (int dot = host.indexOf('.', Hosts.isPattern(host) ? 2 : 0);
                    dot >= 0;
                    dot = host.indexOf('.', dot + 1)) {
                all.add("*" + host.substring(dot));
            }
            all.add("*");
        }
        return all;
    }

    private List<Route> routes(ConfigResource source, Served served) {
        return source instanceof HttpRoute route
                ? tables.routesOf(route, port(served.listener)).stream()
                        .map(made -> atListener(made, served))
                        .toList()
                : List.of();
    }

    /**
     * With what the listener's object does with all of its requests. A redirect that names no scheme keeps the listener's, to
     * which its port belongs.
     */
    private static Route atListener(Route route, Served served) {
        RouteAction action = route.action();
        if (action instanceof RouteAction.Redirect redirect && redirect.scheme().isEmpty()) {
            String scheme = served.listener.protocol() == Protocol.HTTPS ? "https" : "http";
            action = new RouteAction.Redirect(
                    redirect.status(), Optional.of(scheme), redirect.authority(), redirect.port(), redirect.path());
        }
        return new Route(
                route.name(),
                route.match(),
                action,
                FilterAnnotations.with(route.filters(), served.owner.manifest().filters()),
                route.headers(),
                route.origin());
    }
}
