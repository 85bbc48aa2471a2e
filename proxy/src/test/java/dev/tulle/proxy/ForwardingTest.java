package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests and responses through the proxy: framing both ways, keep-alive, pipelining, upgrades, broken peers. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class ForwardingTest {
    /** The bytes of a message whose line ends are written as bars. */
    private static byte[] lines(String message) {
        return message.replace("|", "\r\n").getBytes(StandardCharsets.ISO_8859_1);
    }

    @Test
    void forwardsAndKeepsAlive() throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            for (int i = 0; i < 3; i++) {
                RawClient.Response response = client.send("GET /a?b HTTP/1.1\r\nHost: web\r\nX-Test: 1\r\n\r\n")
                        .read(false);
                assertEquals(200, response.code());
                assertEquals("hello", response.body());
            }
            Origin.Request seen = origin.requests.get(0);
            assertEquals("GET /a?b HTTP/1.1", seen.line());
            assertEquals("web", seen.field("host"));
            assertEquals("1", seen.field("x-test"));
            // The kernel forwards such requests as they are, and so does the proxy.
            assertEquals("", seen.field("x-forwarded-proto"));
            assertEquals("", seen.field("x-request-id"));
            assertEquals(1, origin.connections.get());
            assertEquals(3, mesh.sum("istio_requests_total", "response_code=\"200\""));
        }
    }

    @Test
    void hopByHopFieldsStayHere() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(
                            lines(
                                    "HTTP/1.1 200 OK|Connection: keep-alive, x-drop|X-Drop: 1|X-Keep: 1|Keep-Alive: timeout=5|Content-Length: 0||"));
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build())) {
            RawClient.Response response = RawClient.get(
                    mesh.port,
                    "/",
                    "Connection: keep-alive, X-Secret",
                    "X-Secret: 1",
                    "TE: trailers",
                    "Keep-Alive: 5",
                    "Proxy-Connection: x",
                    "X-Request-Id: mine",
                    "X-Forwarded-Proto: https",
                    "traceparent: 00-a-b-01");
            Origin.Request seen = origin.requests.get(0);
            assertEquals(
                    "",
                    seen.field("x-secret") + seen.field("te") + seen.field("keep-alive") + seen.field("connection"));
            assertEquals("mine", seen.field("x-request-id"));
            assertEquals("https", seen.field("x-forwarded-proto"));
            assertEquals("00-a-b-01", seen.field("traceparent"));
            assertEquals("", response.field("x-drop") + response.field("keep-alive"));
            assertEquals("1", response.field("x-keep"));
        }
    }

    @Test
    void bodiesBothWays() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(("HTTP/1.1 200 OK\r\n"
                                    + (request.line().contains("chunk")
                                            ? "Transfer-Encoding: chunked\r\n\r\n"
                                            : "Content-Length: "
                                                    + request.body().length() + "\r\n\r\n"))
                            .getBytes(StandardCharsets.ISO_8859_1));
                    if (request.line().contains("chunk")) {
                        byte[] b = request.body().getBytes(StandardCharsets.ISO_8859_1);
                        for (int at = 0; at < b.length; at += 10_000) {
                            int n = Math.min(10_000, b.length - at);
                            out.write((Integer.toHexString(n) + "\r\n").getBytes(StandardCharsets.ISO_8859_1));
                            out.write(b, at, n);
                            out.write("\r\n".getBytes(StandardCharsets.ISO_8859_1));
                        }
                        out.write("0\r\nContent-Type: dropped\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
                    } else {
                        out.write(request.body().getBytes(StandardCharsets.ISO_8859_1));
                    }
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            byte[] body = new byte[300_000];
            new Random(1).nextBytes(body);
            for (String path : new String[] {"/length", "/chunk"}) {
                client.send("POST " + path + " HTTP/1.1\r\nHost: w\r\nContent-Length: " + body.length + "\r\n\r\n");
                client.socket.getOutputStream().write(body);
                assertArrayEquals(body, client.read(false).body().getBytes(StandardCharsets.ISO_8859_1), path);
                client.send("POST " + path + " HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n");
                client.send(Integer.toHexString(body.length) + ";ext=1\r\n");
                client.socket.getOutputStream().write(body);
                client.send("\r\n0\r\n\r\n");
                assertArrayEquals(body, client.read(false).body().getBytes(StandardCharsets.ISO_8859_1), path);
            }
            assertEquals(1, origin.connections.get());
        }
    }

    @Test
    void pipelinedRequestsAreServedInOrder() throws Exception {
        AtomicInteger number = new AtomicInteger();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    Thread.sleep(number.incrementAndGet() == 1 ? 50 : 0);
                    String body = request.line() + request.body();
                    out.write(("HTTP/1.1 200 OK\r\nContent-Length: " + body.length() + "\r\n\r\n" + body)
                            .getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            client.send(
                    "GET /1 HTTP/1.1\r\nHost: w\r\n\r\nPOST /2 HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nabcGET /3 "
                            + "HTTP/1.1\r\nHost: w\r\n\r\nGET /4 HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n");
            assertEquals("GET /1 HTTP/1.1", client.read(false).body());
            assertEquals("POST /2 HTTP/1.1abc", client.read(false).body());
            assertEquals("GET /3 HTTP/1.1", client.read(false).body());
            RawClient.Response last = client.read(false);
            assertEquals("GET /4 HTTP/1.1", last.body());
            assertEquals("close", last.field("connection"));
            assertTrue(client.isClosed());
        }
    }

    @Test
    void headAndBodylessResponses() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    String code = request.line()
                            .substring(
                                    request.line().indexOf('/') + 1,
                                    request.line().indexOf('/') + 4);
                    out.write(("HTTP/1.1 " + code + " X\r\n" + (code.equals("204") ? "" : "Content-Length: 5\r\n")
                                    + "\r\n")
                            .getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            RawClient.Response head =
                    client.send("HEAD /200 HTTP/1.1\r\nHost: w\r\n\r\n").read(true);
            assertEquals("5", head.field("content-length"));
            assertEquals(
                    304,
                    client.send("GET /304 HTTP/1.1\r\nHost: w\r\n\r\n")
                            .read(false)
                            .code());
            assertEquals(
                    204,
                    client.send("GET /204 HTTP/1.1\r\nHost: w\r\n\r\n")
                            .read(false)
                            .code());
            assertEquals(
                    200,
                    client.send("HEAD /200 HTTP/1.1\r\nHost: w\r\n\r\n")
                            .read(true)
                            .code());
            assertEquals(1, origin.connections.get());
        }
    }

    @Test
    void informationalResponsesTravel() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(
                            lines(
                                    "HTTP/1.1 103 Early Hints|Link: </a>||HTTP/1.1 100 Continue||HTTP/1.1 200 OK|Content-Length: 2||ok"));
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n");
            assertEquals(103, client.read(false).code());
            assertEquals("ok", client.read(false).body());
        }
    }

    @Test
    void http10AndResponsesUntilClose() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write("HTTP/1.0 200 OK\r\n\r\nuntil the end".getBytes(StandardCharsets.ISO_8859_1));
                    return false;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            RawClient.Response chunked =
                    client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n").read(false);
            assertEquals("chunked", chunked.field("transfer-encoding"));
            assertEquals("until the end", chunked.body());
            // The client's own connection outlives the upstream's.
            assertEquals(
                    "until the end",
                    client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n").read(false).body());
            RawClient.Response old = RawClient.once(mesh.port, "GET / HTTP/1.0\r\n\r\n");
            assertEquals("", old.field("transfer-encoding"));
            assertEquals("close", old.field("connection"));
            assertEquals("until the end", old.body());
            assertEquals(Meshes.HOST, origin.requests.get(2).field("host"));
        }
    }

    @Test
    void upgradesBecomeTunnels() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    assertEquals("upgrade", request.field("connection"));
                    assertEquals("websocket", request.field("upgrade"));
                    out.write(lines("HTTP/1.1 101 Switching Protocols|Connection: Upgrade|Upgrade: websocket||first"));
                    byte[] got = socket.getInputStream().readNBytes(5);
                    out.write(got);
                    return false;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            client.send("GET /ws HTTP/1.1\r\nHost: w\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
            assertEquals(101, client.read(false).code());
            assertEquals("first", new String(client.in().readNBytes(5), StandardCharsets.ISO_8859_1));
            client.send("abcde");
            assertEquals("abcde", new String(client.in().readNBytes(5), StandardCharsets.ISO_8859_1));
            assertTrue(client.isClosed());
        }
    }

    /** What a client sends before a refused upgrade must never be taken for its next request. */
    @Test
    void refusedUpgradeEndsTheConnection() throws Exception {
        try (Origin origin = Origin.answering("no");
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            client.send(new String(
                    lines(
                            "GET /ws HTTP/1.1|Host: w|Connection: Upgrade|Upgrade: websocket||GET /smuggled HTTP/1.1|Host: w||"),
                    StandardCharsets.ISO_8859_1));
            assertEquals(200, client.read(false).code());
            assertTrue(client.isClosed());
            assertEquals(1, origin.requests.size());
        }
    }

    @Test
    void brokenResponsesAreVisible() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(
                            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".getBytes(StandardCharsets.ISO_8859_1));
                    return false;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n");
            assertThrows(IOException.class, () -> client.read(false));
            assertEquals(1, mesh.sum("istio_requests_total", "response_flags=\"UC\""));
        }
    }

    @Test
    void malformedResponsesBecome502() throws Exception {
        String[] bad = {
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
            "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
        };
        AtomicInteger number = new AtomicInteger();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(bad[number.getAndIncrement()].getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build())) {
            for (String one : bad) {
                assertEquals(502, RawClient.get(mesh.port, "/").code(), one);
            }
        }
    }

    /** A server that closes idle connections just when they are used again costs the client nothing. */
    @Test
    void staleConnectionsAreReplaced() throws Exception {
        AtomicInteger number = new AtomicInteger();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    if (request.connection() == 1 && number.incrementAndGet() > 1) {
                        return false;
                    }
                    out.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            assertEquals(
                    200,
                    client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n").read(false).code());
            assertEquals(
                    200,
                    client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n").read(false).code());
            assertEquals(2, origin.connections.get());
        }
    }

    /** A POST whose fate is unknown is not repeated. */
    @Test
    void postIsNotRepeated() throws Exception {
        AtomicInteger number = new AtomicInteger();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    if (number.incrementAndGet() > 1) {
                        return false;
                    }
                    out.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                RawClient client = new RawClient(mesh.port)) {
            assertEquals(
                    200,
                    client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n").read(false).code());
            RawClient.Response response = client.send("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 2\r\n\r\nab")
                    .read(false);
            assertEquals(503, response.code());
            assertEquals(2, origin.requests.size());
        }
    }

    @Test
    void earlyResponseClosesBothSides() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> true);
                java.net.ServerSocket server = new java.net.ServerSocket(0)) {
            Thread.ofVirtual().start(() -> {
                try (java.net.Socket socket = server.accept()) {
                    Origin.readHead(socket.getInputStream());
                    socket.getOutputStream()
                            .write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"
                                    .getBytes(StandardCharsets.ISO_8859_1));
                    socket.getInputStream().readAllBytes();
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            try (ProxyFixture mesh = new ProxyFixture(
                            Meshes.mesh().subset("", server.getLocalPort()).build());
                    RawClient client = new RawClient(mesh.port)) {
                client.send("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 1000000\r\n\r\nabc");
                RawClient.Response response = client.read(false);
                assertEquals(413, response.code());
                assertEquals("close", response.field("connection"));
                assertEquals("big", response.body());
                assertTrue(client.isClosed());
            }
            assertFalse(origin.requests.size() > 0);
        }
    }
}
