package dev.tulle.config;

import dev.tulle.config.IstioGateway.Host;
import dev.tulle.config.IstioGateway.Protocol;
import dev.tulle.config.IstioGateway.Server;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.EdgeTls;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.Listener;
import dev.tulle.model.Listener.Target;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.ServicePort;
import dev.tulle.model.StringMatch;
import dev.tulle.model.VirtualHost;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
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
    /** Enough that nobody finds two contents of one digest who can write Gateways. */
    private static final int DIGEST_BYTES = 16;

    private static final RouteMatch INSECURE = new RouteMatch(
            RouteMatch.ANY.path(),
            false,
            Optional.empty(),
            List.of(new RouteMatch.Named(":scheme", new StringMatch.Exact("http"), false)),
            List.of());

    /** One port, with what the oldest of its gateways makes of it. */
    private static final class Port {
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
                        ? secureTable(server.protocol(), server.port(), gateway.gatewayName(), names, tls)
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
    private static final class Chain {
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

    private EdgeTables(ConfigSnapshot config, EdgeClaims claims, RouteTables tables, Credentials credentials) {
        this.tables = tables;
        this.claims = claims;
        this.credentials = credentials;
        this.gateways = RouteTables.oldestFirst(config.gateways());
    }

    static EdgeTables of(ConfigSnapshot config, EdgeClaims claims, RouteTables tables, Credentials credentials) {
        EdgeTables edge = new EdgeTables(config, claims, tables, credentials);
        List<VirtualService> services = RouteTables.oldestFirst(config.virtualServices());
        for (IstioGateway gateway : edge.gateways) {
            gateway.servers().forEach(server -> edge.server(gateway, server, services));
        }
        services.forEach(edge::reportUnused);
        return edge;
    }

    /**
     * The name of the table of a server of TLS, with a digest that stands for whom the server is for. A connection keeps the
     * table that it began with: were another server's, or one's that asks for other certificates, ever named alike, it would
     * come to what it was not let in for.
     */
    static String secureTable(Protocol protocol, int port, String gateway, List<String> hosts, Optional<EdgeTls> tls) {
        return protocol.name().toLowerCase(Locale.ROOT) + "." + port + "." + gateway + "." + digest(hosts, tls);
    }

    private static String digest(List<String> hosts, Optional<EdgeTls> tls) {
        StringBuilder text = new StringBuilder();
        hosts.stream().sorted().forEach(name -> text.append(name).append('\n'));
        tls.ifPresent(own -> text.append(own.onlyNewest()).append('\n').append(own.authorities()));
        try {
            byte[] all =
                    MessageDigest.getInstance("SHA-256").digest(text.toString().getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(all, 0, DIGEST_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** What happens to the connections of each port. */
    List<Target.Chain> chains() {
        List<Target.Chain> chains = new ArrayList<>();
        for (Port port : ports.values()) {
            port.chains.stream().filter(port::isServed).forEach(chain -> chains.addAll(made(port, chain)));
        }
        return chains;
    }

    /** The ports whose callers are announced by proxies. */
    Set<Integer> announced() {
        Set<Integer> all = new HashSet<>();
        ports.forEach((number, port) -> {
            if (port.topology.announced() && port.chains.stream().anyMatch(port::isServed)) {
                all.add(number);
            }
        });
        return all;
    }

    /** In Envoy's form names and everybody exclude each other: a server of both has two. */
    private static List<Target.Chain> made(Port port, Chain chain) {
        int number = port.number.number();
        Target target = chain.readsRequests()
                ? new Target.Http(chain.table, false, List.of(), port.topology.trustedHops())
                : new Target.Tcp(chain.split.map(RouteTables.Split::clusters).orElse(List.of()));
        if (!port.protocol.isByName()) {
            return List.of(new Target.Chain(number, target, chain.owner));
        }
        if (chain.tls.isEmpty()) {
            return passing(port, chain);
        }
        List<Target.Chain> all = new ArrayList<>();
        String name = Listener.EDGE + "_" + chain.table;
        List<String> names = chain.serverNames();
        if (!names.isEmpty()) {
            all.add(new Target.Chain(name, number, names, chain.tls, target, chain.owner));
        }
        if (chain.names.contains("*")) {
            all.add(new Target.Chain(name + ".everybody", number, List.of(), chain.tls, target, chain.owner));
        }
        return all;
    }

    /**
     * Chains of TLS that does not end here, one for all names that go the same way. Hosts for which there is no way, perhaps
     * yet, are nobody's: what another server has for everybody is not for them.
     */
    private static List<Target.Chain> passing(Port port, Chain chain) {
        Map<RouteTables.Split, List<String>> ways = new LinkedHashMap<>();
        chain.passages.forEach((name, split) -> {
            if (isOf(port, chain, name)) {
                ways.computeIfAbsent(split, _ -> new ArrayList<>()).add(name);
            }
        });
        List<Target.Chain> all = new ArrayList<>();
        String prefix = Listener.EDGE + "_" + chain.table;
        ways.forEach((split, ofWay) -> {
            Target.Tcp target = new Target.Tcp(split.clusters());
            List<String> names =
                    ofWay.stream().filter(name -> !name.equals("*")).toList();
            if (!names.isEmpty()) {
                String name = prefix + "." + digest(names, Optional.empty());
                all.add(Target.Chain.passing(name, port.number.number(), names, target, split.origin()));
            }
            if (ofWay.contains("*")) {
                all.add(Target.Chain.passing(
                        prefix + ".everybody", port.number.number(), List.of(), target, split.origin()));
            }
        });
        List<String> rest = chain.serverNames().stream()
                .filter(name -> !chain.passages.containsKey(name))
                .toList();
        if (!rest.isEmpty()) {
            all.add(Target.Chain.passing(
                    prefix + ".nobody", port.number.number(), rest, new Target.Tcp(List.of()), chain.owner));
        }
        return all;
    }

    /** The route tables of all ports for requests. No name of a service's table looks like theirs. */
    List<RouteConfiguration> routes() {
        List<RouteConfiguration> all = new ArrayList<>();
        for (Port port : ports.values()) {
            port.chains.stream().filter(Chain::readsRequests).forEach(chain -> all.add(table(port, chain)));
        }
        return all;
    }

    private static RouteConfiguration table(Port port, Chain chain) {
        Map<String, List<Route>> hosts = new LinkedHashMap<>();
        chain.hosts.forEach((host, routes) -> {
            if (isOf(port, chain, host)) {
                hosts.put(
                        host,
                        chain.redirected.contains(host)
                                ? redirected(port, chain, routes)
                                : VirtualHosts.uniquelyNamed(catchAllLast(routes)));
            }
        });
        if (port.chains.size() > 1) {
            // A host that another certificate is for: its rules, and who may ask for it, are not those of this one.
            chain.names.forEach(name -> hosts.putIfAbsent(name, List.of()));
            for (Chain other : port.chains) {
                other.names.forEach(name -> hosts.putIfAbsent(name, List.of(misdirected(other.owner))));
            }
        }
        List<VirtualHost> all = new ArrayList<>();
        hosts.forEach(
                (host, routes) -> all.add(new VirtualHost(host + ":" + port.number.number(), List.of(host), routes)));
        return new RouteConfiguration(chain.table, all);
    }

    /** True unless another chain's names have the host more precisely. */
    private static boolean isOf(Port port, Chain chain, String host) {
        Optional<String> own = Hosts.mostSpecific(chain.names, host).or(() -> covering(chain.names, host));
        for (Chain other : port.chains) {
            Optional<String> theirs = Hosts.mostSpecific(other.names, host).or(() -> covering(other.names, host));
            boolean exact = theirs.isPresent() && !Hosts.isPattern(theirs.get());
            if (other != chain
                    && theirs.isPresent()
                    && (own.isEmpty()
                            || exact
                            || theirs.get().length() > own.get().length())) {
                return own.isPresent() && own.get().equals(host);
            }
        }
        return true;
    }

    /** The narrowest of some names that covers a pattern. */
    private static Optional<String> covering(Set<String> names, String pattern) {
        return names.stream()
                .filter(name -> both(name, pattern).filter(pattern::equals).isPresent())
                .max(Comparator.comparingInt(String::length));
    }

    /** A trusted proxy may say that its caller has used HTTPS already: then there is nowhere to send it to. */
    private static List<Route> redirected(Port port, Chain chain, List<Route> routes) {
        Route redirect = answer(
                "https-redirect",
                port.topology.trustedHops() > 0 ? INSECURE : RouteMatch.ANY,
                new RouteAction.Redirect(
                        301, Optional.of("https"), Optional.empty(), Optional.empty(), Optional.empty()),
                chain.owner);
        List<Route> all = new ArrayList<>(List.of(redirect));
        if (port.topology.trustedHops() > 0) {
            all.addAll(VirtualHosts.uniquelyNamed(catchAllLast(routes)));
        }
        return all;
    }

    /** For a host that another server's certificate is for. */
    static Route misdirected(ResourceRef other) {
        return answer("misdirected", RouteMatch.ANY, new RouteAction.DirectResponse(421, ""), other);
    }

    private static Route answer(String name, RouteMatch match, RouteAction action, ResourceRef origin) {
        return new Route(name, match, action, List.of(), HeaderMutation.NONE, origin);
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
        Optional<EdgeTls> tls =
                switch (server.tls()) {
                    case ServerTls.None _, ServerTls.Passing _ -> Optional.empty();
                    case ServerTls.Files files -> Optional.of(files.files());
                    case ServerTls.Named named -> credentials.edge(gateway.ref(), named);
                };
        Chain chain = port.chain(gateway, server, hosts, tls);
        hosts.forEach(host -> chain.names.add(host.name()));
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
                    both(host.name(), hostname(service, i)).ifPresent(hosts::add);
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
        List<Route> routes = tables.routesOf(service, port.number, gateway.gatewayName());
        hosts.stream().sorted().forEach(host -> {
            List<Route> known = chain.hosts.computeIfAbsent(host, _ -> new ArrayList<>());
            if (redirects) {
                chain.redirected.add(host);
            }
            // Two gateways of the port may be named by one object.
            routes.stream().filter(route -> !known.contains(route)).forEach(known::add);
        });
    }

    /** Adds where TLS goes that passes through; of two rules for one name the older object's, or the first, counts. */
    private void pass(Port port, Chain chain, List<Host> servers, IstioGateway gateway, VirtualService service) {
        tables.tls(service, port.number, gateway.gatewayName())
                .forEach(rule -> rule.getKey().forEach(name -> servers.stream()
                        .filter(host -> host.isFor(service.namespace()))
                        .forEach(host -> both(host.name(), name)
                                .ifPresent(common -> chain.passages.putIfAbsent(common, rule.getValue())))));
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
