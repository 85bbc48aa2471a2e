package dev.tulle.agent.host;

import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import dev.tulle.kernel.IpPrefix;
import dev.tulle.kernel.RouteNetlink.Route;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The addresses and routes of the mesh on the loopback device: what is wanted, what is found, and the changes that turn
 * one into the other. Pure.
 *
 * @param addresses addresses on {@code lo}, for example {@code 100.64.3.1/32}
 * @param routes routes on {@code lo}
 */
public record NetPlan(Set<IpPrefix> addresses, Set<Route> routes) {
    /** Nothing. */
    public static final NetPlan EMPTY = new NetPlan(Set.of(), Set.of());

    public NetPlan {
        addresses = Set.copyOf(addresses);
        routes = Set.copyOf(routes);
    }

    /** One step from what is found to what is wanted. */
    public sealed interface Change {
        /** A route that nobody wants. */
        record DeleteRoute(Route route) implements Change {}

        /** An address that nobody wants. */
        record DeleteAddress(IpPrefix address) implements Change {}

        /** An address that is missing. */
        record AddAddress(IpPrefix address) implements Change {}

        /** A route that is missing or differs. */
        record ReplaceRoute(Route route) implements Change {}
    }

    /**
     * The plan of a node that has its own prefix (tiers with an address per workload). IPv4 needs the route alone; an
     * IPv6 source address must stand on an interface.
     *
     * @param prefix6 the first 96 bits of the IPv6 twins, in text form; empty where IPv6 is off
     * @param workloads the workloads' addresses as numbers
     */
    public static NetPlan ofPrefix(Cidr prefix, String prefix6, List<Integer> workloads) {
        Set<IpPrefix> addresses = new LinkedHashSet<>();
        Set<Route> routes = new LinkedHashSet<>();
        IpPrefix host = IpPrefix.host(address(Ip.text4(prefix.host(1))));
        addresses.add(host);
        routes.add(Route.local(network(prefix), host.address()));
        if (!prefix6.isEmpty()) {
            IpPrefix host6 = twin(prefix6, prefix.host(1));
            addresses.add(host6);
            addresses.add(twin(prefix6, prefix.host(2)));
            addresses.add(twin(prefix6, prefix.host(3)));
            workloads.forEach(workload -> addresses.add(twin(prefix6, workload)));
            IpPrefix network = new IpPrefix(twin(prefix6, prefix.network()).address(), 96 + prefix.bits());
            routes.add(Route.local(network, host6.address()));
        }
        return new NetPlan(addresses, routes);
    }

    private static IpPrefix twin(String prefix6, int v4) {
        return IpPrefix.host(address(Ip.twin(prefix6, v4)));
    }

    private static IpPrefix network(Cidr cidr) {
        return new IpPrefix(address(Ip.text4(cidr.network())), cidr.bits());
    }

    private static InetAddress address(String text) {
        return Ip.parse(text)
                .orElseThrow(() -> new IllegalArgumentException("expected an IP address, found '" + text + "'"));
    }

    /**
     * The plan of the nftables tier: the redirect happens after the route is chosen, so service addresses need one; it
     * leads to {@code lo} and makes callers arrive from 127.0.0.1.
     */
    public static NetPlan ofServices(Cidr services) {
        return new NetPlan(Set.of(), Set.of(Route.link(network(services), address("127.0.0.1"))));
    }

    /**
     * The changes that bring {@code found} to this plan, in order: what goes before what comes, and addresses before the
     * routes that name them as their source.
     */
    public List<Change> changesFrom(NetPlan found) {
        List<Change> changes = new ArrayList<>();
        missing(found.routes, routes).forEach(route -> changes.add(new Change.DeleteRoute(route)));
        missing(found.addresses, addresses).forEach(address -> changes.add(new Change.DeleteAddress(address)));
        missing(addresses, found.addresses).forEach(address -> changes.add(new Change.AddAddress(address)));
        missing(routes, found.routes).forEach(route -> changes.add(new Change.ReplaceRoute(route)));
        return changes;
    }

    /** Those of one set that the other does not have. */
    private static <T> List<T> missing(Set<T> those, Set<T> others) {
        return those.stream().filter(one -> !others.contains(one)).toList();
    }

    /**
     * The mesh's share of what is on {@code lo}: of the routes those of the two forms that plans have. Routes of other
     * tables or types are someone else's, whatever they lead to.
     *
     * @param range the workload range
     * @param services the range of service addresses
     * @param range6 the first 96 bits of IPv6 twins of workloads
     */
    public static NetPlan found(
            List<IpPrefix> addresses, List<Route> routes, Cidr range, Cidr services, String range6) {
        byte[] prefix6 = range6.isEmpty() ? new byte[0] : Ip.mapped(range6);
        return new NetPlan(
                addresses.stream()
                        .filter(address -> ours(address.address(), range, services, prefix6))
                        .collect(Collectors.toSet()),
                routes.stream()
                        .filter(NetPlan::hasPlannedForm)
                        .filter(route -> ours(route.destination().address(), range, services, prefix6))
                        .collect(Collectors.toSet()));
    }

    private static boolean hasPlannedForm(Route route) {
        // Routes of single addresses are the kernel's own, made with the address.
        return !route.destination().isHost()
                && switch (route.type()) {
                    case Route.LOCAL -> route.table() == Route.LOCAL_TABLE;
                    case Route.UNICAST -> route.table() == Route.MAIN_TABLE;
                    default -> false;
                };
    }

    private static boolean ours(InetAddress address, Cidr range, Cidr services, byte[] prefix6) {
        byte[] raw = address.getAddress();
        int v4 = ByteBuffer.wrap(raw).getInt(raw.length - Integer.BYTES);
        return raw.length == Integer.BYTES
                ? range.contains(v4) || services.contains(v4)
                : prefix6.length == raw.length && Arrays.equals(raw, 0, 12, prefix6, 0, 12) && range.contains(v4);
    }
}
