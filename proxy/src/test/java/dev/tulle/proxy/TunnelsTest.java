package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What passes through once HTTP has stopped, or before the body may come: half-closes, resets, CONNECT, Expect. */
class TunnelsTest {
    private static final String SWITCH = "GET /ws HTTP/1.1\r\nHost: w\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    private static final String SWITCHED =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static String rest(java.io.InputStream in) throws IOException {
        return new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
    }

    /** RST instead of FIN. */
    private static void reset(Socket socket) throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    @Test
    void eachHalfOfATunnelEndsOnItsOwn() throws Exception {
        CompletableFuture<String> seen = new CompletableFuture<>();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    if (request.line().contains("/ws")) {
                        out.write(bytes(SWITCHED));
                        String all = rest(socket.getInputStream());
                        out.write(bytes("got " + all));
                    } else {
                        out.write(bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
                        socket.shutdownOutput();
                        seen.complete(rest(socket.getInputStream()));
                    }
                    return false;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build())) {
            try (RawClient client = new RawClient(mesh.port)) {
                assertEquals(101, client.send(SWITCH).read(false).code());
                client.send("y".repeat(1_000));
                client.socket.shutdownOutput();
                assertEquals("got " + "y".repeat(1_000), rest(client.in()));
            }
            try (RawClient client = new RawClient(mesh.port)) {
                // What is sent before the server has switched is for the tunnel, and so is the end.
                client.send(SWITCH + "early");
                client.socket.shutdownOutput();
                assertEquals(101, client.read(false).code());
                assertEquals("got early", rest(client.in()));
            }
            // The server ends first, and still hears what the client says.
            try (RawClient client = new RawClient(mesh.port)) {
                Origin.readHead(client.send("CONNECT far:1 HTTP/1.1\r\nHost: far:1\r\n\r\n")
                        .in());
                assertEquals(-1, client.in().read());
                client.send("last words");
                client.socket.shutdownOutput();
                assertEquals("last words", seen.get(5, TimeUnit.SECONDS));
            }
        }
    }

    /** The server has said all, and reads slowly what the client had to say before its end. */
    @Test
    void whatIsOnItsWayArrivesAfterBothHalvesEnded() throws Exception {
        int size = 24 << 20;
        CompletableFuture<Integer> seen = new CompletableFuture<>();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(bytes("HTTP/1.1 200 OK\r\n\r\n"));
                    socket.shutdownOutput();
                    Thread.sleep(1_000);
                    int n = 0;
                    byte[] buffer = new byte[1 << 16];
                    for (int read = 0; read >= 0; read = socket.getInputStream().read(buffer)) {
                        n += read;
                    }
                    seen.complete(n);
                    return false;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            Origin.readHead(
                    client.send("CONNECT far:1 HTTP/1.1\r\nHost: far:1\r\n\r\n").in());
            client.send("z".repeat(size));
            client.socket.shutdownOutput();
            assertEquals(size, seen.get(20, TimeUnit.SECONDS));
        }
    }

    /** A refused CONNECT leaves the connection open only where nothing was sent in the hope of a tunnel. */
    @Test
    void whatFollowsARefusedConnectIsNoRequest() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    Thread.sleep(100);
                    out.write(bytes("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"));
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            client.send("CONNECT far:1 HTTP/1.1\r\nHost: far:1\r\n\r\nGET /hidden HTTP/1.1\r\nHost: w\r\n\r\n");
            assertEquals(407, client.read(false).code());
            assertTrue(client.isClosed());
            assertEquals(1, origin.requests.size());
        }
    }

    /** One that the proxy answers itself is answered before what follows it has been looked at, and that is no request either. */
    @Test
    void whatFollowsAConnectThatComesToNothingIsNoRequest() throws Exception {
        try (ProxyFixture mesh = new ProxyFixture(Meshes.mesh().subset("").build());
                RawClient client = new RawClient(mesh.port)) {
            client.send("CONNECT far:1 HTTP/1.1\r\nHost: far:1\r\n\r\nGET /hidden HTTP/1.1\r\nHost: w\r\n\r\n");
            assertEquals(503, client.read(false).code());
            assertTrue(client.isClosed());
        }
    }

    /** A workload may be a proxy: it is asked to connect, and what it agrees to is its tunnel. */
    @Test
    void aConnectTravelsToItsService() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    if (request.line().contains("refused")) {
                        out.write(bytes("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno"));
                        return true;
                    }
                    out.write(bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
                    out.write(socket.getInputStream().readNBytes(4));
                    return false;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            RawClient.Response refused = client.send(
                            "CONNECT refused:443 HTTP/1.1\r\nHost: refused:443\r\nProxy-Authorization: Basic eDp5\r\n\r\n")
                    .read(false);
            assertEquals(407, refused.code());
            assertEquals("no", refused.body());
            assertEquals("CONNECT refused:443 HTTP/1.1", origin.requests.get(0).line());
            assertEquals("refused:443", origin.requests.get(0).field("host"));
            assertEquals("Basic eDp5", origin.requests.get(0).field("proxy-authorization"));
            String head = Origin.readHead(client.send("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n")
                    .in());
            assertTrue(head.startsWith("HTTP/1.1 200 "), head);
            assertEquals("abcd", new String(client.send("abcd").in().readNBytes(4), StandardCharsets.ISO_8859_1));
        }
    }

    @Test
    void aResetOfATunnelIsNoOrderlyEnd() throws Exception {
        CompletableFuture<String> seen = new CompletableFuture<>();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(bytes(SWITCHED));
                    if (socket.getInputStream().read() == 'S') {
                        out.write(new byte[1_000]);
                        Thread.sleep(200);
                        reset(socket);
                        return false;
                    }
                    try {
                        socket.getInputStream().readAllBytes();
                        seen.complete("an end");
                    } catch (SocketException e) {
                        seen.complete("a reset");
                    }
                    return false;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build())) {
            try (RawClient client = new RawClient(mesh.port)) {
                assertEquals(101, client.send(SWITCH).read(false).code());
                client.send("S");
                assertEquals(1_000, client.in().readNBytes(1_000).length);
                assertThrows(SocketException.class, client.in()::read);
            }
            RawClient client = new RawClient(mesh.port);
            assertEquals(101, client.send(SWITCH).read(false).code());
            client.send("C");
            Thread.sleep(100);
            reset(client.socket);
            assertEquals("a reset", seen.get(5, TimeUnit.SECONDS));
        }
    }

    @Test
    void aResetOfRelayedBytesIsNoOrderlyEnd() throws Exception {
        CompletableFuture<String> seen = new CompletableFuture<>();
        try (ServerSocket server = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
                ProxyFixture mesh = new ProxyFixture(
                        Meshes.mesh().detect().subset("", server.getLocalPort()).build())) {
            Thread.ofVirtual().start(() -> {
                try {
                    Socket first = server.accept();
                    first.getInputStream().read();
                    first.getOutputStream().write(new byte[1_000]);
                    Thread.sleep(200);
                    reset(first);
                    try (Socket second = server.accept()) {
                        second.getInputStream().readAllBytes();
                        seen.complete("an end");
                    } catch (SocketException e) {
                        seen.complete("a reset");
                    }
                } catch (IOException | InterruptedException e) {
                    seen.completeExceptionally(e);
                }
            });
            try (RawClient client = new RawClient(mesh.port)) {
                client.send("bytes");
                assertEquals(1_000, client.in().readNBytes(1_000).length);
                assertThrows(SocketException.class, client.in()::read);
            }
            RawClient client = new RawClient(mesh.port);
            client.send("bytes");
            Thread.sleep(200);
            reset(client.socket);
            assertEquals("a reset", seen.get(5, TimeUnit.SECONDS));
        }
    }

    /** Where only the connection's end says that a body is over, a body that broke off must not end so. */
    @Test
    void aBrokenBodyWithoutALengthEndsInAReset() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(bytes("HTTP/1.1 200 OK\r\n\r\nhalf"));
                    Thread.sleep(200);
                    reset(socket);
                    return false;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            client.send("GET / HTTP/1.0\r\nHost: w\r\n\r\n");
            assertThrows(SocketException.class, () -> client.read(false));
        }
    }

    /** RFC 9110 section 10.1.1: the server is asked, and its answer travels. */
    @Test
    void expectationsAreTheServers() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
                ProxyFixture mesh = new ProxyFixture(
                        Meshes.mesh().subset("", server.getLocalPort()).build())) {
            CompletableFuture<String> body = new CompletableFuture<>();
            Thread.ofVirtual().start(() -> {
                try {
                    Socket willing = server.accept();
                    String head = Origin.readHead(willing.getInputStream());
                    willing.getOutputStream().write(bytes("HTTP/1.1 100 Continue\r\n\r\n"));
                    String got = new String(willing.getInputStream().readNBytes(3), StandardCharsets.ISO_8859_1);
                    willing.getOutputStream().write(bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
                    body.complete(new Origin.Request(head, "", 0).field("expect") + " " + got);
                    Origin.readHead(willing.getInputStream());
                    willing.getOutputStream()
                            .write(bytes("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno"));
                } catch (IOException e) {
                    body.completeExceptionally(e);
                }
            });
            String request = "POST / HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
            try (RawClient client = new RawClient(mesh.port)) {
                assertEquals(100, client.send(request).read(false).code());
                assertEquals(200, client.send("abc").read(false).code());
                assertEquals("100-continue abc", body.get(5, TimeUnit.SECONDS));
                RawClient.Response refused = client.send(request).read(false);
                assertEquals(417, refused.code());
                assertEquals("no", refused.body());
                // Whether the body comes all the same cannot be known: no other request may follow it.
                assertTrue(client.isClosed());
            }
        }
    }
}
