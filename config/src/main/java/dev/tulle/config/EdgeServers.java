package dev.tulle.config;

import dev.tulle.config.IstioGateway.Host;
import dev.tulle.config.IstioGateway.Protocol;
import dev.tulle.config.IstioGateway.Server;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.EdgeTls;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Route;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.ServicePort;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * What Gateways' servers and the VirtualServices that name them make of each port of the edge. As in Istio, Gateways that have
 * one port share it, and VirtualServices that have one host there are put together, the oldest first.
 */
final class EdgeServers {
    /** One port, with what the oldest of its gateways makes of it. */
    static final class Port {
        final ServicePort number;
        final Protocol protocol;
        final ResourceRef owner;
        final GatewayTopology topology;
        final List<Chain> chains = new ArrayList<>();

        Port(Server first, IstioGateway owner) {
            AppProtocol spoken =
                    switch (first.protocol()) {
                        case TCP, TLS -> AppProtocol.TCP;
                        case HTTP, HTTPS -> AppProtocol.HTTP;
                    };
            this.number = new ServicePort(first.port(), first.port(), spoken, "");
            this.protocol = first.protocol();
            this.owner = owner.ref();
            this.topology = owner.topology();
        }

        /** The chain of a server: its own where callers ask for it by a name, else the port's. */
        Chain chain(IstioGateway gateway, Server server, List<Host> hosts, Optional<EdgeTls> tls) {
            if (protocol.isByName() || chains.isEmpty()) {
                List<String> names = hosts.stream().map(Host::name).toList();
                String table = protocol.isByName()
                        ? EdgeTables.secureTable(server.protocol(), server.port(), gateway.gatewayName(), names, tls)
                        : "http." + server.port();
                chains.add(new Chain(table, server, tls, gateway.ref()));
            }
            return chains.getLast();
        }

        boolean isServed(Chain chain) {
            return protocol != Protocol.TCP || chain.split.isPresent();
        }
    }

    /** What callers of a port get, or those of them who ask for some names. */
    static final class Chain {
        final String table;
        final Protocol protocol;
        final ServerTls kind;
        /** Empty where none ends here, or not yet, as its Secret has not come. */
        final Optional<EdgeTls> tls;

        final ResourceRef owner;
        /** The hosts of its servers. */
        final Set<String> names = new LinkedHashSet<>();
        /** The routes of hosts, as its servers and VirtualServices have them together. */
        final Map<String, List<Route>> hosts = new LinkedHashMap<>();

        final Set<String> redirected = new HashSet<>();
        /** Every one of its servers says that HTTP/2 is spoken. */
        boolean http2 = true;

        Optional<RouteTables.Split> split = Optional.empty();
        /** Where TLS goes that passes through, by the names that are asked for. */
        final Map<String, RouteTables.Split> passages = new LinkedHashMap<>();

        Chain(String table, Server server, Optional<EdgeTls> tls, ResourceRef owner) {
            this.table = table;
            this.protocol = server.protocol();
            this.kind = server.tls();
            this.tls = server.protocol() == Protocol.TLS ? tls.map(EdgeTls::forBytes) : tls;
            this.owner = owner;
        }

        /** Its names as callers ask for them, without that of everybody. */
        List<String> serverNames() {
            return names.stream().filter(name -> !name.equals("*")).toList();
        }

        boolean readsRequests() {
            return protocol == Protocol.HTTP || (protocol == Protocol.HTTPS && tls.isPresent());
        }
    }

    private final RouteTables tables;
    private final EdgeClaims claims;
    private final Credentials credentials;
    private final List<IstioGateway> gateways;
    private final TreeMap<Integer, Port> ports = new TreeMap<>();

    private EdgeServers(ConfigSnapshot config, EdgeClaims claims, RouteTables tables, Credentials credentials) {
        this.tables = tables;
        this.claims = claims;
        this.credentials = credentials;
        this.gateways = RouteTables.oldestFirst(config.gateways());
    }

    /** The ports in their order. */
    static List<Port> ports(ConfigSnapshot config, EdgeClaims claims, RouteTables tables, Credentials credentials) {
        EdgeServers edge = new EdgeServers(config, claims, tables, credentials);
        List<VirtualService> services = RouteTables.oldestFirst(config.virtualServices());
        for (IstioGateway gateway : edge.gateways) {
            gateway.servers().forEach(server -> edge.server(gateway, server, services));
        }
        services.forEach(edge::reportUnused);
        return List.copyOf(edge.ports.values());
    }

    private void server(IstioGateway gateway, Server server, List<VirtualService> services) {
        Port port = ports.get(server.port());
        Optional<ResourceRef> taken = claims.taken(server.port(), server.protocol(), false)
                .map(EdgeClaims.Claim::owner)
                .or(() -> Optional.ofNullable(ports.get(server.port()))
                        .filter(_ -> server.protocol() == Protocol.TCP)
                        .map(known -> known.owner));
        if (taken.isPresent()) {
            tables.warn(
                    Warning.GATEWAY_PORT_TAKEN,
                    gateway.ref(),
                    server.position(),
                    server.port() + " " + server.protocol(),
                    "a port that no other server has, or HTTP at both, or HTTPS and TLS alone",
                    "this server has no effect: " + taken.get() + " serves the port as "
                            + claims.protocolOf(server.port()));
            return;
        }
        if (port == null) {
            port = new Port(server, gateway);
            ports.put(server.port(), port);
        }
        List<Host> hosts = hostsOf(port, gateway, server);
        if (hosts.isEmpty()) {
            return;
        }
        if (!gateway.topology().isSame(port.topology)) {
            tables.warn(
                    Warning.GATEWAY_PORT_TAKEN,
                    gateway.ref(),
                    gateway.topology().position().orElse(server.position()),
                    server.port() + " " + gateway.topology().text(),
                    "the same gatewayTopology at all gateways of a port",
                    "it has no effect at port " + server.port() + ": there " + port.owner + " says "
                            + port.topology.text());
        }
        Optional<EdgeTls> tls = credentials.edge(gateway.ref(), server.tls());
        Chain chain = port.chain(gateway, server, hosts, tls);
        hosts.forEach(host -> chain.names.add(host.name()));
        chain.http2 &= server.http2();
        if (server.redirects()) {
            hosts.forEach(host -> {
                chain.hosts.computeIfAbsent(host.name(), _ -> new ArrayList<>());
                chain.redirected.add(host.name());
            });
        }
        for (VirtualService service : services) {
            if (service.isFor(gateway.gatewayName())) {
                attach(port, chain, hosts, server.redirects(), gateway, service);
            }
        }
    }

    /** The hosts of a server, but for those for which the port has another certificate already. */
    private List<Host> hostsOf(Port port, IstioGateway gateway, Server server) {
        if (!port.protocol.isByName()) {
            return server.hosts();
        }
        List<Host> free = new ArrayList<>();
        for (Host host : server.hosts()) {
            Optional<Chain> taken = port.chains.stream()
                    .filter(chain -> chain.names.contains(host.name()))
                    .findFirst();
            if (taken.isEmpty()) {
                free.add(host);
            } else {
                tables.warn(
                        Warning.GATEWAY_PORT_TAKEN,
                        gateway.ref(),
                        server.position(),
                        host.name(),
                        "a host that no other server of the port has",
                        "the host has no effect here: " + taken.get().owner + " serves it at the port "
                                + server.port());
            }
        }
        return free;
    }

    private void attach(
            Port port,
            Chain chain,
            List<Host> servers,
            boolean redirects,
            IstioGateway gateway,
            VirtualService service) {
        Set<String> hosts = new HashSet<>();
        for (int i = 0; i < service.hosts().size(); i++) {
            for (Host host : servers) {
                if (host.isFor(service.namespace())) {
                    EdgeTables.both(host.name(), hostname(service, i)).ifPresent(hosts::add);
                }
            }
        }
        if (hosts.isEmpty()) {
            return;
        }
        if (chain.kind instanceof ServerTls.Passing) {
            pass(port, chain, servers, gateway, service);
            return;
        }
        if (chain.protocol == Protocol.TCP || chain.protocol == Protocol.TLS) {
            chain.split = chain.split.or(() -> tables.tcp(service, port.number, gateway.gatewayName()));
            return;
        }
        List<Route> routes = tables.routesOf(service, port.number, gateway.gatewayName()).stream()
                .map(route -> with(route, gateway.manifest().filters()))
                .toList();
        hosts.stream().sorted().forEach(host -> {
            List<Route> known = chain.hosts.computeIfAbsent(host, _ -> new ArrayList<>());
            if (redirects) {
                chain.redirected.add(host);
            }
            // Two gateways of the port may be named by one object.
            routes.stream().filter(route -> !known.contains(route)).forEach(known::add);
        });
    }

    /** A route with what its gateway does with all requests. */
    private static Route with(Route route, List<RouteFilter> filters) {
        return new Route(
                route.name(),
                route.match(),
                route.action(),
                FilterAnnotations.with(route.filters(), filters),
                route.headers(),
                route.origin());
    }

    /** Adds where TLS goes that passes through; of two rules for one name the older object's, or the first, counts. */
    private void pass(Port port, Chain chain, List<Host> servers, IstioGateway gateway, VirtualService service) {
        tables.tls(service, port.number, gateway.gatewayName())
                .forEach(rule -> rule.getKey().forEach(name -> servers.stream()
                        .filter(host -> host.isFor(service.namespace()))
                        .forEach(host -> EdgeTables.both(host.name(), name)
                                .ifPresent(common -> chain.passages.putIfAbsent(common, rule.getValue())))));
    }

    /** At a gateway a name without dots is a service's, as everywhere; every other one is meant as it is written. */
    private static String hostname(VirtualService service, int index) {
        String host = service.hosts().get(index).toLowerCase(Locale.ROOT);
        return host.indexOf('.') < 0 && !Hosts.isPattern(host)
                ? Hosts.serviceHostname(host, service.namespace())
                : host;
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
                            && EdgeTables.both(at.name(), host).isPresent())) {
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
