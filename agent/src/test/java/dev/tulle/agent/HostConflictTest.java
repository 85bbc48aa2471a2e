package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.agent.datapath.KernelPins;
import dev.tulle.agent.ports.MeshPort;
import dev.tulle.common.Cidr;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Shows which routes of a host keep a mesh from its addresses. */
class HostConflictTest {
    private static final String HEADER =
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT";
    private static final Cidr PREFIX = Cidr.of("prefix", "100.64.0.0/24");
    private static final Cidr SERVICES = Cidr.of("services", "240.240.0.0/16");

    private static final String OTHERS = "; give this mesh others with --range and --service-range";
    private static final String DETACH = ", or, if mesh games is not to come back, take it out of the kernel with"
            + " 'tulle detach --all --mesh games'";

    private static Optional<String> conflict(String... routes) {
        List<String> lines = new java.util.ArrayList<>(List.of(HEADER));
        lines.addAll(List.of(routes));
        return HostConflict.routes(lines, PREFIX, SERVICES);
    }

    @Test
    void aLivingWorkloadAtAnAddressOfAnotherRangeIsOne() {
        List<MeshEnd.Survivor> living =
                List.of(new MeshEnd.Survivor("default/web", "100.88.0.10", List.of("http:8000"), List.of()));
        assertEquals(Optional.empty(), HostConflict.outside(living, Cidr.of("range", "100.88.0.0/16")));
        assertEquals(Optional.empty(), HostConflict.outside(List.of(), Cidr.of("range", "100.87.0.0/16")));
        assertEquals(
                Optional.of("workload default/web still runs and has the address 100.88.0.10, which is not of"
                        + " 100.87.0.0/16: end it first, or keep the range that the mesh had"),
                HostConflict.outside(living, Cidr.of("range", "100.87.0.0/16")));
    }

    @Test
    void theDefaultRouteAndTheHostsNetworkAreNone() {
        assertEquals(
                Optional.empty(),
                conflict(
                        "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0",
                        "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0"));
    }

    @Test
    void aNetworkOfOthersThatHoldsThePrefixIsOne() {
        assertEquals(
                Optional.of("addresses 100.64.0.0/24 overlap the host's route to 100.64.0.0/10 through vpn0" + OTHERS),
                conflict("vpn0\t00004064\t00000000\t0001\t0\t0\t0\t0000C0FF\t0\t0\t0"));
    }

    @Test
    void aHostOfOthersInsideThePrefixIsOne() {
        assertEquals(
                Optional.of("addresses 100.64.0.0/24 overlap the host's route to 100.64.0.7/32 through wg0" + OTHERS),
                conflict("wg0\t07004064\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0"));
    }

    /** What stays in the kernel of a mesh that was killed, beside one that wants the same. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            nullValues = "-",
            value = {
                "100.65.0.0/24 | 240.241.0.0/16 | 19001 | false | 7 | -",
                "100.65.0.0/24 | 240.241.0.0/16 | 15001 | true  | 7 | -",
                "100.65.0.0/24 | 240.241.0.0/16 | 15001 | false | 8 | -",
                "100.65.0.0/24 | 240.241.0.0/16 | 15001 | false | 7 | TCP port 15001 is kept by mesh games of this host;"
                        + " give this mesh others with --port-offset",
                "100.65.0.0/24 | 240.241.0.0/16 | 15053 | true  | 0 | UDP port 15053 is kept by mesh games of this host;"
                        + " give this mesh others with --port-offset",
                "100.64.0.0/26 | 240.241.0.0/16 | 19001 | false | 7 | workload addresses 100.64.0.0/24 are those of mesh"
                        + " games on this host (100.64.0.0/26); give this mesh others with --range and --service-range",
                "100.65.0.0/24 | 240.240.7.0/24 | 19001 | false | 7 | service addresses 240.240.0.0/16 overlap those of"
                        + " mesh games on this host (240.240.7.0/24); give this mesh others with --range and"
                        + " --service-range"
            })
    void anotherMeshsAddressesAndPortsAreSo(
            String workloads, String services, int port, boolean udp, long namespace, @Nullable String expected) {
        KernelPins.PinnedMesh other = new KernelPins.PinnedMesh(
                "games",
                Cidr.of("range", workloads),
                Cidr.of("services", services),
                "",
                List.of(new KernelPins.PinnedPort(port, udp, namespace)));
        assertEquals(
                Optional.ofNullable(expected).map(sentence -> sentence + DETACH),
                HostConflict.withMesh(
                        other,
                        PREFIX,
                        SERVICES,
                        List.of(MeshPort.held(15001), MeshPort.kept(15053, false), MeshPort.kept(15053, true)),
                        7));
    }

    @Test
    void theLoopbackDeviceIsTheMeshsOwn() {
        assertEquals(Optional.empty(), conflict("lo\t00004064\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0"));
        assertEquals(Optional.empty(), HostConflict.routes(List.of(), PREFIX, SERVICES));
    }
}
