package dev.tulle.agent.ports;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.common.Ip;
import dev.tulle.kernel.SockDiag;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Shows what is said of programs that listen where the mesh does not reach them. */
class BoundPortsTest {
    private static final InetAddress OWN = InetAddress.ofLiteral("100.64.0.10");

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            # where it listens                | what is said of its port 8080
            100.64.0.10,8080                  | ''
            0.0.0.0,8080                      | ''
            ::,8080                           | ''
            ::ffff:100.64.0.10,8080           | ''
            127.0.0.1,9090                    | ''
            127.0.0.1,8080 100.64.0.10,8080   | ''
            127.0.0.1,8080                    | port 8080 listens on 127.0.0.1:8080, not on 100.64.0.10:8080
            ::1,8080                          | port 8080 listens on [::1]:8080, not on 100.64.0.10:8080
            127.0.0.1,8080 fd74::1,8080       | port 8080 listens on 127.0.0.1:8080 and [fd74::1]:8080, not on 100.64.0.10:8080
            """)
    void saysWhereItListens(String listens, String expected) {
        List<InetSocketAddress> at = Arrays.stream(listens.split(" "))
                .map(one -> one.split(","))
                .map(one -> new InetSocketAddress(InetAddress.ofLiteral(one[0]), Integer.parseInt(one[1])))
                .toList();
        assertEquals(expected, BoundPorts.unreachable(OWN, List.of(8080), at));
        assertEquals("", BoundPorts.unreachable(OWN, List.of(), at));
    }

    @Test
    void theKernelTellsWhoListens() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                SockDiag sockets = SockDiag.open()) {
            InetSocketAddress at = new InetSocketAddress(server.getInetAddress(), server.getLocalPort());
            SockDiag.Listener found = sockets.listeners().stream()
                    .filter(listener -> listener.address().equals(at))
                    .findFirst()
                    .orElseThrow(() -> new AssertionError(Ip.text(at.getAddress(), at.getPort()) + " is not listed"));
            assertEquals(List.of(at), BoundPorts.byGroup(List.of(found)).get(found.cgroupId()));
        }
    }
}
