package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster.ProxyProtocol;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.VirtualHost;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real HAProxy before the mesh's edge, and one behind the proxy: both speak the PROXY protocol with us. */
class HaproxyTest {
    private static final String DEFAULTS = """
            defaults
              mode http
              timeout connect 5s
              timeout client 20s
              timeout server 20s
            """;

    @TempDir
    private Path directory;

    /** A running one, until it is closed. */
    private final class Haproxy implements AutoCloseable {
        private final Process process;

        Haproxy(int port, String sections) throws IOException, InterruptedException {
            Path config = Files.writeString(directory.resolve("haproxy.cfg"), DEFAULTS + sections);
            Path said = directory.resolve("said");
            try {
                process = new ProcessBuilder("haproxy", "-db", "-f", config.toString())
                        .redirectErrorStream(true)
                        .redirectOutput(said.toFile())
                        .start();
            } catch (IOException e) {
                throw new AssertionError("haproxy is needed by this test (scripts/lib/setup.sh installs it): " + e, e);
            }
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
            while (!isOpen(port)) {
                assertTrue(process.isAlive() && System.nanoTime() < end, "haproxy: " + Files.readString(said));
                Thread.sleep(10);
            }
        }

        @Override
        public void close() throws InterruptedException {
            process.destroy();
            assertTrue(process.waitFor(10, TimeUnit.SECONDS), "haproxy does not end");
        }
    }

    private static boolean isOpen(int port) {
        try (Socket _ = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void itAnnouncesItsCallersAtTheEdge() throws Exception {
        int edge = Edges.freePort();
        List<String> ways = List.of("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id");
        int[] ports = {Edges.freePort(), Edges.freePort(), Edges.freePort()};
        StringBuilder sections = new StringBuilder();
        for (int i = 0; i < ports.length; i++) {
            sections.append("""
                    listen way%d
                      bind 127.0.0.1:%d
                      unique-id-format %%{+X}o\\ %%ci
                      server edge 127.0.0.1:%d %s
                    """.formatted(i, ports[i], edge, ways.get(i)));
        }
        VirtualHost all = new VirtualHost("*", List.of("*"), List.of(Meshes.forward("all", RouteMatch.ANY, "a")));
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(Edges.edge(
                    mesh,
                    List.of(new Listener.Target.Chain(
                            edge, new Listener.Target.Http("http.80", false, List.of()), ResourceRef.DEFAULT)),
                    Set.of(edge),
                    List.of(new RouteConfiguration("http.80", List.of(all)))));
            try (NodeProxy _ = Edges.start(xds);
                    Haproxy _ = new Haproxy(ports[2], sections.toString())) {
                for (int i = 0; !isOpen(edge); i++) {
                    assertTrue(i < 500, "the edge is not open after 5 s");
                    Thread.sleep(10);
                }
                for (int i = 0; i < ports.length; i++) {
                    a.requests.clear();
                    try (Socket client = new Socket()) {
                        client.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0." + (5 + i)), 0));
                        client.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), ports[i]));
                        client.setSoTimeout(10_000);
                        client.getOutputStream()
                                .write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                                        .getBytes(StandardCharsets.US_ASCII));
                        String answer = new String(client.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
                        assertTrue(answer.startsWith("HTTP/1.1 200 "), ways.get(i) + ": " + answer);
                    }
                    String head = a.requests.getFirst().head().toLowerCase(Locale.ROOT);
                    assertTrue(
                            head.contains("x-forwarded-for: 127.0.0." + (5 + i) + "\r\n"), ways.get(i) + ": " + head);
                }
            }
            Leaks.check();
        }
    }

    @Test
    void itIsToldForWhomConnectionsAre() throws Exception {
        int port = Edges.freePort();
        String sections = """
                frontend told
                  bind 127.0.0.1:%d accept-proxy
                  http-request return status 200 content-type text/plain lf-string "%%[src]:%%[src_port] %%[dst]:%%[dst_port]"
                """.formatted(port);
        try (Haproxy _ = new Haproxy(port, sections)) {
            for (ProxyProtocol version : List.of(ProxyProtocol.V1, ProxyProtocol.V2)) {
                MeshState mesh =
                        Meshes.mesh().proxyProtocol(version).subset("", port).build();
                try (ProxyFixture proxy = new ProxyFixture(mesh);
                        RawClient client = new RawClient(proxy.port)) {
                    RawClient.Response answer =
                            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").read(false);
                    assertEquals(
                            "127.0.0.1:" + client.socket.getLocalPort() + " " + Meshes.VIP + ":" + Meshes.PORT,
                            answer.body(),
                            answer.head());
                }
            }
        }
    }
}
