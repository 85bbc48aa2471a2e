package dev.tulle.agent.ports;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ClientPortsTest {
    @Test
    void portsOutsideTheRangeAreNotGiven() {
        ClientPorts ports = new ClientPorts(32_768, 60_999, "");
        assertFalse(ports.mayGive(32_767));
        assertTrue(ports.mayGive(32_768));
        assertTrue(ports.mayGive(60_999));
        assertFalse(ports.mayGive(61_000));
        assertEquals(Optional.empty(), ports.warning(15_000, 15_163));
    }

    @Test
    void reservedPortsAreNotGiven() {
        ClientPorts ports = new ClientPorts(1_024, 65_535, "8080,15000-15100,15163");
        assertFalse(ports.mayGive(8_080));
        assertFalse(ports.mayGive(15_000));
        assertFalse(ports.mayGive(15_100));
        assertTrue(ports.mayGive(15_101));
        assertFalse(ports.mayGive(15_163));
    }

    @Test
    void theWarningNamesThePortAndTheRemedyKeepsWhatIsReserved() {
        String wide =
                new ClientPorts(1_024, 65_535, "8080").warning(15_000, 15_163).orElseThrow();
        assertTrue(wide.startsWith("port 15000 of the mesh lies"), wide);
        assertTrue(wide.endsWith("net.ipv4.ip_local_reserved_ports=8080,15000-15163"), wide);
        assertEquals(Optional.empty(), new ClientPorts(1_024, 65_535, "15000-15163").warning(15_000, 15_163));
        // Only the end of the mesh's ports lies in it.
        String end = new ClientPorts(32_768, 60_999, "").warning(32_700, 32_863).orElseThrow();
        assertTrue(end.startsWith("port 32768 of"), end);
    }

    @Test
    void thisHostTells() throws Exception {
        ClientPorts ports = ClientPorts.ofHost();
        String told = Files.readAllLines(Path.of("/proc/sys/net/ipv4/ip_local_port_range"))
                .getFirst();
        assertEquals(told, ports.first() + "\t" + ports.last());
        assertFalse(ports.mayGive(0));
    }
}
