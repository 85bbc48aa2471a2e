package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Coding;
import dev.tulle.model.Compression;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Route;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.RouteMatch;
import dev.tulle.proxy.body.Decoding;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Answers are compressed for clients that take that, seen from both ends. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class CompressionTest {
    private static final Compression ALL = new Compression(Compression.CODINGS, Compression.TYPES, 256);
    private static final String TEXT = "what is said again and again ".repeat(200);

    private static Route route(RouteFilter... filters) {
        return new Route(
                "r",
                RouteMatch.ANY,
                Meshes.forward("r", RouteMatch.ANY, "").action(),
                List.of(filters),
                HeaderMutation.NONE,
                ResourceRef.DEFAULT);
    }

    private static ProxyFixture proxy(Origin origin, RouteFilter... filters) throws IOException {
        return new ProxyFixture(
                Meshes.mesh().subset("", origin.port()).routes(route(filters)).build());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static Origin origin(String fields, String body) throws IOException {
        return Origin.start((request, out, socket) -> {
            boolean head = request.head().startsWith("HEAD ");
            out.write(bytes("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + body.length() + "\r\n"
                    + fields + "\r\n" + (head ? "" : body)));
            return true;
        });
    }

    private static InputStream decoder(String coding, InputStream in) throws IOException {
        return coding.isEmpty() ? in : Decoding.of(Coding.of(coding).orElseThrow(), in);
    }

    private static String decoded(String coding, String body) throws IOException {
        return new String(
                decoder(coding, new ByteArrayInputStream(bytes(body))).readAllBytes(), StandardCharsets.ISO_8859_1);
    }

    /** The table is what real Envoys did: it/edge/compression.py. */
    @Test
    void whatIsCompressedIsWhatEnvoyCompresses() throws Exception {
        List<String> rows;
        try (BufferedReader table = new BufferedReader(new InputStreamReader(
                Objects.requireNonNull(CompressionTest.class.getResourceAsStream("compression.txt")),
                StandardCharsets.UTF_8))) {
            rows = table.lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .toList();
        }
        assertTrue(rows.size() > 80, rows.size() + " rows");
        List<String> types = List.of("text/plain", "text/html", "text/event-stream", "application/json");
        for (String offered : List.of("gzip", "zstd,br,gzip")) {
            List<Coding> codings = Arrays.stream(offered.split(",", -1))
                    .map(token -> Coding.of(token).orElseThrow())
                    .toList();
            String[] answer = new String[1];
            try (Origin origin = Origin.start((request, out, socket) -> {
                        out.write(bytes(answer[0]));
                        return false;
                    });
                    ProxyFixture proxy = proxy(origin, new Compression(codings, types, 256))) {
                for (String row : rows) {
                    String[] parts = row.split("\\|", -1);
                    if (parts[0].strip().equals(offered)) {
                        check(row, parts, answer, proxy.port);
                    }
                }
            }
        }
    }

    private static void check(String row, String[] parts, String[] answer, int port) throws IOException {
        String[] asked = parts[1].strip().split(" ; ", -1);
        String[] given = parts[2].strip().split(" ; ", -1);
        boolean toHead = asked[0].equals("HEAD");
        String body = given[1].equals("none") ? "" : body(Integer.parseInt(given[1].replace("chunked ", "")));
        answer[0] = answer(given, body, toHead);
        StringBuilder request = new StringBuilder(asked[0] + " / HTTP/1.1\r\nHost: web\r\n");
        for (int i = 1; i < asked.length; i++) {
            request.append(asked[i]).append("\r\n");
        }
        if (asked[0].equals("POST")) {
            request.append("Content-Length: 0\r\n");
        }
        try (RawClient client = new RawClient(port)) {
            RawClient.Response got = client.send(request + "\r\n").read(toHead);
            assertEquals(given[0], Integer.toString(got.code()), row);
            assertEquals(parts[3].strip(), got.field("content-encoding"), row);
            assertEquals(parts[4].strip(), String.join(",", fields(got.head(), "vary")), row);
            assertEquals(parts[5].strip(), got.field("etag"), row);
            boolean own = Arrays.stream(given).anyMatch(field -> field.startsWith("content-encoding"));
            if (!own && !toHead) {
                assertEquals(body, decoded(got.field("content-encoding"), got.body()), row);
            }
        }
    }

    private static List<String> fields(String head, String name) {
        return head.lines()
                .filter(line -> line.regionMatches(true, 0, name + ":", 0, name.length() + 1))
                .map(line -> line.substring(name.length() + 1).strip())
                .toList();
    }

    private static String body(int length) {
        return "what is said again and again ".repeat(length / 29 + 1).substring(0, length);
    }

    private static String answer(String[] given, String body, boolean toHead) {
        StringBuilder all = new StringBuilder("HTTP/1.1 " + given[0] + " Any\r\n");
        for (int i = 2; i < given.length; i++) {
            all.append(given[i]).append("\r\n");
        }
        boolean chunked = given[1].startsWith("chunked");
        if (chunked) {
            all.append("Transfer-Encoding: chunked\r\n");
        } else if (!given[1].equals("none")) {
            all.append("Content-Length: ").append(body.length()).append("\r\n");
        }
        all.append("Connection: close\r\n\r\n");
        if (chunked && !toHead) {
            if (!body.isEmpty()) {
                all.append(Integer.toHexString(body.length()))
                        .append("\r\n")
                        .append(body)
                        .append("\r\n");
            }
            all.append("0\r\n\r\n");
        } else if (!toHead) {
            all.append(body);
        }
        return all.toString();
    }

    @Test
    void eventsAreNotHeldBack() throws Exception {
        for (Coding coding : Coding.values()) {
            CountDownLatch read = new CountDownLatch(1);
            try (Origin origin = Origin.start((request, out, socket) -> {
                        out.write(bytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n"));
                        out.flush();
                        assertTrue(read.await(20, TimeUnit.SECONDS), "the first event has come");
                        out.write(bytes("data: last\n\n"));
                        return false;
                    });
                    ProxyFixture proxy = proxy(origin, ALL);
                    RawClient client = new RawClient(proxy.port)) {
                client.send("GET / HTTP/1.0\r\nHost: web\r\nAccept-Encoding: " + coding.token() + "\r\n\r\n");
                String head = Origin.readHead(client.in());
                assertEquals(List.of(coding.token()), fields(head, "content-encoding"));
                assertEquals(List.of(), fields(head, "transfer-encoding"), "HTTP/1.0 has none: until the end");
                InputStream events = decoder(coding.token(), client.in());
                assertEquals("data: first\n\n", new String(events.readNBytes(13), StandardCharsets.US_ASCII));
                read.countDown();
                assertEquals("data: last\n\n", new String(events.readAllBytes(), StandardCharsets.US_ASCII));
            }
        }
    }

    @Test
    void aConnectionServesFurtherRequestsAndCountsWhatItSends() throws Exception {
        try (Origin origin = origin("ETag: \"1\"\r\nAccept-Ranges: bytes\r\n", TEXT);
                ProxyFixture proxy = proxy(origin, ALL);
                RawClient client = new RawClient(proxy.port)) {
            int sent = 0;
            for (String coding : List.of("gzip", "br", "zstd", "")) {
                client.send("GET / HTTP/1.1\r\nHost: web\r\nAccept-Encoding: " + coding + "\r\n\r\n");
                RawClient.Response got = client.read(false);
                assertEquals(coding, got.field("content-encoding"));
                assertEquals("Accept-Encoding", got.field("vary"));
                assertEquals(coding.isEmpty() ? "\"1\"" : "W/\"1\"", got.field("etag"));
                assertEquals(coding.isEmpty() ? Integer.toString(TEXT.length()) : "", got.field("content-length"));
                assertEquals(coding.isEmpty() ? "" : "chunked", got.field("transfer-encoding"));
                assertEquals(TEXT, decoded(coding, got.body()));
                assertEquals(coding.isEmpty(), got.body().length() == TEXT.length());
                sent += got.body().length();
            }
            assertEquals(1, origin.connections.get());
            assertEquals(4, origin.requests.size());
            for (int i = 0; i < 200 && proxy.sum("istio_response_bytes_sum") != sent; i++) {
                Thread.sleep(50);
            }
            assertEquals(sent, proxy.sum("istio_response_bytes_sum"), "as its client got it");
        }
    }

    @Test
    void trailersStayAndWhatABodyIsVouchedForByStaysAsItIs() throws Exception {
        String[] fields = new String[1];
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(
                            bytes(
                                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + fields[0]
                                            + "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"));
                    return true;
                });
                ProxyFixture proxy = proxy(origin, ALL);
                Http1End client = new Http1End(new Socket(InetAddress.getLoopbackAddress(), proxy.port))) {
            fields[0] = "";
            client.head("GET", WireEnd.Framing.NONE, 0, "accept-encoding", "gzip");
            WireEnd.Head head = client.readHead(false);
            assertEquals("gzip", head.fields().get("content-encoding"));
            while (client.read() != null) {
                // The trailers are behind it.
            }
            assertEquals("1", client.trailers.get("x-sum"));
            for (String voucher :
                    List.of("Content-Digest: sha-256=:x:", "Repr-Digest: a", "Digest: b", "Content-MD5: c")) {
                fields[0] = voucher + "\r\n";
                client.head("GET", WireEnd.Framing.NONE, 0, "accept-encoding", "gzip");
                assertFalse(client.readHead(false).fields().containsKey("content-encoding"), voucher);
                while (client.read() != null) {
                    // To the next answer.
                }
            }
            fields[0] = "Content-Range: bytes 0-4/9\r\n";
            client.head("GET", WireEnd.Framing.NONE, 0, "accept-encoding", "gzip", "cache-control", "no-transform");
            assertFalse(client.readHead(false).fields().containsKey("content-encoding"));
        }
    }

    @Test
    void aClientOfHttp2() throws Exception {
        try (Origin origin = origin("", TEXT);
                ProxyFixture proxy = proxy(origin, ALL);
                Http2End client = new Http2End(new H2Frames(proxy.port), false)) {
            client.head("GET", WireEnd.Framing.NONE, 0, "accept-encoding", "br");
            WireEnd.Head head = client.readHead(false);
            assertEquals("br", head.fields().get("content-encoding"));
            assertFalse(head.fields().containsKey("content-length"));
            StringBuilder all = new StringBuilder();
            for (byte[] piece = client.read(); piece != null; piece = client.read()) {
                all.append(new String(piece, StandardCharsets.ISO_8859_1));
            }
            assertEquals(TEXT, decoded("br", all.toString()));
            client.head("HEAD", WireEnd.Framing.NONE, 0, "accept-encoding", "br");
            head = client.readHead(true);
            assertEquals("Accept-Encoding", head.fields().get("vary"));
            assertEquals(Integer.toString(TEXT.length()), head.fields().get("content-length"));
        }
    }

    @Test
    void aServerThatBreaksOffIsSeenByTheClient() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(bytes("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n\r\nhalf"));
                    return false;
                });
                ProxyFixture proxy = proxy(origin, ALL);
                Http1End client = new Http1End(new Socket(InetAddress.getLoopbackAddress(), proxy.port))) {
            client.head("GET", WireEnd.Framing.NONE, 0, "accept-encoding", "gzip");
            assertEquals("gzip", client.readHead(false).fields().get("content-encoding"));
            assertThrows(WireEnd.BrokenException.class, () -> {
                while (client.read() != null) {
                    // What came before the end.
                }
            });
        }
    }

    @Test
    void theProxysOwnAnswersAndTunnelsAreLeftAlone() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(bytes(String.join(
                            "\r\n",
                            "HTTP/1.1 101 Switching Protocols",
                            "Connection: upgrade",
                            "Upgrade: chat",
                            "Content-Type: text/plain",
                            "",
                            "")));
                    out.flush();
                    OutputStream echo = out;
                    InputStream in = socket.getInputStream();
                    echo.write(in.readNBytes(4));
                    return false;
                });
                ProxyFixture proxy = proxy(origin, ALL);
                RawClient client = new RawClient(proxy.port)) {
            client.send(
                    "GET / HTTP/1.1\r\nHost: web\r\nConnection: upgrade\r\nUpgrade: chat\r\nAccept-Encoding: gzip\r\n\r\n");
            String head = Origin.readHead(client.in());
            assertEquals(List.of(), fields(head, "content-encoding"));
            assertEquals(List.of(), fields(head, "vary"));
            client.send("ping");
            assertEquals("ping", new String(client.in().readNBytes(4), StandardCharsets.US_ASCII));
        }
        try (ProxyFixture proxy =
                new ProxyFixture(Meshes.mesh().subset("").routes(route(ALL)).build())) {
            RawClient.Response none = RawClient.get(proxy.port, "/", "Accept-Encoding: gzip");
            assertEquals(503, none.code());
            assertEquals("", none.field("content-encoding"));
        }
    }
}
