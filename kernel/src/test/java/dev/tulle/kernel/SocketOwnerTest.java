package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Goal: a connection's other end is found: its cgroup over TCP, its process over a Unix socket. */
@Timeout(60)
class SocketOwnerTest {
    @Test
    void theCgroupOfALoopbackClient() throws Exception {
        try (TestTree tree = new TestTree("diag");
                SockDiag diag = SockDiag.open();
                ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            Process client = new ProcessBuilder(
                            "bash",
                            "-c",
                            "read go; exec 3<>/dev/tcp/127.0.0.1/" + server.getLocalPort() + "; read stop")
                    .start();
            tree.cgroups.move(client.pid(), tree.cgroup);
            client.outputWriter().append("go\n").flush();
            try (Socket accepted = server.accept()) {
                InetSocketAddress peer = (InetSocketAddress) accepted.getRemoteSocketAddress();
                InetSocketAddress own = (InetSocketAddress) accepted.getLocalSocketAddress();
                SockDiag.Socket found = diag.tcp(peer, own).orElseThrow();
                assertEquals(tree.cgroups.id(tree.cgroup), found.cgroupId());
                assertEquals(1, found.state());
                assertEquals(0, found.uid());
                assertEquals(
                        "socket:[" + found.inode() + "]",
                        Files.readSymbolicLink(Path.of("/proc/" + client.pid() + "/fd/3"))
                                .toString());
                // The accepted end is this JVM's, which opens AF_INET6 sockets and talks v4-mapped addresses.
                SockDiag.Socket ours = diag.tcp(own, peer).orElseThrow();
                assertEquals(
                        tree.cgroups.id(tree.cgroups.of(ProcessHandle.current().pid())), ours.cgroupId());
                assertEquals(Optional.empty(), diag.tcp(new InetSocketAddress(own.getAddress(), 1), peer));
                assertThrows(
                        IllegalArgumentException.class,
                        () -> diag.tcp(new InetSocketAddress(InetAddress.ofLiteral("::1"), 1), peer));
            } finally {
                client.outputWriter().append("stop\n").flush();
                assertEquals(0, client.waitFor());
            }
        }
    }

    @Test
    void overIpv6() throws Exception {
        try (SockDiag diag = SockDiag.open();
                ServerSocket server = new ServerSocket(0, 5, InetAddress.ofLiteral("::1"));
                Socket client = new Socket(InetAddress.ofLiteral("::1"), server.getLocalPort());
                Socket accepted = server.accept()) {
            assertTrue(accepted.isConnected());
            SockDiag.Socket found = diag.tcp((InetSocketAddress) client.getLocalSocketAddress(), (InetSocketAddress)
                            client.getRemoteSocketAddress())
                    .orElseThrow();
            assertTrue(found.inode() > 0);
        }
    }

    @Test
    void theProcessBehindAUnixConnection(@TempDir Path directory) throws Exception {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(directory.resolve("agent.sock"));
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(address);
            ProcessBuilder peer = new ProcessBuilder(
                            "python3",
                            "-c",
                            "import os, socket, sys; os.setgid(1234); os.setuid(4321);"
                                    + " s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); sys.stdin.read()",
                            address.getPath().toString())
                    .redirectError(ProcessBuilder.Redirect.INHERIT);
            Files.setPosixFilePermissions(address.getPath(), PosixFilePermissions.fromString("rwxrwxrwx"));
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
            Process process = peer.start();
            try (SocketChannel accepted = server.accept();
                    SocketChannel ours = SocketChannel.open(address);
                    SocketChannel second = server.accept()) {
                PeerCredentials credentials = PeerCredentials.of(accepted);
                assertEquals(new PeerCredentials(process.pid(), 4321, 1234), credentials);
                long self = ProcessHandle.current().pid();
                assertEquals(new PeerCredentials(self, 0, 0), PeerCredentials.of(second));
                assertEquals(self, PeerCredentials.of(ours).pid());
                assertEquals(credentials, PeerCredentials.of(accepted));
            } finally {
                process.outputWriter().close();
                assertEquals(0, process.waitFor());
            }
        }
    }

    @Test
    void otherChannelsAreRefused() throws Exception {
        try (SocketChannel unconnected = SocketChannel.open()) {
            assertThrows(IllegalArgumentException.class, () -> PeerCredentials.of(unconnected));
        }
    }
}
