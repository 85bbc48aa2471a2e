package dev.tulle.agent.ports;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.kernel.ListenerOffer;
import dev.tulle.kernel.TcpListener;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Proves who gets the mesh's listening sockets, how long they listen, and what becomes of connections meanwhile. */
class HeldPortsTest {
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();

    private final AtomicBoolean proxyLives = new AtomicBoolean(true);
    private final AtomicLong now = new AtomicLong();

    @TempDir
    Path dir;

    private HeldPorts ports(int uid) {
        return new HeldPorts(
                uid, pid -> proxyLives.get() && pid == ProcessHandle.current().pid(), now::get);
    }

    private static InetSocketAddress freeAddress() throws IOException {
        try (ServerSocket probe = new ServerSocket(0, 1, LOOPBACK)) {
            return new InetSocketAddress(LOOPBACK, probe.getLocalPort());
        }
    }

    private static List<InetSocketAddress> addresses(List<TcpListener> listeners) {
        return listeners.stream().map(TcpListener::address).toList();
    }

    @Test
    void aProxyGetsThemAndTheyOutliveItAndTheAgent() throws IOException {
        InetSocketAddress address = freeAddress();
        Path socket = dir.resolve("listen.sock");
        HeldPorts first = ports(0);
        first.hold(address);
        first.offer(socket);
        List<TcpListener> proxys = ListenerOffer.take(socket);
        assertEquals(List.of(address), addresses(proxys));
        proxys.forEach(TcpListener::close);
        new Socket(LOOPBACK, address.getPort()).close();

        // What a living proxy offers is there for the next agent, though the first has ended.
        Path handOver = Files.createDirectories(dir.resolve("proxy"));
        List<TcpListener> again = ListenerOffer.take(socket);
        try (ListenerOffer _ = ListenerOffer.start(handOver.resolve("7.fds"), 0, _ -> again)) {
            first.close();
            assertTrue(Files.notExists(socket));
            new Socket(LOOPBACK, address.getPort()).close();
            try (HeldPorts second = HeldPorts.adopt(0, handOver)) {
                again.forEach(TcpListener::close);
                assertEquals(List.of(address), addresses(second.listeners()));
                second.hold(address);
                new Socket(LOOPBACK, address.getPort()).close();
                second.release(address);
                assertThrows(ConnectException.class, () -> new Socket(LOOPBACK, address.getPort()));
            }
        }
    }

    @Test
    void anOfferThatNeverEndsKeepsNobody() throws Exception {
        Path slow = dir.resolve("1.fds");
        AtomicBoolean done = new AtomicBoolean();
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(slow));
            Thread stranger = Thread.ofPlatform().start(() -> {
                try (SocketChannel peer = server.accept()) {
                    while (!done.get()) {
                        peer.write(ByteBuffer.wrap(new byte[] {1}));
                        Thread.sleep(50);
                    }
                } catch (IOException | InterruptedException e) {
                    done.set(true);
                }
            });
            assertTimeoutPreemptively(
                    Duration.ofSeconds(20), () -> assertThrows(IOException.class, () -> ListenerOffer.take(slow)));
            done.set(true);
            stranger.join();
        }
    }

    @Test
    void anotherUserGetsNone() throws IOException {
        Path socket = dir.resolve("listen.sock");
        try (HeldPorts ports = ports(0)) {
            ports.hold(freeAddress());
            // Root may; what a peer of another user is given is decided by the same question.
            assertEquals(
                    1,
                    ports.given(new dev.tulle.kernel.PeerCredentials(1, 0, 0)).size());
            assertEquals(
                    0,
                    ports.given(new dev.tulle.kernel.PeerCredentials(1, 65534, 65534))
                            .size());
            ports.offer(socket);
            assertEquals(
                    "rw-------",
                    java.nio.file.attribute.PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
        }
    }

    @Test
    void aPortInUseNamesTheProcess() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, LOOPBACK);
                HeldPorts ports = ports(0)) {
            InetSocketAddress address = new InetSocketAddress(LOOPBACK, taken.getLocalPort());
            String message = String.valueOf(
                    assertThrows(IOException.class, () -> ports.hold(address)).getMessage());
            assertEquals(
                    "127.0.0.1 port " + taken.getLocalPort() + " is in use by process "
                            + ProcessHandle.current().pid() + " (java)",
                    message);
            assertEquals(List.of(), ports.listeners());
        }
    }

    @Test
    void whatWaitsTooLongIsReset() throws IOException {
        InetSocketAddress address = freeAddress();
        Path socket = dir.resolve("listen.sock");
        try (HeldPorts ports = ports(0)) {
            ports.hold(address);
            ports.offer(socket);
            ListenerOffer.take(socket).forEach(TcpListener::close);
            try (Socket waits = new Socket(LOOPBACK, address.getPort())) {
                waits.setSoTimeout(300);
                now.addAndGet(HeldPorts.PATIENCE.toNanos() * 5);
                ports.sweep();
                assertThrows(
                        java.net.SocketTimeoutException.class,
                        () -> waits.getInputStream().read(),
                        "with a proxy that lives it waits");
                proxyLives.set(false);
                now.addAndGet(HeldPorts.PATIENCE.toNanos() - 1);
                ports.sweep();
                assertThrows(
                        java.net.SocketTimeoutException.class,
                        () -> waits.getInputStream().read(),
                        "for a while after it");
                now.addAndGet(1);
                ports.sweep();
                assertThrows(SocketException.class, () -> waits.getInputStream().read(), "not for ever");
            }
        }
    }

    @Test
    void theFirstPortIsWaitedForFromItsOpening() throws IOException {
        InetSocketAddress address = freeAddress();
        proxyLives.set(false);
        try (HeldPorts ports = ports(0)) {
            // As long as nothing was held there was nothing to come for.
            now.addAndGet(HeldPorts.PATIENCE.toNanos() * 5);
            ports.hold(address);
            try (Socket waits = new Socket(LOOPBACK, address.getPort())) {
                waits.setSoTimeout(300);
                ports.sweep();
                assertThrows(java.net.SocketTimeoutException.class, () -> waits.getInputStream()
                        .read());
                now.addAndGet(HeldPorts.PATIENCE.toNanos());
                ports.sweep();
                assertThrows(SocketException.class, () -> waits.getInputStream().read());
            }
        }
    }

    @Test
    void whatConflicts() {
        InetSocketAddress wanted = at("127.0.0.1", 80);
        assertTrue(PortOwner.conflicts(at("127.0.0.1", 80), wanted));
        assertTrue(PortOwner.conflicts(at("0.0.0.0", 80), wanted));
        assertTrue(PortOwner.conflicts(at("::", 80), wanted));
        assertTrue(PortOwner.conflicts(wanted, at("0.0.0.0", 80)));
        assertTrue(!PortOwner.conflicts(at("127.0.0.2", 80), wanted));
        assertTrue(!PortOwner.conflicts(at("0.0.0.0", 81), wanted));
    }

    private static InetSocketAddress at(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }
}
