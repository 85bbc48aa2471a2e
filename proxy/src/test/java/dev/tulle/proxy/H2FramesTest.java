package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What clients of HTTP/2 may not do, and what they may; the endpoint speaks HTTP/1.1. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class H2FramesTest {
    private static final int PROTOCOL_ERROR = 1;
    private static final int STREAM_CLOSED = 5;

    @Test
    void answersInStreams() throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.get(1).get(3, "x-test", "1", "cookie", "a=b", "cookie", "c=d");
            List<H2Frames.Frame> all = client.until(H2Frames.DATA);
            all.addAll(client.until(H2Frames.DATA));
            assertEquals(
                    2, all.stream().filter(f -> f.type() == H2Frames.HEADERS).count());
            Origin.Request second = origin.requests.stream()
                    .filter(request -> request.field("x-test").equals("1"))
                    .findFirst()
                    .orElseThrow();
            assertEquals("a=b; c=d", second.field("cookie"));
            assertEquals("web", second.field("host"));
        }
    }

    @Test
    void aHeadAfterTheEndResetsTheStream() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    Thread.sleep(500);
                    return false;
                });
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.get(1).get(1);
            H2Frames.Frame last = client.until(H2Frames.RST_STREAM).getLast();
            assertEquals(H2Frames.RST_STREAM, last.type());
            assertEquals(STREAM_CLOSED, last.code());
        }
    }

    @Test
    void aHeadForAClosedStreamEndsTheConnection() throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames closed = new H2Frames(proxy.port);
                H2Frames skipped = new H2Frames(proxy.port)) {
            closed.get(1).until(H2Frames.DATA);
            closed.get(1);
            assertEquals(STREAM_CLOSED, closed.until(H2Frames.GOAWAY).getLast().code());
            skipped.get(5).until(H2Frames.DATA);
            skipped.get(3);
            assertEquals(
                    PROTOCOL_ERROR, skipped.until(H2Frames.GOAWAY).getLast().code());
        }
    }

    /** Fields that would mean something else behind a conversion, or nothing: the request does not go on. */
    @ParameterizedTest
    @CsvSource({
        "connection, close",
        "transfer-encoding, chunked",
        "keep-alive, 1",
        "upgrade, h2c",
        "X-Upper, 1",
        "x y, 1",
        "'x:y', 1",
        "te, gzip",
        "content-length, 3",
    })
    void fieldsThatHaveNoPlaceInHttp2(String name, String value) throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.get(1, name, value);
            List<H2Frames.Frame> all = client.until(H2Frames.RST_STREAM);
            assertEquals(H2Frames.RST_STREAM, all.getLast().type(), all::toString);
            assertTrue(origin.requests.isEmpty());
        }
    }

    @ParameterizedTest
    @CsvSource({"13", "10", "0", "127"})
    void controlCharactersInAValue(int character) throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.get(1, "x-a", "b" + (char) character + "x-c: d");
            H2Frames.Frame first = client.next();
            while (first.type() != H2Frames.HEADERS && first.type() != H2Frames.RST_STREAM) {
                first = client.next();
            }
            assertTrue(origin.requests.isEmpty());
        }
    }

    /** A CONNECT asks for an authority and nothing else (RFC 9113 section 8.5). */
    @ParameterizedTest
    @CsvSource({":path, /", ":scheme, http"})
    void aConnectHasNoPath(String name, String value) throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.head(1, false, ":method", "CONNECT", ":authority", "web", name, value);
            assertEquals(
                    H2Frames.RST_STREAM,
                    client.until(H2Frames.RST_STREAM).getLast().type());
            assertTrue(origin.requests.isEmpty());
        }
    }

    /** A body of unknown length goes on in chunks, with the trailers that may follow it. */
    @Test
    void bodiesAndTrailersGoOnInChunks() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(("HTTP/1.1 200 OK\r\nContent-Length: "
                                    + request.body().length() + "\r\n\r\n" + request.body())
                            .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.post(1)
                    .frame(H2Frames.DATA, 0, 1, new byte[10])
                    .frame(H2Frames.DATA, H2Frames.END_STREAM, 1, new byte[5]);
            List<H2Frames.Frame> all = client.until(H2Frames.DATA);
            assertEquals(15, all.getLast().length());
            assertEquals("chunked", origin.requests.getFirst().field("transfer-encoding"));
        }
    }

    /** One that resets each of its streams at once is sent away, and so is one that sends frames without a byte. */
    @Test
    void floodsEndTheConnection() throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames resets = new H2Frames(proxy.port);
                H2Frames empty = new H2Frames(proxy.port)) {
            flood(1000, i -> resets.get(2 * i + 1).frame(H2Frames.RST_STREAM, 0, 2 * i + 1, new byte[] {0, 0, 0, 8}));
            assertTrue(isGone(resets));
            assertTrue(origin.requests.size() < 500, () -> origin.requests.size() + " requests arrived");
            empty.post(1);
            flood(10, i -> empty.frame(H2Frames.DATA, 0, 1, new byte[0]));
            assertTrue(isGone(empty));
        }
    }

    /** What is sent behind a CONNECT before it is agreed to is no request, and nobody else's. */
    @Test
    void nothingIsSmuggledBehindAConnect() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write("HTTP/1.1 405 No\r\nContent-Length: 2\r\n\r\nno"
                            .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.connect(1)
                    .frame(
                            H2Frames.DATA,
                            0,
                            1,
                            "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n"
                                    .getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            client.until(H2Frames.DATA);
            client.get(3).until(H2Frames.DATA);
            assertEquals(
                    List.of("CONNECT web HTTP/1.1", "GET / HTTP/1.1"),
                    origin.requests.stream().map(Origin.Request::line).toList());
        }
    }

    /** An answer that comes before the request has ended arrives whole, and then nobody reads the rest. */
    @Test
    void anEarlyAnswerArrivesWhole() throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh().subset("").build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.post(1);
            List<H2Frames.Frame> all = client.until(H2Frames.RST_STREAM);
            assertEquals(
                    List.of(H2Frames.HEADERS, H2Frames.DATA, H2Frames.RST_STREAM),
                    all.stream().map(H2Frames.Frame::type).toList());
            assertEquals(0, all.getLast().code());
            assertEquals(0, origin.connections.get());
        }
    }

    /** A client that has gone leaves nothing behind, and what it asked is not answered for nobody. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aClientThatGoesEndsItsConnection(boolean reset) throws Exception {
        CountDownLatch seen = new CountDownLatch(1);
        try (Origin origin = Origin.start((request, out, socket) -> {
                    // The proxy closes the connection of a request that nobody waits for any more.
                    boolean gone = socket.getInputStream().read() < 0;
                    seen.countDown();
                    return !gone;
                });
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build())) {
            H2Frames client = new H2Frames(proxy.port);
            client.get(1);
            while (origin.requests.isEmpty()) {
                Thread.sleep(10);
            }
            client.leave(reset);
            assertTrue(seen.await(5, TimeUnit.SECONDS));
        }
    }

    /** What begins as only HTTP/2 does and goes on otherwise is told so in HTTP/2; half of it and no more is just left. */
    @ParameterizedTest
    @CsvSource({"'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'", "'PRI * HTTP/2.0\r\n\r\n'"})
    void aPrefaceThatIsNone(String sent) throws Exception {
        List<H2Frames.Frame> answer = answers(Meshes.mesh(), sent);
        boolean half = sent.endsWith("2.0\r\n\r\n");
        assertEquals(H2Frames.SETTINGS, answer.getFirst().type());
        assertEquals(!half, answer.getLast().type() == H2Frames.GOAWAY, answer::toString);
        assertEquals(half ? -1 : PROTOCOL_ERROR, answer.getLast().code());
    }

    /** At a port that says HTTP/2, what is HTTP of no version is told so in HTTP/2; {@code PrefaceTest} has it in pieces. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "INVALID CONNECTION PREFACE\r\n\r\n",
                "PRI * HTTP/1.1\n",
                "\u0016\u0003\u0001\u0002",
                "get / HTTP/1.1\r\nHost: web\r\n\r\n",
            })
    void aPrefaceThatIsNoneAtAPortOfHttp2(String sent) throws Exception {
        List<H2Frames.Frame> answer = answers(Meshes.mesh().saysHttp2(), sent);
        assertEquals(H2Frames.GOAWAY, answer.getLast().type(), answer::toString);
        assertEquals(PROTOCOL_ERROR, answer.getLast().code());
    }

    @Test
    void aPortOfHttp2ServesHttp1() throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().saysHttp2().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.get(1).until(H2Frames.DATA);
            assertEquals(200, RawClient.get(proxy.port, "/").code());
            String other = "PROPFIND / HTTP/1.1\r\nHost: web\r\n\r\n";
            assertEquals(200, RawClient.once(proxy.port, other).code());
            try (RawClient slow = new RawClient(proxy.port)) {
                for (String piece : other.split("")) {
                    slow.send(piece);
                }
                assertEquals(200, slow.read(false).code());
            }
            assertEquals(4, origin.requests.size());
        }
    }

    /** What a client gets that sends these bytes and no more; nothing of it may reach the endpoint. */
    private static List<H2Frames.Frame> answers(Meshes mesh, String sent) throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy =
                        new ProxyFixture(mesh.subset("", origin.port()).build());
                RawClient client = new RawClient(proxy.port)) {
            client.send(sent);
            client.socket.shutdownOutput();
            byte[] answer = client.in().readAllBytes();
            assertFalse(new String(answer, StandardCharsets.ISO_8859_1).contains("HTTP/1.1"));
            List<H2Frames.Frame> frames = new ArrayList<>();
            for (int at = 0; at < answer.length; ) {
                int length = (answer[at + 1] & 0xff) * 256 + (answer[at + 2] & 0xff);
                int code = answer[at + 3] == H2Frames.GOAWAY ? answer[at + 9 + 7] : -1;
                frames.add(new H2Frames.Frame(answer[at + 3], 0, 0, length, code, "", Map.of()));
                at += 9 + length;
            }
            assertTrue(origin.requests.isEmpty());
            return frames;
        }
    }

    private static void flood(int times, IntConsumer sent) {
        for (int i = 0; i < times; i++) {
            try {
                sent.accept(i);
            } catch (UncheckedIOException e) {
                // It was already sent away.
                return;
            }
        }
    }

    private static boolean isGone(H2Frames client) {
        try {
            List<H2Frames.Frame> all = client.until(H2Frames.GOAWAY);
            return !all.isEmpty();
        } catch (java.net.SocketTimeoutException e) {
            return false;
        } catch (java.io.IOException e) {
            return true;
        }
    }
}
