package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.common.Cidr;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Shows which routes of a host keep a mesh from its addresses. */
class RangeConflictTest {
    private static final String HEADER =
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT";
    private static final Cidr PREFIX = Cidr.of("prefix", "100.64.0.0/24");
    private static final Cidr SERVICES = Cidr.of("services", "240.240.0.0/16");

    private static Optional<String> conflict(String... routes) {
        List<String> lines = new java.util.ArrayList<>(List.of(HEADER));
        lines.addAll(List.of(routes));
        return RangeConflict.routes(lines, PREFIX, SERVICES);
    }

    @Test
    void aLivingWorkloadAtAnAddressOfAnotherRangeIsOne() {
        List<MeshEnd.Survivor> living =
                List.of(new MeshEnd.Survivor("default/web", "100.88.0.10", List.of("http:8000"), List.of()));
        assertEquals(Optional.empty(), RangeConflict.outside(living, Cidr.of("range", "100.88.0.0/16")));
        assertEquals(Optional.empty(), RangeConflict.outside(List.of(), Cidr.of("range", "100.87.0.0/16")));
        assertEquals(
                Optional.of("workload default/web still runs and has the address 100.88.0.10, which is not of"
                        + " 100.87.0.0/16: end it first, or keep the range that the mesh had"),
                RangeConflict.outside(living, Cidr.of("range", "100.87.0.0/16")));
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
                Optional.of("addresses 100.64.0.0/24 overlap the host's route to 100.64.0.0/10 through vpn0"),
                conflict("vpn0\t00004064\t00000000\t0001\t0\t0\t0\t0000C0FF\t0\t0\t0"));
    }

    @Test
    void aHostOfOthersInsideThePrefixIsOne() {
        assertEquals(
                Optional.of("addresses 100.64.0.0/24 overlap the host's route to 100.64.0.7/32 through wg0"),
                conflict("wg0\t07004064\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0"));
    }

    @Test
    void theLoopbackDeviceIsTheMeshsOwn() {
        assertEquals(Optional.empty(), conflict("lo\t00004064\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0"));
        assertEquals(Optional.empty(), RangeConflict.routes(List.of(), PREFIX, SERVICES));
    }
}
