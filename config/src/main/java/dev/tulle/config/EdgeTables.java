package dev.tulle.config;

import dev.tulle.config.IstioGateway.Host;
import dev.tulle.config.IstioGateway.Protocol;
import dev.tulle.config.IstioGateway.Server;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Listener;
import dev.tulle.model.Listener.Target;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Route;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.ServicePort;
import dev.tulle.model.VirtualHost;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Builds what the edge serves from Gateways and the VirtualServices that name them: ports, hosts and routes. As in Istio,
 * Gateways that have one port share it, VirtualServices that have one host there are put together, the oldest first, and
 * routes for every request come last.
 */
final class EdgeTables {
    /** One port, with what the oldest of its gateways makes of it. */
    private static final class Port {
        final ServicePort number;
        final Protocol protocol;
        final ResourceRef owner;
        final Map<String, List<Route>> hosts = new LinkedHashMap<>();
        Optional<RouteTables.Split> split = Optional.empty();

        Port(Server first, ResourceRef owner) {
            AppProtocol spoken = first.protocol() == Protocol.HTTP ? AppProtocol.HTTP : AppProtocol.TCP;
            this.number = new ServicePort(first.port(), first.port(), spoken, "");
            this.protocol = first.protocol();
            this.owner = owner;
        }
    }

    private final RouteTables tables;
    private final List<IstioGateway> gateways;
    private final TreeMap<Integer, Port> ports = new TreeMap<>();

    private EdgeTables(ConfigSnapshot config, RouteTables tables) {
        this.tables = tables;
        this.gateways = RouteTables.oldestFirst(config.gateways());
    }

    static EdgeTables of(ConfigSnapshot config, RouteTables tables) {
        EdgeTables edge = new EdgeTables(config, tables);
        List<VirtualService> services = RouteTables.oldestFirst(config.virtualServices());
        edge.gateways.forEach(gateway -> gateway.servers().forEach(server -> edge.server(gateway, server, services)));
        services.forEach(edge::reportUnused);
        return edge;
    }

    /** The listener of all ports; empty when there is none. */
    Optional<Listener> listener() {
        if (ports.isEmpty()) {
            return Optional.empty();
        }
        List<Target.Chain> chains = ports.values().stream()
                .filter(port -> port.protocol == Protocol.HTTP || port.split.isPresent())
                .map(port -> new Target.Chain(port.number.number(), target(port), port.owner))
                .toList();
        return chains.isEmpty()
                ? Optional.empty()
                : Optional.of(
                        new Listener(Listener.EDGE, "0.0.0.0", chains.getFirst().port(), "", new Target.Edge(chains)));
    }

    private static Target target(Port port) {
        return port.split
                .<Target>map(split -> new Target.Tcp(split.clusters()))
                .orElseGet(() -> new Target.Http(tableOf(port), false, List.of()));
    }

    /** No name of a service's table looks so. */
    private static String tableOf(Port port) {
        return "http." + port.number.number();
    }

    /** The route tables of all ports for requests. */
    List<RouteConfiguration> routes() {
        return ports.values().stream()
                .filter(port -> port.protocol == Protocol.HTTP)
                .map(EdgeTables::table)
                .toList();
    }

    private static RouteConfiguration table(Port port) {
        List<VirtualHost> hosts = new ArrayList<>();
        port.hosts.forEach((host, routes) -> hosts.add(new VirtualHost(
                host + ":" + port.number.number(), List.of(host), RouteTables.uniquelyNamed(catchAllLast(routes)))));
        return new RouteConfiguration(tableOf(port), hosts);
    }

    private static List<Route> catchAllLast(List<Route> routes) {
        List<Route> sorted = new ArrayList<>(
                routes.stream().filter(route -> !takesEverything(route.match())).toList());
        routes.stream().filter(route -> takesEverything(route.match())).forEach(sorted::add);
        return sorted;
    }

    private static boolean takesEverything(RouteMatch match) {
        boolean path =
                match.path().equals(new PathMatch.Prefix("/")) || match.path().equals(new PathMatch.Regex(".*"));
        return path
                && match.method().isEmpty()
                && match.headers().isEmpty()
                && match.queryParams().isEmpty();
    }

    private void server(IstioGateway gateway, Server server, List<VirtualService> services) {
        Port port = ports.get(server.port());
        boolean first = port == null;
        if (port == null) {
            port = new Port(server, gateway.ref());
            ports.put(server.port(), port);
        }
        boolean shares = first || (port.protocol == Protocol.HTTP && server.protocol() == Protocol.HTTP);
        if (!shares) {
            tables.warn(
                    Warning.GATEWAY_PORT_TAKEN,
                    gateway.ref(),
                    server.position(),
                    server.port() + " " + server.protocol(),
                    "a port that no other server has, or the protocol HTTP at both",
                    "this server has no effect: " + port.owner + " serves the port as " + port.protocol);
            return;
        }
        for (VirtualService service : services) {
            if (service.isFor(gateway.gatewayName())) {
                attach(port, server, gateway, service);
            }
        }
    }

    private void attach(Port port, Server server, IstioGateway gateway, VirtualService service) {
        Set<String> hosts = new HashSet<>();
        for (int i = 0; i < service.hosts().size(); i++) {
            for (Host host : server.hosts()) {
                if (host.isFor(service.namespace())) {
                    both(host.name(), hostname(service, i)).ifPresent(hosts::add);
                }
            }
        }
        if (hosts.isEmpty()) {
            return;
        }
        if (port.protocol == Protocol.TCP) {
            port.split = port.split.or(() -> tables.tcp(service, port.number, gateway.gatewayName()));
            return;
        }
        List<Route> routes = tables.routesOf(service, port.number, gateway.gatewayName());
        hosts.stream().sorted().forEach(host -> {
            List<Route> known = port.hosts.computeIfAbsent(host, _ -> new ArrayList<>());
            // Two gateways of the port may be named by one object.
            routes.stream().filter(route -> !known.contains(route)).forEach(known::add);
        });
    }

    /** At a gateway a name without dots is a service's, as everywhere; every other one is meant as it is written. */
    private static String hostname(VirtualService service, int index) {
        String host = service.hosts().get(index).toLowerCase(Locale.ROOT);
        return host.indexOf('.') < 0 && !Hosts.isPattern(host)
                ? Hosts.serviceHostname(host, service.namespace())
                : host;
    }

    /** What two names or patterns have in common. */
    static Optional<String> both(String one, String other) {
        if (one.equals(other) || Hosts.covers(one, other)) {
            return Optional.of(other);
        }
        return Hosts.covers(other, one) ? Optional.of(one) : Optional.empty();
    }

    private void reportUnused(VirtualService service) {
        List<IstioGateway> named = new ArrayList<>();
        for (String name : service.gateways()) {
            Optional<IstioGateway> found = gateways.stream()
                    .filter(gateway -> gateway.gatewayName().equals(name))
                    .findFirst();
            found.ifPresent(named::add);
            if (found.isEmpty() && !name.equals(VirtualService.MESH)) {
                tables.warn(
                        Warning.NO_GATEWAY,
                        service.ref(),
                        new Position(service.ref().line(), 1, "spec.gateways"),
                        name,
                        "NAMESPACE/NAME of a Gateway",
                        "no such gateway yet: the rules take effect there when it appears");
            }
        }
        if (named.isEmpty() || service.isFor(VirtualService.MESH)) {
            return;
        }
        for (int i = 0; i < service.hosts().size(); i++) {
            String host = hostname(service, i);
            if (named.stream()
                    .flatMap(gateway -> gateway.servers().stream())
                    .flatMap(server -> server.hosts().stream())
                    .noneMatch(at -> at.isFor(service.namespace())
                            && both(at.name(), host).isPresent())) {
                tables.warn(
                        Warning.NOT_AT_GATEWAY,
                        service.ref(),
                        service.hostPositions().get(i),
                        service.hosts().get(i),
                        "a host that a server of the gateway has",
                        "the gateway serves no such host: nobody reaches these rules");
            }
        }
    }
}
