package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.Workload;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Connections as such: relay, detection, on-demand configuration, explicit proxy, drain, administrator's pages. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ConnectionsTest {
    private interface Server {
        void serve(Socket socket) throws IOException, InterruptedException;
    }

    private static ServerSocket tcp(Server server) throws IOException {
        ServerSocket listener = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(() -> {
            while (!listener.isClosed()) {
                try {
                    Socket socket = listener.accept();
                    Thread.ofVirtual().start(() -> {
                        try (socket) {
                            server.serve(socket);
                        } catch (IOException | InterruptedException e) {
                            Thread.currentThread().interrupt();
                        }
                    });
                } catch (IOException e) {
                    return;
                }
            }
        });
        return listener;
    }

    private static MeshState tcpMesh(int... ports) {
        return Meshes.mesh()
                .subset("", ports)
                .tcp(new WeightedCluster(Meshes.cluster(""), 1))
                .build();
    }

    @Test
    void relaysWithHalfClose() throws Exception {
        try (ServerSocket server = tcp(socket -> {
                    // Answers only after the client has said that it is done.
                    byte[] all = socket.getInputStream().readAllBytes();
                    socket.getOutputStream().write(("got " + all.length).getBytes(StandardCharsets.ISO_8859_1));
                });
                ProxyFixture proxy = new ProxyFixture(tcpMesh(server.getLocalPort()));
                Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.port)) {
            client.setSoTimeout(10_000);
            client.getOutputStream().write(new byte[100_000]);
            client.shutdownOutput();
            assertEquals("got 100000", new String(client.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1));
            for (int i = 0; i < 100 && proxy.sum("istio_tcp_connections_closed_total") < 1; i++) {
                Thread.sleep(20);
            }
            assertEquals(1, proxy.sum("istio_tcp_connections_opened_total"));
            assertEquals(1, proxy.sum("istio_tcp_connections_closed_total"));
            assertEquals(100_000, proxy.sum("istio_tcp_received_bytes_total"));
            assertEquals(10, proxy.sum("istio_tcp_sent_bytes_total"));
        }
    }

    @Test
    void connectsElsewhereWhenAReplicaIsGone() throws Exception {
        int closed;
        try (ServerSocket socket = new ServerSocket(0)) {
            closed = socket.getLocalPort();
        }
        try (ServerSocket server = tcp(socket -> socket.getOutputStream().write(1));
                ProxyFixture proxy = new ProxyFixture(tcpMesh(closed, server.getLocalPort()))) {
            for (int i = 0; i < 50; i++) {
                try (Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.port)) {
                    assertEquals(1, client.getInputStream().read(), "connection " + i);
                }
            }
        }
    }

    /** The answer to a client that ended its half has to wait for the client's reading, without being cut. */
    @Test
    void largeAnswerAfterHalfClose() throws Exception {
        int size = 24 << 20;
        try (ServerSocket server = tcp(socket -> {
                    socket.getInputStream().readAllBytes();
                    socket.getOutputStream().write(new byte[size]);
                });
                ProxyFixture proxy = new ProxyFixture(tcpMesh(server.getLocalPort()))) {
            for (int pause : new int[] {0, 200}) {
                try (Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.port)) {
                    client.getOutputStream().write(1);
                    Thread.sleep(pause);
                    client.shutdownOutput();
                    Thread.sleep(300);
                    assertEquals(size, client.getInputStream().readAllBytes().length);
                }
            }
        }
    }

    @Test
    void serverMayCloseItsHalfFirst() throws Exception {
        CompletableFuture<String> got = new CompletableFuture<>();
        try (ServerSocket server = tcp(socket -> {
                    socket.getOutputStream().write("banner".getBytes(StandardCharsets.ISO_8859_1));
                    socket.shutdownOutput();
                    got.complete(new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1));
                });
                ProxyFixture proxy = new ProxyFixture(tcpMesh(server.getLocalPort()));
                Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.port)) {
            assertEquals("banner", new String(client.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1));
            client.getOutputStream().write("still here".getBytes(StandardCharsets.ISO_8859_1));
            client.shutdownOutput();
            assertEquals("still here", got.get(10, TimeUnit.SECONDS));
        }
    }

    @Test
    void abortsTravel() throws Exception {
        CompletableFuture<Boolean> ended = new CompletableFuture<>();
        try (ServerSocket server = tcp(socket -> {
                    try {
                        socket.getInputStream().readAllBytes();
                        ended.complete(true);
                    } catch (IOException e) {
                        ended.complete(true);
                        throw e;
                    }
                });
                ProxyFixture proxy = new ProxyFixture(tcpMesh(server.getLocalPort()))) {
            Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.port);
            client.getOutputStream().write(1);
            Thread.sleep(100);
            client.setSoLinger(true, 0);
            client.close();
            assertTrue(ended.get(10, TimeUnit.SECONDS));
        }
    }

    /** Bar A10 on this side of the kernel: a stalled reader stalls the writer, and nothing is lost. */
    @Test
    void stalledReaderPushesBack() throws Exception {
        long size = 64L << 20;
        CompletableFuture<Long> sum = new CompletableFuture<>();
        try (ServerSocket server = tcp(socket -> {
                    Thread.sleep(700);
                    CRC32 crc = new CRC32();
                    byte[] buffer = new byte[1 << 16];
                    for (int n = socket.getInputStream().read(buffer);
                            n > 0;
                            n = socket.getInputStream().read(buffer)) {
                        crc.update(buffer, 0, n);
                    }
                    sum.complete(crc.getValue());
                });
                ProxyFixture proxy = new ProxyFixture(tcpMesh(server.getLocalPort()));
                Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.port)) {
            CRC32 crc = new CRC32();
            byte[] block = new byte[1 << 16];
            Random random = new Random(3);
            OutputStream out = client.getOutputStream();
            long before =
                    io.netty.buffer.PooledByteBufAllocator.DEFAULT.metric().usedDirectMemory();
            long peak = before;
            for (long sent = 0; sent < size; sent += block.length) {
                random.nextBytes(block);
                crc.update(block);
                out.write(block);
                peak = Math.max(
                        peak,
                        io.netty.buffer.PooledByteBufAllocator.DEFAULT.metric().usedDirectMemory());
            }
            client.shutdownOutput();
            assertEquals(crc.getValue(), sum.get(30, TimeUnit.SECONDS));
            assertTrue(peak - before <= 16 << 20, "direct memory grew by " + (peak - before));
        }
    }

    /** A slow reader of a large response costs a bounded amount; a fast one is not disturbed. */
    @Test
    void slowReadersOfResponses() throws Exception {
        int size = 32 << 20;
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(("HTTP/1.1 200 OK\r\nContent-Length: " + size + "\r\n\r\n")
                            .getBytes(StandardCharsets.ISO_8859_1));
                    byte[] block = new byte[1 << 16];
                    for (int sent = 0; sent < size; sent += block.length) {
                        java.util.Arrays.fill(block, (byte) (sent >> 16));
                        out.write(block);
                    }
                    return true;
                });
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient slow = new RawClient(proxy.port)) {
            slow.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n");
            Thread.sleep(500);
            long used = io.netty.buffer.PooledByteBufAllocator.DEFAULT.metric().usedDirectMemory();
            assertTrue(used <= 48L << 20, "direct memory " + used);
            assertEquals(size, RawClient.get(proxy.port, "/").body().length());
            String body = slow.read(false).body();
            assertEquals(size, body.length());
            for (int at = 0; at < size; at += 1 << 16) {
                assertEquals((char) ((at >> 16) & 0xff), body.charAt(at));
            }
        }
    }

    /** Who ends only its own half still gets what it asked for, in order, and then the end. */
    @Test
    void halfClosedClientsAreAnswered() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    Thread.sleep(100);
                    out.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(proxy.port);
                RawClient unfinished = new RawClient(proxy.port)) {
            client.send("GET /1 HTTP/1.1\r\nHost: w\r\n\r\nGET /2 HTTP/1.1\r\nHost: w\r\n\r\n");
            client.socket.shutdownOutput();
            assertEquals("ok", client.read(false).body());
            assertEquals("ok", client.read(false).body());
            assertEquals(-1, client.in().read());
            unfinished.send(
                    "GET /1 HTTP/1.1\r\nHost: w\r\n\r\nPOST /2 HTTP/1.1\r\nHost: w\r\nContent-Length: 9\r\n\r\nhalf");
            unfinished.socket.shutdownOutput();
            assertEquals("ok", unfinished.read(false).body());
            assertEquals(-1, unfinished.in().read());
        }
    }

    @Test
    void detectsWhatIsSpoken() throws Exception {
        try (ServerSocket server = tcp(socket -> {
                    byte[] buffer = new byte[1_000];
                    int n = socket.getInputStream().read(buffer);
                    String said = n < 0 ? "nothing" : new String(buffer, 0, n, StandardCharsets.ISO_8859_1);
                    String body =
                            said.startsWith("GET") ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" : "echo " + said;
                    socket.getOutputStream().write(body.getBytes(StandardCharsets.ISO_8859_1));
                });
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().detect().subset("", server.getLocalPort()).build())) {
            assertEquals("ok", RawClient.get(proxy.port, "/").body());
            for (String bytes : List.of("PRI * HTTP/2.0\r\n\r\n", "\u0016\u0003\u0001", "GEX", "hello")) {
                try (RawClient client = new RawClient(proxy.port).send(bytes)) {
                    client.socket.shutdownOutput();
                    assertEquals("echo " + bytes, new String(client.in().readAllBytes(), StandardCharsets.ISO_8859_1));
                }
            }
        }
        // A client that takes its time is one of HTTP all the same: the server sees it as one, on another connection.
        try (ServerSocket server = tcp(socket -> {
                    byte[] buffer = new byte[1_000];
                    int n = socket.getInputStream().read(buffer);
                    String said = n < 0 ? "" : new String(buffer, 0, n, StandardCharsets.ISO_8859_1);
                    socket.getOutputStream()
                            .write(("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
                                            + (said.contains("/later") ? "ok" : "no"))
                                    .getBytes(StandardCharsets.ISO_8859_1));
                });
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().detect().subset("", server.getLocalPort()).build());
                RawClient whole = new RawClient(proxy.port);
                RawClient parts = new RawClient(proxy.port);
                RawClient bytes = new RawClient(proxy.port)) {
            Thread.sleep(900);
            assertEquals(
                    "ok",
                    whole.send("GET /later HTTP/1.1\r\nHost: w\r\n\r\n")
                            .read(false)
                            .body());
            parts.send("G");
            Thread.sleep(50);
            parts.send("ET /lat");
            Thread.sleep(50);
            assertEquals(
                    "ok",
                    parts.send("er HTTP/1.1\r\nHost: w\r\n\r\n").read(false).body());
            assertEquals("no", bytes.send("GEX").read(false).body());
            assertEquals(2, proxy.sum("istio_requests_total", "response_code=\"200\""));
        }
        // Half a method that nothing follows is what the client had to say.
        try (ServerSocket server = tcp(socket -> {
                    int c = socket.getInputStream().read();
                    socket.getOutputStream().write(c);
                });
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().detect().subset("", server.getLocalPort()).build());
                RawClient client = new RawClient(proxy.port)) {
            Thread.sleep(900);
            assertEquals('P', client.send("P").in().read());
        }
        // A server that speaks first is reached although the client says nothing.
        try (ServerSocket server =
                        tcp(socket -> socket.getOutputStream().write("220 hi".getBytes(StandardCharsets.ISO_8859_1)));
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().detect().subset("", server.getLocalPort()).build());
                RawClient client = new RawClient(proxy.port)) {
            assertEquals("220 hi", new String(client.in().readAllBytes(), StandardCharsets.ISO_8859_1));
        }
    }

    /** What the proxy answers once a change has reached it; until then it refuses the connection. */
    private static String firstAnswer(ProxyFixture proxy) throws Exception {
        for (int i = 0; i < 100; i++) {
            try {
                String body = RawClient.get(proxy.port, "/").body();
                if (!body.isEmpty()) {
                    return body;
                }
            } catch (SocketException e) {
                // Refused: the change is still under way.
            }
            Thread.sleep(20);
        }
        return "";
    }

    @Test
    void configurationIsFetchedOnDemand() throws Exception {
        try (Origin origin = Origin.answering("ok");
                ProxyFixture proxy = new ProxyFixture(MeshState.EMPTY)) {
            try (RawClient client = new RawClient(proxy.port).send("GET / HTTP/1.1\r\nHost: w\r\n\r\n")) {
                assertTrue(client.isClosed());
            }
            assertEquals(1, proxy.sum("tulle_proxy_connections_refused_total", "unknown_service"));
            proxy.xds.set(Meshes.mesh().subset("", origin.port()).build());
            assertEquals("ok", firstAnswer(proxy));
        }
        // A control plane that is away holds the connection for a while, and then it is refused.
        try (Origin origin = Origin.answering("ok");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build())) {
            proxy.xds.silence(true);
            try (RawClient client = new RawClient(proxy.port).send("GET / HTTP/1.1\r\nHost: w\r\n\r\n")) {
                assertTrue(client.isClosed());
            }
            assertEquals(1, proxy.sum("tulle_proxy_connections_refused_total", "control_plane_silent"));
            try (RawClient client = new RawClient(proxy.port).send("GET / HTTP/1.1\r\nHost: w\r\n\r\n")) {
                Thread.sleep(100);
                proxy.xds.silence(false);
                assertEquals(200, client.read(false).code());
            }
        }
    }

    @Test
    void explicitProxy() throws Exception {
        try (Origin origin = Origin.answering("ok");
                ServerSocket outside = tcp(socket -> {
                    byte[] got = socket.getInputStream().readNBytes(4);
                    socket.getOutputStream().write(got);
                });
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().subset("", origin.port()).build(), ProxyOptions.OutboundPolicy.ALLOW_ANY)) {
            int port = proxy.proxy.listenExplicit("127.0.0.1", 0);
            assertEquals(200, RawClient.get(port, "/web/a?b=c").code());
            assertEquals("GET /a?b=c HTTP/1.1", origin.requests.get(0).line());
            assertEquals("web", origin.requests.get(0).field("host"));
            assertEquals("http", origin.requests.get(0).field("x-forwarded-proto"));
            String id = origin.requests.get(0).field("x-request-id");
            assertTrue(id.matches("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), id);
            assertEquals(200, RawClient.get(port, "/web.default:80").code());
            assertNotEquals(id, origin.requests.get(1).field("x-request-id"));
            assertEquals("GET / HTTP/1.1", origin.requests.get(1).line());
            assertEquals(
                    200,
                    RawClient.once(
                                    port,
                                    "GET http://" + Meshes.HOST + "/x HTTP/1.1\r\nHost: " + Meshes.HOST + "\r\n\r\n")
                            .code());
            assertEquals("GET /x HTTP/1.1", origin.requests.get(2).line());
            assertEquals(404, RawClient.get(port, "/nobody/").code());
            assertEquals(404, RawClient.get(port, "/").code());
            try (RawClient client = new RawClient(port)) {
                client.send("CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n");
                assertEquals(200, Integer.parseInt(Origin.readHead(client.in()).substring(9, 12)));
                assertEquals(
                        "ok",
                        client.send("GET /t HTTP/1.1\r\nHost: web\r\n\r\n")
                                .read(false)
                                .body());
            }
            String target = "127.0.0.1:" + outside.getLocalPort();
            try (RawClient client = new RawClient(port)) {
                client.send("CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\nearl");
                Origin.readHead(client.in());
                assertEquals("earl", new String(client.in().readNBytes(4), StandardCharsets.ISO_8859_1));
            }
            try (RawClient client = new RawClient(port)) {
                client.send("CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\nends");
                client.socket.shutdownOutput();
                Origin.readHead(client.in());
                assertEquals("ends", new String(client.in().readAllBytes(), StandardCharsets.ISO_8859_1));
            }
        }
    }

    @Test
    void drainsGracefully() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
            Thread.sleep(400);
            out.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes(StandardCharsets.ISO_8859_1));
            return true;
        })) {
            ProxyFixture proxy =
                    new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
            try (RawClient busy = new RawClient(proxy.port);
                    RawClient idle = new RawClient(proxy.port)) {
                idle.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n").read(false);
                busy.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n");
                Thread.sleep(100);
                Thread closing = Thread.ofVirtual().start(proxy::close);
                Thread.sleep(50);
                assertTrue(!proxy.proxy.isReady());
                RawClient.Response last = busy.read(false);
                assertEquals(200, last.code());
                assertEquals("close", last.field("connection"));
                assertTrue(idle.isClosed());
                closing.join();
            }
        }
    }

    @Test
    void pagesAndIdentity() throws Exception {
        Workload client = new Workload(
                "node/default/me",
                "me",
                "default",
                "me",
                "node",
                List.of("127.0.0.2"),
                Map.of("app", "me", "version", "v9"),
                List.of(),
                List.of(),
                true,
                ResourceRef.DEFAULT);
        try (Origin origin = Origin.answering("ok");
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().subset("", origin.port()).workload(client).build())) {
            assertEquals(200, RawClient.get(proxy.port, "/").code());
            String config = proxy.proxy.adminApi().answer("config").toString();
            assertTrue(config.contains("240.240.0.1_80") && config.contains("\"Prefix\""), config);
            String clusters = proxy.proxy.adminApi().answer("clusters").toString();
            assertTrue(clusters.contains("127.0.0.1:" + origin.port()), clusters);
            assertTrue(proxy.proxy.adminApi().answer("stats").getAsString().contains("istio_requests_total"));
            assertTrue(proxy.proxy.adminApi().answer("memory").toString().contains("heapUsedBytes"));
            assertThrows(
                    IllegalArgumentException.class, () -> proxy.proxy.adminApi().answer("quit"));

            // Everybody may read whether it is ready, and its metrics; nothing else.
            List<Integer> ports = proxy.proxy.probePorts();
            HttpClient http = HttpClient.newHttpClient();
            List<String> shown = List.of("/healthz/ready", "/metrics", "/stats/prometheus");
            List<String> hidden =
                    List.of("/", "/config_dump", "/clusters", "/memory", "/stats", "/quitquitquit", "/logging");
            for (String path : Stream.concat(shown.stream(), hidden.stream()).toList()) {
                List<Integer> answers = new ArrayList<>();
                for (int at : ports) {
                    HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + at + path))
                            .build();
                    answers.add(http.send(request, HttpResponse.BodyHandlers.discarding())
                            .statusCode());
                }
                assertEquals(shown.contains(path), answers.contains(200), path + " " + answers);
            }
            http.close();
        }
    }
}
