package dev.tulle.agent.datapath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.tulle.agent.datapath.Structs.ServiceKey;
import dev.tulle.agent.datapath.WantedState.InfraGroups;
import dev.tulle.agent.datapath.WantedState.Serving;
import dev.tulle.agent.enrol.EnrolRequest;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.enrol.RefusedException;
import dev.tulle.agent.http.HttpTable;
import dev.tulle.agent.service.PortTarget;
import dev.tulle.agent.service.ServiceView;
import dev.tulle.common.Cidr;
import dev.tulle.common.Reason;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Endpoint;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What follows from leases and services for the maps and the rules. */
class WantedStateTest {
    private static final MeshNetwork NETWORK = new MeshNetwork(
            Cidr.of("range", "100.80.0.0/16"),
            Cidr.of("services", "240.242.0.0/16"),
            Cidr.of("prefix", "100.80.3.0/24"),
            "fd74:756c:6c80::",
            "fd74:756c:6c81::",
            15001,
            15053);

    private static Lease lease(String request, int part, Lease.State state) throws RefusedException {
        int address = NETWORK.prefix().host(part);
        return new Lease(
                EnrolRequest.parse(
                        JsonParser.parseString(request.replace('\'', '"')).getAsJsonObject()),
                address,
                address - NETWORK.range().network(),
                "/tulle/workloads/x" + part,
                1000 + part,
                true,
                Instant.EPOCH,
                state);
    }

    @Test
    void leasesBecomeEntriesAndThoseThatRestDoNot() throws RefusedException {
        WantedState wanted = WantedState.of(
                NETWORK,
                List.of(
                        lease(
                                "{'name':'a','ports':['9080','udp:53'],'pid':7,'permit':['host:9080']}",
                                10,
                                Lease.State.RUNNING),
                        lease("{'name':'b','ports':['9080']}", 11, Lease.State.STARTING),
                        lease("{'name':'c','unit':'c.service'}", 12, Lease.State.DORMANT)),
                List.of(),
                new InfraGroups(Optional.of(1L), Optional.of(2L)),
                true);
        assertEquals(java.util.Set.of(1L, 2L, 1010L, 1011L), wanted.cgroups().keySet());
        assertEquals(4, wanted.addrs().size());
        assertEquals(0x030a, wanted.addrs().get(MeshNetwork.address("fd74:756c:6c80::100.80.3.10")));
        // Only a workload that ran before it was enrolled may listen already; each family, TCP only.
        assertEquals(2, wanted.listens().size());
        assertEquals(1, wanted.permits().size());
    }

    @Test
    void declaredPortsHaveOneBehind() throws RefusedException {
        Lease lease = lease("{'name':'a','ports':['http:9080','udp:53','tcp:53']}", 10, Lease.State.RUNNING);
        WantedState wanted = WantedState.of(
                NETWORK, List.of(lease), List.of(), new InfraGroups(Optional.empty(), Optional.empty()), true);
        assertEquals(
                Map.of(
                        new Structs.DeclaredKey(lease.id(), 9080), 15100,
                        new Structs.DeclaredKey(lease.id(), 53), 15102),
                wanted.declared());
        MeshNetwork high = new MeshNetwork(
                NETWORK.range(), NETWORK.services(), NETWORK.prefix(), "", "", 65_435, NETWORK.dnsPort());
        assertEquals(List.of(65_535, 0), List.of(high.portBehind(1), high.portBehind(2)));
        assertEquals(List.of(MeshNetwork.address("100.80.3.10")), high.addresses(lease));
        assertEquals(2, NETWORK.addresses(lease).size());
    }

    @Test
    void portsAreServedByTheKernelOrHandedToTheProxy() {
        Service service = new Service(
                "default",
                "db.default.svc.cluster.local",
                List.of("240.242.0.1", "fd74:756c:6c81::240.242.0.1"),
                List.of(
                        new ServicePort(1, 1, AppProtocol.TCP, ""),
                        new ServicePort(2, 2, AppProtocol.HTTP, ""),
                        new ServicePort(3, 3, AppProtocol.TCP, "")),
                ResourceRef.DEFAULT,
                List.of());
        ServiceView view = new ServiceView(
                service,
                Map.of(
                        1,
                        new PortTarget.Kernel(List.of(new Endpoint("100.80.3.10", 9, 1, true, "a", "default"))),
                        2,
                        new PortTarget.Proxy(Reason.NEEDS_HTTP, "routes"),
                        3,
                        new PortTarget.Undecided()));
        for (boolean kernelL4 : new boolean[] {true, false}) {
            WantedState wanted = WantedState.of(
                    NETWORK, List.of(), List.of(view), new InfraGroups(Optional.empty(), Optional.empty()), kernelL4);
            assertEquals(3, wanted.services().size(), "an IPv6 twin is found by its IPv4 address");
            assertEquals(
                    kernelL4 ? Structs.MODE_KERNEL : Structs.MODE_PROXY,
                    serving(wanted, 1).mode());
            assertEquals(
                    kernelL4 ? Reason.NONE : Reason.KERNEL_L4_OFF,
                    serving(wanted, 1).reason());
            assertEquals(Reason.NEEDS_HTTP, serving(wanted, 2).reason());
            assertTrue(serving(wanted, 3).keep());
        }
    }

    @Test
    void portsThatDoNotSayWhatIsSpokenMayBeHttp() {
        Service service = new Service(
                "default",
                "web.default.svc.cluster.local",
                List.of("240.242.0.1"),
                List.of(new ServicePort(1, 1, AppProtocol.HTTP, ""), new ServicePort(2, 2, AppProtocol.AUTO, "")),
                ResourceRef.DEFAULT,
                List.of());
        PortTarget http = new PortTarget.Http(new HttpTable(List.of(), List.of(), false, Map.of(), List.of(), 0));
        WantedState wanted = WantedState.of(
                NETWORK,
                List.of(),
                List.of(new ServiceView(service, Map.of(1, http, 2, http))),
                new InfraGroups(Optional.empty(), Optional.empty()),
                true);
        assertEquals(Structs.MODE_HTTP, serving(wanted, 1).mode());
        assertEquals(Structs.MODE_MAYBE_HTTP, serving(wanted, 2).mode());
    }

    private static Serving serving(WantedState wanted, int port) {
        Serving serving = wanted.services().get(new ServiceKey(MeshNetwork.address("240.242.0.1"), port, Structs.TCP));
        return java.util.Objects.requireNonNull(serving);
    }

    @Test
    void rulesNameGroupsAsNftLooksForThem() {
        assertEquals(
                Optional.of("unified/tulle/workloads"),
                NftRules.path(Path.of("/sys/fs/cgroup/unified"), "/tulle/workloads"));
        assertEquals(
                Optional.of("system.slice/nginx.service"),
                NftRules.path(Path.of("/sys/fs/cgroup"), "/system.slice/nginx.service"));
        assertTrue(NftRules.path(Path.of("/mnt/cgroup2"), "/tulle").isEmpty());
        String rules = NftRules.table(
                "tulle",
                Path.of("/sys/fs/cgroup/unified"),
                List.of("/tulle/workloads", "/system.slice/x.service"),
                NETWORK.services(),
                15001,
                15053);
        assertTrue(
                rules.contains(
                        "socket cgroupv2 level 2 \"unified/tulle/workloads\" ip daddr 240.242.0.0/16 meta l4proto tcp"
                                + " redirect to :15001"),
                rules);
        assertTrue(rules.contains("level 2 \"unified/system.slice/x.service\" udp dport 53 redirect to :15053"), rules);
    }
}
