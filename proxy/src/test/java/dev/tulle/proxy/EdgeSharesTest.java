package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.LocalApiServer;
import dev.tulle.model.EdgeTls;
import dev.tulle.model.MeshState;
import dev.tulle.proxy.lease.SocketHttpOptions;
import dev.tulle.proxy.share.Budget;
import dev.tulle.proxy.transport.Pki;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whoever has connections that never get as far as being served has no more of them than others. */
class EdgeSharesTest {
    private static final String GREEDY = "127.0.0.2";

    @TempDir
    private Path directory = Path.of("");

    private final List<Socket> all = new ArrayList<>();

    /** How many connections of one client that say nothing are left when there are no more than that, or after a while. */
    private int silent(int port, int most) throws Exception {
        List<Socket> open = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            Socket one = new Socket(InetAddress.getLoopbackAddress(), port, InetAddress.getByName(GREEDY), 0);
            one.setSoTimeout(5);
            all.add(one);
            open.add(one);
        }
        // Before a handshake would be given up.
        long end = System.nanoTime() + Duration.ofSeconds(6).toNanos();
        while (open.size() > most && System.nanoTime() < end) {
            open.removeIf(EdgeSharesTest::isRefused);
        }
        return open.size();
    }

    private static boolean isRefused(Socket one) {
        try {
            return one.getInputStream().read() < 0;
        } catch (SocketTimeoutException e) {
            return false;
        } catch (IOException e) {
            return true;
        }
    }

    private void closeAll() throws IOException {
        for (Socket one : all) {
            one.close();
        }
    }

    /** No agent: everybody is known by the address. Whoever has a workload's name, and those of whom nothing is known. */
    @ParameterizedTest
    @ValueSource(strings = {"address", "workload", "nobody knows"})
    void handshakesThatDoNotEndHaveTheirClientsShare(String clients) throws Exception {
        int port = Edges.freePort();
        boolean known = clients.equals("workload");
        Pki pki = new Pki(directory).authority("root").issue("a", "root", "DNS:a.example.com");
        EdgeTls tls = new EdgeTls(pki.certificate("a").toString(), pki.key("a").toString(), "", false);
        SSLContext client = SSLContext.getInstance("TLS");
        client.init(null, EdgeTlsTest.trust(pki.certificate("root")), null);
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds();
                LocalApiServer _ = LocalApiServer.start(
                        directory.resolve("node.sock"),
                        (request, replies) -> replies.send(
                                !known
                                        ? "{\"ok\":false}"
                                        : Whois.answer(
                                                request.contains("\"" + GREEDY + ":")
                                                        ? "node/default/greedy"
                                                        : "node/default/quiet")))) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(EdgeTlsTest.edge(mesh, EdgeTlsTest.chain("a", port, tls)));
            Leaks.watch();
            try (NodeProxy _ = NodeProxy.start(
                    Edges.options()
                            .drain(Duration.ofSeconds(1))
                            .nodeSocket(clients.equals("address") ? null : directory.resolve("node.sock"))
                            .build(),
                    xds,
                    SocketHttpOptions::new,
                    new Budget(40, 4, 4 << 20, 256 << 10, 50, 50))) {
                try (SSLSocket socket = EdgeTlsTest.connect(client, port, "any")) {
                    assertEquals("a", EdgeTlsTest.ask(socket, "any"));
                }
                int open = silent(port, 20);
                assertTrue(open >= 4 && open <= 20, "one client holds " + open + " of 40");
                if (known) {
                    try (SSLSocket socket = EdgeTlsTest.connect(client, port, "any")) {
                        assertEquals("a", EdgeTlsTest.ask(socket, "any"), "somebody else");
                    }
                }
            } finally {
                closeAll();
            }
            Leaks.check();
        }
    }

    @Test
    void connectionsThatWaitForTheControlPlaneHaveTheirClientsShare() throws Exception {
        try (FakeXds xds = new FakeXds()) {
            xds.silence(true);
            Leaks.watch();
            try (NodeProxy proxy = NodeProxy.start(
                    ProxyOptions.builder()
                            .workers(2)
                            .outbound(List.of(), -1)
                            .explicit("127.0.0.1", -1)
                            .probes("127.0.0.1", 0, 0)
                            .onDemandTimeout(Duration.ofSeconds(20))
                            .drain(Duration.ofSeconds(1))
                            .build(),
                    xds,
                    SocketHttpOptions::new,
                    new Budget(40, 4, 4 << 20, 256 << 10, 50, 50))) {
                int open =
                        silent(proxy.listenToward("127.0.0.1", 0, new InetSocketAddress(Meshes.VIP, Meshes.PORT)), 20);
                assertTrue(open >= 4 && open <= 20, "one client holds " + open + " of 40");
            } finally {
                closeAll();
            }
            Leaks.check();
        }
    }
}
