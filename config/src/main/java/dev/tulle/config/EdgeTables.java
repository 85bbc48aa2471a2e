package dev.tulle.config;

import dev.tulle.config.EdgeServers.Chain;
import dev.tulle.config.EdgeServers.Port;
import dev.tulle.config.IstioGateway.Protocol;
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

/**
 * Builds what the edge serves of Istio's objects, as {@link EdgeServers} puts them together: ports, hosts and routes, those
 * for every request last.
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

    private final List<Port> ports;

    private EdgeTables(List<Port> ports) {
        this.ports = ports;
    }

    static EdgeTables of(ConfigSnapshot config, EdgeClaims claims, RouteTables tables, Credentials credentials) {
        return new EdgeTables(EdgeServers.ports(config, claims, tables, credentials));
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
        for (Port port : ports) {
            port.chains.stream().filter(port::isServed).forEach(chain -> chains.addAll(made(port, chain)));
        }
        return chains;
    }

    /** The ports whose callers are announced by proxies. */
    Set<Integer> announced() {
        Set<Integer> all = new HashSet<>();
        for (Port port : ports) {
            if (port.topology.announced() && port.chains.stream().anyMatch(port::isServed)) {
                all.add(port.number.number());
            }
        }
        return all;
    }

    /** In Envoy's form names and everybody exclude each other: a server of both has two. */
    private static List<Target.Chain> made(Port port, Chain chain) {
        int number = port.number.number();
        Target target = chain.readsRequests()
                ? new Target.Http(chain.table, false, List.of(), port.topology.trustedHops(), chain.http2)
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
        for (Port port : ports) {
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
        Set<String> others = new LinkedHashSet<>();
        if (port.chains.size() > 1) {
            // A host that another certificate is for: its rules, and who may ask for it, are not those of this one.
            chain.names.forEach(name -> hosts.putIfAbsent(name, List.of()));
            port.chains.forEach(other -> others.addAll(other.names));
        }
        return table(chain.table, port.number.number(), hosts, others, chain.owner);
    }

    /**
     * A table with a virtual host for each host, and one for all others of the port: every table of a port names the hosts of
     * all, so a virtual host for each of them would be too much.
     */
    static RouteConfiguration table(
            String name, int port, Map<String, List<Route>> hosts, Set<String> others, ResourceRef owner) {
        List<VirtualHost> all = new ArrayList<>();
        hosts.forEach((host, routes) -> all.add(new VirtualHost(host + ":" + port, List.of(host), routes)));
        List<String> rest =
                others.stream().filter(host -> !hosts.containsKey(host)).toList();
        if (!rest.isEmpty()) {
            all.add(new VirtualHost("(misdirected):" + port, rest, List.of(misdirected(owner))));
        }
        return new RouteConfiguration(name, all);
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

    /** For hosts that other servers' certificates are for. */
    private static Route misdirected(ResourceRef owner) {
        return answer("misdirected", RouteMatch.ANY, new RouteAction.DirectResponse(421, ""), owner);
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

    /** What two names or patterns have in common. */
    static Optional<String> both(String one, String other) {
        if (one.equals(other) || Hosts.covers(one, other)) {
            return Optional.of(other);
        }
        return Hosts.covers(other, one) ? Optional.of(one) : Optional.empty();
    }
}
