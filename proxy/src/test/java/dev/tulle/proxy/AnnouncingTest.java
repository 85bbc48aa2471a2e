package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import dev.tulle.model.Cluster.ProxyProtocol;
import dev.tulle.model.MeshState;
import dev.tulle.model.UpstreamTls;
import dev.tulle.model.WeightedCluster;
import dev.tulle.proxy.transport.Pki;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Endpoints that are told for whom a connection is made: a real nginx, which insists on it and says what it was told. */
class AnnouncingTest {
    private static final String NAME = "web.example";

    /** Where connections are made to without the header's client, by the number of the connection. */
    private static final String SEEN = "$proxy_protocol_addr:$proxy_protocol_port"
            + " $proxy_protocol_server_addr:$proxy_protocol_server_port $server_protocol $connection";

    @TempDir
    private static Path directory;

    private static Pki pki;
    private static Process nginx;
    private static int plain;
    private static int http2;
    private static int secure;

    @BeforeAll
    static void start() throws Exception {
        pki = new Pki(Files.createDirectories(directory.resolve("pki")))
                .authority("root")
                .issue("server", "root", "DNS:" + NAME);
        List<ServerSocket> free = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            free.add(new ServerSocket(0, 1, InetAddress.getLoopbackAddress()));
        }
        plain = free.get(0).getLocalPort();
        http2 = free.get(1).getLocalPort();
        secure = free.get(2).getLocalPort();
        for (ServerSocket one : free) {
            one.close();
        }
        Path config = Files.writeString(directory.resolve("nginx.conf"), """
                daemon off;
                %1$s
                pid %2$s/nginx.pid;
                error_log %2$s/error.log;
                events {}
                http {
                  access_log off;
                  client_body_temp_path %2$s/body;
                  proxy_temp_path %2$s/proxy;
                  fastcgi_temp_path %2$s/fastcgi;
                  uwsgi_temp_path %2$s/uwsgi;
                  scgi_temp_path %2$s/scgi;
                  server { listen 127.0.0.1:%3$d proxy_protocol; return 200 "%7$s"; }
                  server { listen 127.0.0.1:%4$d http2 proxy_protocol; return 200 "%7$s"; }
                  server {
                    listen 127.0.0.1:%5$d ssl http2 proxy_protocol;
                    ssl_certificate %6$s;
                    ssl_certificate_key %8$s;
                    return 200 "%7$s";
                  }
                }
                """.formatted(
                        System.getProperty("user.name").equals("root") ? "user root;" : "",
                        directory,
                        plain,
                        http2,
                        secure,
                        pki.certificate("server"),
                        SEEN,
                        pki.key("server")));
        try {
            nginx = new ProcessBuilder("nginx", "-p", directory.toString(), "-c", config.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(directory.resolve("said").toFile())
                    .start();
        } catch (IOException e) {
            throw new AssertionError("nginx is needed by this test (scripts/lib/setup.sh installs it): " + e, e);
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!isOpen(secure)) {
            assertTrue(
                    nginx.isAlive() && System.nanoTime() < end,
                    "nginx: " + Files.readString(directory.resolve("said")));
            Thread.sleep(10);
        }
    }

    private static boolean isOpen(int port) {
        try (Socket _ = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    @AfterAll
    static void stop() throws InterruptedException {
        nginx.destroy();
        assertTrue(nginx.waitFor(10, TimeUnit.SECONDS), "nginx does not end");
    }

    /** What two clients, each with two requests, are told that the server was told, and whether in connections of their own. */
    private static void check(MeshState mesh, String protocol) throws IOException {
        try (ProxyFixture proxy = new ProxyFixture(mesh)) {
            List<String> connections = new ArrayList<>();
            for (int client = 0; client < 2; client++) {
                try (RawClient one = new RawClient(proxy.port)) {
                    for (int request = 0; request < 2; request++) {
                        RawClient.Response answer = one.send("GET / HTTP/1.1\r\nHost: " + NAME + "\r\n\r\n")
                                .read(false);
                        assertEquals(200, answer.code(), answer.head() + answer.body());
                        String[] seen = answer.body().split(" ", -1);
                        assertEquals("127.0.0.1:" + one.socket.getLocalPort(), seen[0]);
                        assertEquals(Meshes.VIP + ":" + Meshes.PORT, seen[1]);
                        assertEquals(protocol, seen[2]);
                        connections.add(seen[3]);
                    }
                }
            }
            assertEquals(4, connections.stream().distinct().count(), connections.toString());
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = ProxyProtocol.class,
            names = {"V1", "V2"})
    void ofRequests(ProxyProtocol version) throws Exception {
        check(Meshes.mesh().proxyProtocol(version).subset("", plain).build(), "HTTP/1.1");
    }

    @ParameterizedTest
    @EnumSource(
            value = ProxyProtocol.class,
            names = {"V1", "V2"})
    void ofRequestsInHttp2(ProxyProtocol version) throws Exception {
        check(
                Meshes.mesh()
                        .protocol(Cluster.Protocol.HTTP2)
                        .proxyProtocol(version)
                        .subset("", http2)
                        .build(),
                "HTTP/2.0");
    }

    @ParameterizedTest
    @EnumSource(
            value = ProxyProtocol.class,
            names = {"V1", "V2"})
    void beforeTls(ProxyProtocol version) throws Exception {
        UpstreamTls tls = new UpstreamTls(NAME, "", "", pki.certificate("root").toString(), List.of(NAME));
        check(Meshes.mesh().tls(tls).proxyProtocol(version).subset("", secure).build(), "HTTP/1.1");
        check(
                Meshes.mesh()
                        .tls(tls)
                        .protocol(Cluster.Protocol.HTTP2)
                        .proxyProtocol(version)
                        .subset("", secure)
                        .build(),
                "HTTP/2.0");
    }

    /** Of bytes, also where the server speaks first: nothing of the client's is waited for. */
    @ParameterizedTest
    @EnumSource(
            value = ProxyProtocol.class,
            names = {"V1", "V2"})
    void ofBytes(ProxyProtocol version) throws Exception {
        MeshState mesh = Meshes.mesh()
                .proxyProtocol(version)
                .subset("", plain)
                .tcp(new WeightedCluster(Meshes.cluster(""), 1))
                .build();
        try (ProxyFixture proxy = new ProxyFixture(mesh);
                RawClient one = new RawClient(proxy.port)) {
            RawClient.Response answer =
                    one.send("GET / HTTP/1.1\r\nHost: " + NAME + "\r\n\r\n").read(false);
            assertTrue(
                    answer.body().startsWith("127.0.0.1:" + one.socket.getLocalPort() + " " + Meshes.VIP + ":"),
                    answer.body());
        }
    }

    @Test
    void aServerThatSpeaksFirstHasTheHeaderBefore() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            MeshState mesh = Meshes.mesh()
                    .proxyProtocol(ProxyProtocol.V1)
                    .subset("", server.getLocalPort())
                    .tcp(new WeightedCluster(Meshes.cluster(""), 1))
                    .build();
            try (ProxyFixture proxy = new ProxyFixture(mesh);
                    RawClient client = new RawClient(proxy.port);
                    Socket accepted = server.accept()) {
                accepted.setSoTimeout(10_000);
                StringBuilder line = new StringBuilder();
                while (line.indexOf("\n") < 0) {
                    int next = accepted.getInputStream().read();
                    assertNotEquals(-1, next, line.toString());
                    line.append((char) next);
                }
                assertEquals(
                        "PROXY TCP4 127.0.0.1 " + Meshes.VIP + " " + client.socket.getLocalPort() + " 80\r\n",
                        line.toString());
                accepted.getOutputStream().write('x');
                assertEquals('x', client.in().read());
            }
        }
    }

    /** A bound on connections counts these as well: who waits gets one of his own when another is over. */
    @Test
    void aBoundOnConnectionsHolds() throws Exception {
        MeshState mesh = Meshes.mesh()
                .proxyProtocol(ProxyProtocol.V2)
                .bounded("", 2, 0, plain)
                .build();
        try (ProxyFixture proxy = new ProxyFixture(mesh)) {
            List<RawClient> clients = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                RawClient client = new RawClient(proxy.port);
                clients.add(client);
                client.send("GET / HTTP/1.1\r\nHost: " + NAME + "\r\n\r\n");
            }
            for (RawClient client : clients) {
                assertTrue(client.read(false).body().startsWith("127.0.0.1:" + client.socket.getLocalPort() + " "));
                client.close();
            }
        }
    }
}
