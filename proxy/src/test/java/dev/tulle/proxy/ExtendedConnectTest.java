package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.StringMatch;
import dev.tulle.proxy.http1.WebSocketKey;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** WebSockets, and whatever else is asked for in their way, over HTTP/2 on either side (RFC 8441). */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class ExtendedConnectTest {
    private static final String KEY = "dGhlIHNhbXBsZSBub25jZQ==";
    private static final String HANDSHAKE = "GET /chat HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\n"
            + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + "\r\n\r\n";

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** A server of WebSockets in HTTP/1.1, which insists on a right handshake. */
    private static void agree(Origin.Request request, OutputStream out) throws IOException {
        boolean right = request.line().equals("GET /chat HTTP/1.1")
                && request.field("upgrade").equals("websocket")
                && request.field("connection").equalsIgnoreCase("upgrade")
                && request.field("sec-websocket-version").equals("13")
                && request.field("sec-websocket-key").length() == KEY.length();
        out.write(bytes(
                right
                        ? "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: "
                                + WebSocketKey.accept(request.field("sec-websocket-key")) + "\r\n\r\n"
                        : "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
    }

    private static Origin echo() throws IOException {
        return Origin.start((request, out, socket) -> {
            agree(request, out);
            socket.getInputStream().transferTo(out);
            out.write(bytes("bye"));
            return false;
        });
    }

    private static Meshes http1(Origin origin) {
        return Meshes.mesh().subset("", origin.port());
    }

    private static Meshes http2(H2Server server) {
        return Meshes.mesh().protocol(Cluster.Protocol.HTTP2).subset("", server.port());
    }

    private static H2Frames ask(H2Frames client, int stream) {
        return client.upgrade(stream, "websocket", "/chat", "sec-websocket-version", "13");
    }

    private static H2Frames.Frame answer(H2Frames client) throws IOException {
        H2Frames.Frame frame = client.until(H2Frames.HEADERS).getLast();
        assertEquals(H2Frames.HEADERS, frame.type());
        return frame;
    }

    /** What a stream carries until its end. */
    private static String rest(H2Frames client) throws IOException {
        StringBuilder all = new StringBuilder();
        while (true) {
            H2Frames.Frame frame = client.nextOfStreams();
            assertEquals(H2Frames.DATA, frame.type(), frame::toString);
            all.append(frame.payload());
            if (frame.endsStream()) {
                return all.toString();
            }
        }
    }

    /** One request that is over: its ends may have been seen on both sides a moment before. */
    private static void switchesCounted(ProxyFixture proxy) throws InterruptedException {
        for (int i = 0; i < 200 && proxy.sum("istio_requests_total") == 0; i++) {
            Thread.sleep(10);
        }
        assertEquals(1, proxy.sum("istio_requests_total", "response_code=\"101\""));
    }

    /** Through HTTP/2 to a server of HTTP/1.1; routes and metrics see the GET that it means, as in Envoy. */
    @Test
    void aClientOfHttp2AtAServerOfHttp1() throws Exception {
        try (Origin origin = echo();
                ProxyFixture proxy = new ProxyFixture(http1(origin)
                        .routes(Meshes.forward(
                                "gets",
                                new RouteMatch(
                                        RouteMatch.ANY.path(),
                                        false,
                                        Optional.of(new StringMatch.Exact("GET")),
                                        List.of(),
                                        List.of()),
                                ""))
                        .build());
                H2Frames client = new H2Frames(proxy.port)) {
            H2Frames.Frame agreed = answer(ask(client, 1));
            assertEquals("200", agreed.fields().get(":status"));
            assertEquals("chat", agreed.fields().get("sec-websocket-protocol"));
            assertNull(agreed.fields().get("sec-websocket-accept"));
            assertNull(agreed.fields().get("upgrade"));
            assertFalse(agreed.endsStream());
            client.data(1, false, "hello ");
            assertEquals("hello ", client.nextOfStreams().payload());
            // One half ends, the other goes on.
            client.data(1, true, "world ");
            assertEquals("world bye", rest(client));
            switchesCounted(proxy);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aServerOfHttp2(boolean http2Client) throws Exception {
        CompletableFuture<H2Frames.Frame> asked = new CompletableFuture<>();
        try (H2Server server = new H2Server(H2Server.CONNECTS, (frames, number) -> {
                    H2Frames.Frame head = frames.nextOfStreams();
                    asked.complete(head);
                    frames.head(head.stream(), false, ":status", "200", "sec-websocket-protocol", "chat");
                    for (H2Frames.Frame in = head; !in.endsStream(); ) {
                        in = frames.nextOfStreams();
                        frames.data(head.stream(), false, in.payload());
                    }
                    frames.data(head.stream(), true, "bye");
                    frames.until(-1);
                });
                ProxyFixture proxy = new ProxyFixture(http2(server).build())) {
            if (http2Client) {
                try (H2Frames client = new H2Frames(proxy.port)) {
                    assertEquals("200", answer(ask(client, 1)).fields().get(":status"));
                    client.data(1, true, "hello ");
                    assertEquals("hello bye", rest(client));
                }
            } else {
                try (RawClient client = new RawClient(proxy.port)) {
                    RawClient.Response agreed = client.send(HANDSHAKE).read(false);
                    assertEquals(101, agreed.code());
                    assertEquals("websocket", agreed.field("upgrade"));
                    assertEquals("upgrade", agreed.field("connection"));
                    assertEquals("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", agreed.field("sec-websocket-accept"));
                    assertEquals("chat", agreed.field("sec-websocket-protocol"));
                    client.send("hello ");
                    client.socket.shutdownOutput();
                    assertEquals("hello bye", new String(client.in().readAllBytes(), StandardCharsets.US_ASCII));
                }
            }
            H2Frames.Frame head = asked.get();
            assertEquals("CONNECT", head.fields().get(":method"));
            assertEquals("websocket", head.fields().get(":protocol"));
            assertEquals("/chat", head.fields().get(":path"));
            assertEquals("web", head.fields().get(":authority"));
            assertEquals("13", head.fields().get("sec-websocket-version"));
            assertNull(head.fields().get("sec-websocket-key"));
            assertFalse(head.endsStream());
            assertEquals(List.of(), server.failures);
            switchesCounted(proxy);
        }
    }

    /** A server that does not say that it takes them is not asked; of HTTP/1.1 an upgrade may be ignored. */
    @Test
    void aServerOfHttp2ThatTakesNone() throws Exception {
        CompletableFuture<H2Frames.Frame> asked = new CompletableFuture<>();
        try (H2Server server = new H2Server(H2Server.NOTHING, (frames, number) -> {
                    H2Frames.Frame head = frames.nextOfStreams();
                    asked.complete(head);
                    frames.head(head.stream(), true, ":status", "404");
                    frames.until(-1);
                });
                ProxyFixture proxy = new ProxyFixture(http2(server).build());
                H2Frames client = new H2Frames(proxy.port);
                RawClient old = new RawClient(proxy.port)) {
            assertEquals("502", answer(ask(client, 1)).fields().get(":status"));
            assertFalse(asked.isDone());
            assertEquals(404, old.send(HANDSHAKE).read(false).code());
            assertEquals("GET", asked.get().fields().get(":method"));
            assertTrue(asked.get().endsStream());
        }
    }

    /** A tunnel to somewhere else (RFC 9113 section 8.5), which a server of HTTP/2 agrees to. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aPlainConnect(boolean http2Client) throws Exception {
        CompletableFuture<H2Frames.Frame> asked = new CompletableFuture<>();
        try (H2Server server = new H2Server(H2Server.NOTHING, (frames, number) -> {
                    H2Frames.Frame head = frames.nextOfStreams();
                    asked.complete(head);
                    frames.head(head.stream(), false, ":status", "200");
                    for (H2Frames.Frame in = head; !in.endsStream(); ) {
                        in = frames.nextOfStreams();
                        frames.data(head.stream(), false, in.payload());
                    }
                    frames.data(head.stream(), true, "bye");
                    frames.until(-1);
                });
                ProxyFixture proxy = new ProxyFixture(http2(server).build())) {
            if (http2Client) {
                try (H2Frames client = new H2Frames(proxy.port)) {
                    assertEquals("200", answer(client.connect(1)).fields().get(":status"));
                    client.data(1, true, "hello ");
                    assertEquals("hello bye", rest(client));
                }
            } else {
                try (RawClient client = new RawClient(proxy.port)) {
                    Origin.readHead(client.send("CONNECT web HTTP/1.1\r\nHost: web\r\n\r\n")
                            .in());
                    client.send("hello ");
                    client.socket.shutdownOutput();
                    assertEquals("hello bye", new String(client.in().readAllBytes(), StandardCharsets.US_ASCII));
                }
            }
            assertEquals("CONNECT", asked.get().fields().get(":method"));
            assertNull(asked.get().fields().get(":protocol"));
            assertNull(asked.get().fields().get(":path"));
            assertEquals(List.of(), server.failures);
        }
    }

    /** A refusal is passed on; a success that is no switch, or the answer to another handshake, is not. */
    @ParameterizedTest
    @CsvSource({
        "403 Forbidden, '', 403",
        "200 OK, '', 502",
        "101 Switching Protocols, 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n', 502",
        "101 Switching Protocols, 'Upgrade: websocket\r\nConnection: Upgrade\r\n', 502",
    })
    void whatAServerOfHttp1SaysInstead(String status, String fields, String expected) throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(bytes("HTTP/1.1 " + status + "\r\n" + fields
                            + (status.startsWith("101") ? "\r\n" : "Content-Length: 2\r\n\r\nno")));
                    return true;
                });
                ProxyFixture proxy = new ProxyFixture(http1(origin).build());
                H2Frames client = new H2Frames(proxy.port)) {
            // Sent in the hope of a tunnel: nobody reads it as anything else.
            ask(client, 1).data(1, false, "GET /hidden HTTP/1.1\r\nHost: w\r\n\r\n");
            assertEquals(expected, answer(client).fields().get(":status"));
            client.get(3).until(H2Frames.HEADERS);
            assertFalse(origin.requests.stream().anyMatch(r -> r.line().contains("hidden")));
        }
    }

    @ParameterizedTest
    @CsvSource({
        ":method GET :protocol websocket :scheme http :path / :authority web",
        ":method CONNECT :protocol websocket :scheme http :authority web",
        ":method CONNECT :protocol websocket :path / :authority web",
        ":method CONNECT :protocol web/socket :scheme http :path / :authority web",
        ":method CONNECT :protocol h2c :scheme http :path / :authority web",
        ":method CONNECT :protocol websocket :scheme http :path / :authority web content-length 3",
        ":method CONNECT :protocol websocket :scheme http :path / :authority web upgrade websocket",
    })
    void malformedRequests(String fields) throws Exception {
        try (Origin origin = echo();
                ProxyFixture proxy = new ProxyFixture(http1(origin).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.head(1, false, fields.split(" "));
            H2Frames.Frame frame = client.nextOfStreams();
            assertTrue(
                    frame.type() == H2Frames.RST_STREAM
                            || "400".equals(frame.fields().get(":status")),
                    frame::toString);
            assertEquals(List.of(), origin.requests);
        }
    }

    /** A reset is no orderly end, from wherever it comes and wherever it goes. */
    @ParameterizedTest
    @CsvSource({"stream", "connection"})
    void aResetOfTheClientReachesTheServer(String what) throws Exception {
        CompletableFuture<String> seen = new CompletableFuture<>();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    agree(request, out);
                    try {
                        socket.getInputStream().readAllBytes();
                        seen.complete("an end");
                    } catch (SocketException e) {
                        seen.complete("a reset");
                    }
                    return false;
                });
                ProxyFixture proxy = new ProxyFixture(http1(origin).build());
                H2Frames client = new H2Frames(proxy.port)) {
            answer(ask(client, 1));
            client.data(1, false, "x");
            Thread.sleep(100);
            if (what.equals("stream")) {
                client.rst(1, 8);
            } else {
                client.leave(true);
            }
            assertEquals("a reset", seen.get(5, TimeUnit.SECONDS));
        }
    }

    @Test
    void aResetOfTheServerReachesTheClient() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    agree(request, out);
                    socket.getInputStream().read();
                    reset(socket);
                    return false;
                });
                ProxyFixture proxy = new ProxyFixture(http1(origin).build());
                H2Frames client = new H2Frames(proxy.port)) {
            answer(ask(client, 1));
            client.data(1, false, "x");
            H2Frames.Frame last = client.until(H2Frames.RST_STREAM).getLast();
            assertEquals(H2Frames.RST_STREAM, last.type());
            assertEquals(8, last.code(), "CANCEL (RFC 8441 section 5)");
        }
    }

    @Test
    void resetsOfAStreamToAServerOfHttp2() throws Exception {
        CompletableFuture<H2Frames.Frame> seen = new CompletableFuture<>();
        try (H2Server server = new H2Server(H2Server.CONNECTS, (frames, number) -> {
                    H2Frames.Frame head = frames.nextOfStreams();
                    frames.head(head.stream(), false, ":status", "200");
                    frames.nextOfStreams();
                    if ("/server".equals(head.fields().get(":path"))) {
                        frames.rst(head.stream(), 8);
                    } else {
                        seen.complete(frames.until(H2Frames.RST_STREAM).getLast());
                    }
                    frames.until(-1);
                });
                ProxyFixture proxy = new ProxyFixture(http2(server).build());
                RawClient first = new RawClient(proxy.port)) {
            assertEquals(
                    101,
                    first.send(HANDSHAKE.replace("/chat", "/server"))
                            .read(false)
                            .code());
            first.send("x");
            assertThrows(SocketException.class, first.in()::read);
        }
        try (H2Server server = new H2Server(H2Server.CONNECTS, (frames, number) -> {
                    H2Frames.Frame head = frames.nextOfStreams();
                    frames.head(head.stream(), false, ":status", "200");
                    seen.complete(frames.until(H2Frames.RST_STREAM).getLast());
                });
                ProxyFixture proxy = new ProxyFixture(http2(server).build())) {
            RawClient client = new RawClient(proxy.port);
            assertEquals(101, client.send(HANDSHAKE).read(false).code());
            client.send("x");
            Thread.sleep(100);
            reset(client.socket);
            assertEquals(H2Frames.RST_STREAM, seen.get(5, TimeUnit.SECONDS).type());
            assertEquals(8, seen.get().code());
        }
    }

    /** Both halves have ended while the server still reads what was sent before. */
    @Test
    void whatIsOnItsWayArrivesAfterBothHalvesEnded() throws Exception {
        int pieces = 12;
        CompletableFuture<Integer> seen = new CompletableFuture<>();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    socket.setReceiveBufferSize(4096);
                    agree(request, out);
                    socket.shutdownOutput();
                    Thread.sleep(500);
                    seen.complete(socket.getInputStream().readAllBytes().length);
                    return false;
                });
                ProxyFixture proxy = new ProxyFixture(http1(origin).build());
                H2Frames client = new H2Frames(proxy.port)) {
            answer(ask(client, 1));
            assertEquals("", rest(client));
            for (int i = 0; i < pieces; i++) {
                client.data(1, i == pieces - 1, "z".repeat(16_000));
            }
            assertEquals(pieces * 16_000, seen.get(10, TimeUnit.SECONDS));
        }
    }

    private static void reset(Socket socket) throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }
}
