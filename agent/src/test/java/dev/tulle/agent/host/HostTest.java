package dev.tulle.agent.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.Cidr;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
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
        List<List<String>> make = plan.commandsFrom(NetPlan.EMPTY);
        assertEquals(7, make.size());
        assertTrue(
                make.contains(List.of("route", "replace", "local", "100.80.3.0/24", "dev", "lo", "src", "100.80.3.1")));
        assertTrue(make.stream().anyMatch(command -> command.contains("fd74:756c:6c65::6450:300/120")));
        assertEquals("addr", make.getFirst().getFirst());
        assertEquals(List.of(), plan.commandsFrom(plan));
        List<List<String>> remove = NetPlan.EMPTY.commandsFrom(NetPlan.ofPrefix(prefix, "", List.of(prefix.host(10))));
        assertEquals(
                List.of(
                        List.of("route", "del", "local", "100.80.3.0/24", "dev", "lo"),
                        List.of("addr", "del", "100.80.3.1/32", "dev", "lo")),
                remove);
        NetPlan found = NetPlan.found("""
                [{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8},
                 {"family":"inet","local":"100.80.3.1","prefixlen":32},{"family":"inet","local":"100.64.3.1","prefixlen":32}]}]""", List.of("""
                [{"type":"local","dst":"100.80.3.0/24","table":"local","prefsrc":"100.80.3.1"},
                 {"type":"local","dst":"100.80.3.1","table":"local","prefsrc":"100.80.3.1"},
                 {"dst":"240.242.0.0/16","prefsrc":"127.0.0.1"},{"dst":"default"}]""", ""), prefix, services, "");
        assertEquals(
                new NetPlan(
                        java.util.Set.of("100.80.3.1/32"),
                        java.util.Set.of(
                                new NetPlan.LoRoute("100.80.3.0/24", true, "100.80.3.1"),
                                new NetPlan.LoRoute("240.242.0.0/16", false, "127.0.0.1"))),
                found);
    }
}
