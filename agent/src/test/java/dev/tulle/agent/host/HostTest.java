package dev.tulle.agent.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.host.NetPlan.Change;
import dev.tulle.common.Cidr;
import dev.tulle.kernel.IpPrefix;
import dev.tulle.kernel.RouteNetlink.Route;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Tables for the pure parts of what the agent reads from and does to the host. */
class HostTest {
    @Test
    void readsResolverConfiguration() {
        ResolverConfig config = ResolverConfig.parse("""
                # comment
                nameserver 10.0.0.2
                nameserver fe80::1%eth0
                nameserver not-an-address
                search One.example two.example.
                options ndots:2
                """);
        assertEquals(List.of("10.0.0.2", "fe80::1"), config.nameservers());
        assertEquals(List.of("one.example", "two.example"), config.searchDomains());
        assertEquals(List.of("127.0.0.1"), ResolverConfig.parse("").nameservers());
    }

    @Test
    void findsTheHierarchyAmongTheMounts() {
        List<String> mounts = List.of(
                "24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw",
                "35 24 0:30 /sub /other rw - cgroup2 cgroup2 rw",
                "36 24 0:31 / /sys/fs/with\\040space rw,relatime shared:9 - cgroup2 cgroup2 rw");
        assertEquals(Optional.of(Path.of("/sys/fs/with space")), Cgroups.find(mounts));
        assertTrue(Cgroups.find(mounts.subList(0, 1)).isEmpty());
    }

    @Test
    void plansAddressesAndRoutes() {
        Cidr prefix = Cidr.of("prefix", "100.80.3.0/24");
        Cidr services = Cidr.of("services", "240.242.0.0/16");
        NetPlan plan = NetPlan.ofPrefix(prefix, "fd74:756c:6c65::", List.of(prefix.host(10)));
        List<Change> make = plan.changesFrom(NetPlan.EMPTY);
        assertEquals(7, make.size());
        InetAddress host = InetAddress.ofLiteral("100.80.3.1");
        Route route = Route.local(IpPrefix.of("100.80.3.0/24"), host);
        assertTrue(make.contains(new Change.ReplaceRoute(route)));
        assertTrue(make.contains(new Change.AddAddress(IpPrefix.of("fd74:756c:6c65::6450:30a/128"))));
        assertTrue(make.contains(new Change.ReplaceRoute(Route.local(
                IpPrefix.of("fd74:756c:6c65::6450:300/120"), InetAddress.ofLiteral("fd74:756c:6c65::6450:301")))));
        assertTrue(make.subList(0, 5).stream().allMatch(Change.AddAddress.class::isInstance), make.toString());
        assertEquals(List.of(), plan.changesFrom(plan));
        List<Change> remove = NetPlan.EMPTY.changesFrom(NetPlan.ofPrefix(prefix, "", List.of(prefix.host(10))));
        assertEquals(List.of(new Change.DeleteRoute(route), new Change.DeleteAddress(IpPrefix.host(host))), remove);
        assertEquals(
                List.of(new Change.ReplaceRoute(
                        Route.link(IpPrefix.of("240.242.0.0/16"), InetAddress.ofLiteral("127.0.0.1")))),
                NetPlan.ofServices(services).changesFrom(NetPlan.EMPTY));
    }

    @Test
    void aRouteWithAnotherSourceIsPutRight() {
        Cidr prefix = Cidr.of("prefix", "100.80.3.0/24");
        NetPlan plan = NetPlan.ofPrefix(prefix, "", List.of());
        Route wrong = Route.local(IpPrefix.of("100.80.3.0/24"), InetAddress.ofLiteral("100.80.3.2"));
        assertEquals(
                List.of(
                        new Change.DeleteRoute(wrong),
                        new Change.ReplaceRoute(plan.routes().iterator().next())),
                plan.changesFrom(new NetPlan(plan.addresses(), Set.of(wrong))));
    }

    @Test
    void findsTheMeshsShareOfTheLoopbackDevice() {
        Cidr prefix = Cidr.of("prefix", "100.80.3.0/24");
        Cidr services = Cidr.of("services", "240.242.0.0/16");
        InetAddress host = InetAddress.ofLiteral("100.80.3.1");
        Route route = Route.local(IpPrefix.of("100.80.3.0/24"), host);
        Route link = Route.link(IpPrefix.of("240.242.0.0/16"), InetAddress.ofLiteral("127.0.0.1"));
        List<IpPrefix> addresses = List.of(
                IpPrefix.of("127.0.0.1/8"),
                IpPrefix.host(host),
                IpPrefix.of("100.64.3.1/32"),
                IpPrefix.of("::1/128"),
                IpPrefix.of("fd74:756c:6c65::6450:301/128"),
                IpPrefix.of("fd74:756c:6c65::6440:301/128"));
        List<Route> routes = List.of(
                route,
                link,
                Route.local(IpPrefix.host(host), host),
                Route.link(IpPrefix.of("0.0.0.0/0"), host),
                new Route(IpPrefix.of("100.80.3.0/24"), Route.LOCAL, 100, Optional.empty()),
                new Route(IpPrefix.of("100.80.3.0/24"), 6, Route.LOCAL_TABLE, Optional.empty()));
        assertEquals(
                new NetPlan(
                        Set.of(IpPrefix.host(host), IpPrefix.of("fd74:756c:6c65::6450:301/128")), Set.of(route, link)),
                NetPlan.found(addresses, routes, prefix, services, "fd74:756c:6c65::"));
        assertEquals(
                new NetPlan(Set.of(IpPrefix.host(host)), Set.of(route, link)),
                NetPlan.found(addresses, routes, prefix, services, ""));
    }
}
