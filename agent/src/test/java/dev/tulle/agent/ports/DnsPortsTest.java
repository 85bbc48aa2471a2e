package dev.tulle.agent.ports;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.host.Cgroups;
import dev.tulle.kernel.TcpAcceptor;
import dev.tulle.kernel.TcpStream;
import dev.tulle.kernel.UdpReceiver;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Proves that questions wait while no agent is there, for the next one, and no longer than anybody would start it. Root. */
@Timeout(60)
class DnsPortsTest {
    private static final List<InetAddress> ADDRESSES =
            List.of(InetAddress.ofLiteral("127.0.0.1"), InetAddress.ofLiteral("::1"));

    private final String group = "/tulle-test-" + ProcessHandle.current().pid();
    private final String keeperGroup = group + "/keeper";
    private final int port = freePort();

    @TempDir
    Path dir;

    private Cgroups cgroups = new Cgroups(Path.of("/"));
    private Path life = Path.of("/");

    @BeforeEach
    void makeGroupAndPipe() throws Exception {
        cgroups = Cgroups.find();
        cgroups.create(group);
        life = dir.resolve("life");
        assertEquals(0, new ProcessBuilder("mkfifo", life.toString()).start().waitFor());
    }

    @AfterEach
    void removeGroup() throws IOException {
        DnsPorts.end(cgroups, keeperGroup);
        cgroups.remove(group, "/");
    }

    /** Free for UDP and for TCP. */
    private static int freePort() {
        for (int tries = 0; tries < 100; tries++) {
            try (ServerSocket tcp = new ServerSocket(0);
                    DatagramSocket _ = new DatagramSocket(tcp.getLocalPort())) {
                return tcp.getLocalPort();
            } catch (IOException e) {
                // Somebody's UDP port: another one.
                assertTrue(tries < 99, "no port is free for UDP and TCP");
            }
        }
        throw new AssertionError("no port is free for UDP and TCP");
    }

    private DnsPorts take() throws IOException {
        return DnsPorts.take(ADDRESSES, port, cgroups, keeperGroup);
    }

    /** An agent that begins, and is gone at once. */
    private void anAgent() throws IOException {
        try (DnsPorts ports = take()) {
            ports.keep(Optional.of(life), cgroups, keeperGroup);
        }
    }

    private FileChannel launcher() throws IOException {
        return FileChannel.open(life, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        for (int tries = 0; !condition.getAsBoolean(); tries++) {
            assertTrue(tries < 200, what);
            Thread.sleep(20);
        }
    }

    private boolean kept() {
        try {
            return !cgroups.processes(keeperGroup).isEmpty();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void questionsWaitForTheNextAgent() throws Exception {
        try (FileChannel _ = launcher()) {
            anAgent();
            List<Long> first = cgroups.processes(keeperGroup);
            assertEquals(1, first.size());
            try (DatagramSocket asker = new DatagramSocket();
                    Socket caller = new Socket(ADDRESSES.getLast(), port)) {
                asker.connect(ADDRESSES.getFirst(), port);
                asker.send(new DatagramPacket(new byte[] {1, 2, 3}, 3));
                caller.getOutputStream().write(4);
                // A second one that does not come to serving, either.
                anAgent();
                await("one keeper", () -> keepers() == 1);
                assertNotEquals(first, cgroups.processes(keeperGroup));
                BlockingQueue<InetSocketAddress> arrived = new LinkedBlockingQueue<>();
                BlockingQueue<TcpStream> accepted = new LinkedBlockingQueue<>();
                try (DnsPorts ports = take()) {
                    UdpReceiver receiver =
                            UdpReceiver.start("test", ports.udp().getFirst(), 16, answering(ports, arrived));
                    TcpAcceptor acceptor = TcpAcceptor.start("test", ports.tcp().getLast(), accepted::add);
                    try (receiver;
                            acceptor) {
                        byte[] answer = new byte[16];
                        DatagramPacket packet = new DatagramPacket(answer, answer.length);
                        asker.setSoTimeout(10_000);
                        asker.receive(packet);
                        assertEquals(3, packet.getLength());
                        assertEquals(asker.getLocalPort(), arrived.remove().getPort());
                        try (TcpStream stream = accepted.poll(10, TimeUnit.SECONDS)) {
                            assertArrayEquals(new byte[] {4}, stream.read(1).orElseThrow());
                            stream.write(new byte[] {5});
                            assertEquals(5, caller.getInputStream().read());
                        }
                    }
                }
            }
        }
    }

    private int keepers() {
        try {
            return cgroups.processes(keeperGroup).size();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static UdpReceiver.Handler answering(DnsPorts ports, BlockingQueue<InetSocketAddress> arrived) {
        return new UdpReceiver.Handler() {
            @Override
            public void received(byte[] message, InetSocketAddress from) {
                arrived.add(from);
                assertTrue(ports.udp().getFirst().send(message, from));
            }

            @Override
            public void failed() {
                throw new AssertionError("an error of the kernel");
            }
        };
    }

    @Test
    void whatKeepsThemEndsWithTheLastWhoWouldStartAnAgent() throws Exception {
        try (FileChannel _ = launcher()) {
            anAgent();
            assertTrue(kept());
        }
        await("the keeper ends", () -> !kept());
        try (DatagramSocket asker = new DatagramSocket()) {
            asker.connect(ADDRESSES.getFirst(), port);
            asker.setSoTimeout(10_000);
            asker.send(new DatagramPacket(new byte[1], 1));
            assertThrows(PortUnreachableException.class, () -> asker.receive(new DatagramPacket(new byte[1], 1)));
        }
    }

    @Test
    void itHasNothingElseOfTheAgents() throws Exception {
        try (FileChannel _ = launcher()) {
            anAgent();
            Path descriptors = Path.of("/proc/" + cgroups.processes(keeperGroup).getFirst() + "/fd");
            // A program that has just begun has its libraries open for a moment.
            await("standard streams, UDP and TCP on each address", () -> open(descriptors) == 3 + 2 * ADDRESSES.size());
            DnsPorts.end(cgroups, keeperGroup);
            assertTrue(!kept());
        }
    }

    private static long open(Path descriptors) {
        try (var open = Files.list(descriptors)) {
            return open.count();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void whoHasThePortIsNamed() throws Exception {
        try (DnsPorts first = take()) {
            assertEquals(2, first.udp().size());
            String refused =
                    String.valueOf(assertThrows(IOException.class, this::take).getMessage());
            assertTrue(refused.startsWith("DNS on 127.0.0.1 port " + port + " is in use by "), refused);
        }
    }
}
