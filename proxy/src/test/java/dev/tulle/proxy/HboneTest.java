package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.AuthorizationPolicy.Action;
import dev.tulle.model.AuthorizationPolicy.Operation;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Source;
import dev.tulle.model.Cluster;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.TextPattern;
import dev.tulle.model.WeightedCluster;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Requests and bytes from one node to another, through both proxies. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HboneTest {
    private static final int MANY = 8 << 20;

    /** Nobody waits for another one's thread. */
    private static final Executor THREADS = task -> Thread.ofVirtual().start(task);

    /** Set by JUnit. */
    @TempDir
    private Path directory = Path.of("");

    private static Origin web(String text) throws IOException {
        return Origin.at(TunnelNodes.WEB, 0, Origin.answer(text));
    }

    private static ServerSocket bytes() throws IOException {
        return new ServerSocket(0, 50, InetAddress.getByName(TunnelNodes.WEB));
    }

    private TunnelNodes http(int port, AuthorizationPolicy... policies) throws IOException {
        return new TunnelNodes(directory, port, Meshes.mesh().subset("", port), policies);
    }

    private TunnelNodes tcp(int port, AuthorizationPolicy... policies) throws IOException {
        Meshes mesh = Meshes.mesh().subset("", port).tcp(new WeightedCluster(Meshes.cluster(""), 1));
        return new TunnelNodes(directory, port, mesh, policies);
    }

    private static List<TextPattern> patterns(String... written) {
        return java.util.Arrays.stream(written).map(TextPattern::parse).toList();
    }

    private static AuthorizationPolicy policy(Action action, String name, Rule... rules) {
        return new AuthorizationPolicy(
                "default/" + name,
                AuthorizationPolicy.Scope.NAMESPACE,
                action,
                List.of(rules),
                new ResourceRef("AuthorizationPolicy", "default", name, "", 0));
    }

    private static AuthorizationPolicy onlyMe() {
        Source me = new Source(patterns("cluster.local/ns/default/sa/me"), List.of(), List.of(), List.of());
        return policy(Action.ALLOW, "only-me", new Rule(List.of(me), List.of(), List.of()));
    }

    private static AuthorizationPolicy notAdmin() {
        Source me = new Source(patterns("cluster.local/ns/default/sa/me"), List.of(), List.of(), List.of());
        Operation admin = new Operation(
                List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), patterns("/admin*"), List.of());
        return policy(Action.DENY, "not-admin", new Rule(List.of(me), List.of(admin), List.of()));
    }

    private static byte[] random(int size) {
        byte[] bytes = new byte[size];
        new Random(7).nextBytes(bytes);
        return bytes;
    }

    @Test
    void requestsGoToAnotherNodeAndCountAtBothEnds() throws Exception {
        try (Origin web = web("from afar");
                TunnelNodes nodes = http(web.port())) {
            try (RawClient client = new RawClient(nodes.port)) {
                for (int i = 0; i < 3; i++) {
                    RawClient.Response answer =
                            client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n").read(false);
                    assertEquals(200, answer.code(), answer::toString);
                    assertEquals("from afar", answer.body());
                }
            }
            assertEquals(
                    3,
                    nodes.near.sum(
                            "istio_requests_total",
                            "reporter=\"source\"",
                            "connection_security_policy=\"mutual_tls\""));
        }
    }

    @Test
    void bytesPassBothWaysAndEachHalfEndsOnItsOwn() throws Exception {
        byte[] there = random(MANY);
        try (ServerSocket web = bytes();
                TunnelNodes nodes = tcp(web.getLocalPort())) {
            CompletableFuture<byte[]> heard = CompletableFuture.supplyAsync(
                    () -> {
                        try (Socket taken = web.accept()) {
                            byte[] all = taken.getInputStream().readAllBytes();
                            // The caller has ended its half: there is somebody to answer still.
                            taken.getOutputStream().write(all);
                            return all;
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    },
                    THREADS);
            try (Socket client = new Socket(InetAddress.getLoopbackAddress(), nodes.port)) {
                client.getOutputStream().write(there);
                client.shutdownOutput();
                assertArrayEquals(there, client.getInputStream().readAllBytes());
            }
            assertArrayEquals(there, heard.get());
            assertEquals(
                    1,
                    nodes.far.sum(
                            "istio_tcp_connections_opened_total",
                            "reporter=\"destination\"",
                            "connection_security_policy=\"mutual_tls\"",
                            "source_principal=\"spiffe://cluster.local/ns/default/sa/me\"",
                            "destination_workload=\"web-" + web.getLocalPort() + "\""));
        }
    }

    @Test
    void theAddressOfAWorkloadElsewhereCanBeDialled() throws Exception {
        try (Origin web = web("dialled");
                TunnelNodes nodes = http(web.port())) {
            int port =
                    nodes.near.proxy().listenToward("127.0.0.1", 0, new InetSocketAddress(TunnelNodes.WEB, web.port()));
            RawClient.Response answer = RawClient.get(port, "/");
            assertEquals("dialled", answer.body(), answer::toString);
            assertEquals(
                    1,
                    nodes.far.sum(
                            "istio_tcp_connections_opened_total",
                            "reporter=\"destination\"",
                            "source_principal=\"spiffe://cluster.local/ns/default/sa/me\""));
            assertEquals(
                    1,
                    nodes.near.sum(
                            "istio_tcp_connections_opened_total",
                            "reporter=\"source\"",
                            "connection_security_policy=\"mutual_tls\""));
        }
    }

    @Test
    void aConnectionToANodeCarriesAHundredTunnels() throws Exception {
        try (ServerSocket web = bytes();
                TunnelNodes nodes = tcp(web.getLocalPort())) {
            List<Socket> open = new ArrayList<>();
            try {
                for (int i = 0; i < 150; i++) {
                    Socket client = new Socket(InetAddress.getLoopbackAddress(), nodes.port);
                    open.add(client);
                    client.getOutputStream().write(i);
                    Socket taken = web.accept();
                    open.add(taken);
                    assertEquals(i, taken.getInputStream().read());
                    taken.getOutputStream().write(i);
                    assertEquals(i, client.getInputStream().read());
                }
                // Of each tunnel there are a connection and a stream, which both count as the caller's.
                assertEquals(152, nodes.far.sum("tulle_proxy_connections "));
                nodes.far.agent().give(nodes.certificate(TunnelNodes.proxyOf(TunnelNodes.FAR), "root"));
                // Who has one keeps it.
                open.getFirst().getOutputStream().write(7);
                assertEquals(7, open.get(1).getInputStream().read());
            } finally {
                for (Socket one : open) {
                    one.close();
                }
            }
        }
    }

    @Test
    void aNodeThatLeavesFinishesWhatItHasAndTakesNothingFurther() throws Exception {
        try (ServerSocket web = bytes();
                TunnelNodes nodes = tcp(web.getLocalPort());
                Socket client = new Socket(InetAddress.getLoopbackAddress(), nodes.port);
                Socket taken = web.accept()) {
            client.getOutputStream().write(1);
            assertEquals(1, taken.getInputStream().read());
            CompletableFuture<Void> closed = CompletableFuture.runAsync(nodes.far.proxy()::close, THREADS);
            // Its port is closed when it has begun to leave.
            for (int i = 0; i < 500 && isOpen(nodes.tunnels); i++) {
                Thread.sleep(10);
            }
            client.getOutputStream().write(2);
            assertEquals(2, taken.getInputStream().read());
            client.shutdownOutput();
            assertEquals(-1, taken.getInputStream().read());
            taken.close();
            assertEquals(-1, client.getInputStream().read());
            closed.get(20, TimeUnit.SECONDS);
        }
    }

    private static boolean isOpen(int port) {
        try (Socket probe = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return probe.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void whoDoesNotReadHoldsBackWhoWrites() throws Exception {
        try (ServerSocket web = bytes();
                TunnelNodes nodes = tcp(web.getLocalPort())) {
            try (Socket client = new Socket(InetAddress.getLoopbackAddress(), nodes.port);
                    Socket taken = web.accept()) {
                byte[] block = random(1 << 20);
                long[] written = {0};
                Thread writer = Thread.ofVirtual().start(() -> {
                    try {
                        for (int i = 0; i < 256; i++) {
                            client.getOutputStream().write(block);
                            written[0] += block.length;
                        }
                        client.shutdownOutput();
                    } catch (IOException e) {
                        written[0] = -1;
                    }
                });
                // Both ends' sockets, the stream's window and both proxies' buffers are full far below what is sent.
                long before = -1;
                while (before != written[0]) {
                    before = written[0];
                    Thread.sleep(500);
                }
                assertTrue(written[0] < 64L << 20, () -> written[0] + " bytes");
                long read = 0;
                byte[] into = new byte[1 << 20];
                InputStream in = taken.getInputStream();
                for (int n = in.read(into); n >= 0; n = in.read(into)) {
                    read += n;
                }
                writer.join();
                assertEquals(256L << 20, read);
            }
        }
    }

    @Test
    void aResetIsAResetAtTheOtherEnd() throws Exception {
        try (ServerSocket web = bytes();
                TunnelNodes nodes = tcp(web.getLocalPort())) {
            try (Socket client = new Socket(InetAddress.getLoopbackAddress(), nodes.port);
                    Socket taken = web.accept()) {
                client.getOutputStream().write("hello".getBytes(StandardCharsets.US_ASCII));
                assertEquals('h', taken.getInputStream().read());
                client.setSoLinger(true, 0);
                client.close();
                assertThrows(SocketException.class, () -> taken.getInputStream().readAllBytes());
            }
            try (Socket client = new Socket(InetAddress.getLoopbackAddress(), nodes.port);
                    Socket taken = web.accept()) {
                taken.getOutputStream().write("hello".getBytes(StandardCharsets.US_ASCII));
                assertEquals('h', client.getInputStream().read());
                taken.setSoLinger(true, 0);
                taken.close();
                assertThrows(
                        SocketException.class, () -> client.getInputStream().readAllBytes());
            }
        }
    }

    @Test
    void anUploadAndADownloadArrive() throws Exception {
        byte[] body = random(MANY);
        String text = new String(body, StandardCharsets.ISO_8859_1);
        try (Origin web = Origin.at(TunnelNodes.WEB, 0, (request, out, socket) -> {
                    byte[] back = request.body().getBytes(StandardCharsets.ISO_8859_1);
                    out.write(("HTTP/1.1 200 OK\r\nContent-Length: " + back.length + "\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
                    out.write(back);
                    return true;
                });
                TunnelNodes nodes = http(web.port());
                RawClient client = new RawClient(nodes.port)) {
            OutputStream out = client.socket.getOutputStream();
            CompletableFuture<Void> sent = CompletableFuture.runAsync(
                    () -> {
                        try {
                            out.write(("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: " + body.length + "\r\n\r\n")
                                    .getBytes(StandardCharsets.US_ASCII));
                            out.write(body);
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    },
                    THREADS);
            RawClient.Response answer = client.read(false);
            sent.get();
            assertEquals(200, answer.code());
            assertTrue(text.equals(answer.body()), "another body");
        }
    }

    @Test
    void theTargetsPoliciesDecideByTheCertificate() throws Exception {
        try (Origin web = web("for me");
                TunnelNodes nodes = http(web.port(), onlyMe())) {
            assertEquals(200, RawClient.get(nodes.port, "/").code());
            nodes.caller = TunnelNodes.NEAR + "/default/you";
            RawClient.Response refused = RawClient.get(nodes.port, "/");
            assertEquals(403, refused.code(), refused::toString);
            assertEquals(1, web.requests.size());
            assertEquals(1, nodes.far.sum("tulle_proxy_policy_denied_total"));
        }
    }

    @Test
    void aPolicyThatComesLaterEndsWhatItForbids() throws Exception {
        try (ServerSocket web = bytes();
                TunnelNodes nodes = tcp(web.getLocalPort());
                Socket client = new Socket(InetAddress.getLoopbackAddress(), nodes.port);
                Socket taken = web.accept()) {
            client.setSoTimeout(10_000);
            client.getOutputStream().write(1);
            assertEquals(1, taken.getInputStream().read());
            // It names somebody else, and nothing changes.
            Source you = new Source(patterns("cluster.local/ns/default/sa/you"), List.of(), List.of(), List.of());
            Rule ofYou = new Rule(List.of(you), List.of(), List.of());
            nodes.far.control().set(TunnelNodes.farState(web.getLocalPort(), policy(Action.DENY, "not-you", ofYou)));
            client.getOutputStream().write(2);
            assertEquals(2, taken.getInputStream().read());
            nodes.far.control().set(TunnelNodes.farState(web.getLocalPort(), policy(Action.ALLOW, "only-you", ofYou)));
            assertThrows(SocketException.class, () -> client.getInputStream().read());
            assertThrows(SocketException.class, () -> taken.getInputStream().read());
            assertEquals(1, nodes.far.sum("tulle_proxy_policy_denied_total"));
        }
    }

    @Test
    void aPolicyOnRequestsIsAskedForEachOfThem() throws Exception {
        try (Origin web = web("for all");
                TunnelNodes nodes = http(web.port(), notAdmin());
                RawClient client = new RawClient(nodes.port)) {
            assertEquals(
                    200,
                    client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n")
                            .read(false)
                            .code());
            assertEquals(
                    403,
                    client.send("GET /admin HTTP/1.1\r\nHost: web\r\n\r\n")
                            .read(false)
                            .code());
            assertEquals(
                    200,
                    client.send("GET /a HTTP/1.1\r\nHost: web\r\n\r\n")
                            .read(false)
                            .code());
            nodes.caller = TunnelNodes.NEAR + "/default/you";
            assertEquals(200, RawClient.get(nodes.port, "/admin").code());
            assertEquals(
                    1,
                    nodes.far.sum(
                            "istio_requests_total",
                            "reporter=\"destination\"",
                            "response_code=\"403\"",
                            "source_principal=\"spiffe://cluster.local/ns/default/sa/me\""));
        }
    }

    @Test
    void http2GoesThrough() throws Exception {
        try (H2Server web = new H2Server(TunnelNodes.WEB, H2Server.NOTHING, (frames, number) -> {
                    while (true) {
                        H2Frames.Frame frame = frames.nextOfStreams();
                        if (frame.type() == H2Frames.HEADERS) {
                            frames.ok(frame.stream());
                        }
                    }
                });
                TunnelNodes nodes = new TunnelNodes(
                        directory,
                        web.port(),
                        Meshes.mesh().protocol(Cluster.Protocol.HTTP2).subset("", web.port()))) {
            RawClient.Response answer = RawClient.get(nodes.port, "/");
            assertEquals(200, answer.code(), answer::toString);
            assertEquals(200, RawClient.get(nodes.port, "/").code());
            assertEquals(1, web.connections.get());
            nodes.caller = TunnelNodes.NEAR + "/default/you";
            assertEquals(200, RawClient.get(nodes.port, "/").code());
            // Another caller is not served on what carries the first one's name.
            assertEquals(2, web.connections.get());
        }
    }
}
