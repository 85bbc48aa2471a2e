package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import dev.tulle.model.RetryPolicy;
import dev.tulle.proxy.WireEnd.Framing;
import dev.tulle.proxy.WireEnd.Head;
import io.netty.buffer.PooledByteBufAllocator;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Goal: a request and its response mean the same on both sides of the proxy, in every pair of versions, for every way in
 * which a message can be framed, interrupted and end. Method: one table of cases; each is run with an end of either version
 * as the client and as the server, whose every step it decides.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ConversionTest {
    /** Of the body that a reader keeps waiting; {@code -Dtulle.conversion.megabytes=1024} is the long form. */
    private static final long LARGE = Long.getLong("tulle.conversion.megabytes", 24) << 20;

    /** Which cases, by an expression. */
    private static final String ONLY = System.getProperty("tulle.conversion.only", ".*");

    /** The same in small pieces, which need not fill all that is on the way. */
    private static final long PIECES = 300 * 700;

    private static final String SMALL = " small pieces";

    private static final int NARROW = 4 << 10;

    /** What a stream may have of the proxy's buffers. */
    private static final long BOUND = 1 << 20;

    private enum Version {
        HTTP1,
        HTTP2
    }

    /** The two ends of one pair of versions. */
    private static final class Pair implements AutoCloseable {
        private final Version clientSpeaks;
        private final Version serverSpeaks;
        private final boolean narrow;
        private final ServerSocket listener = new ServerSocket();
        private final ProxyFixture proxy;
        private final List<WireEnd> ends = new ArrayList<>();
        private WireEnd client;

        /**
         * Of an exchange.
         *
         * @param narrow true when next to nothing is to be on the way between the proxy and who does not read
         */
        Pair(Version clientSpeaks, Version serverSpeaks, boolean narrow) throws IOException {
            this.clientSpeaks = clientSpeaks;
            this.serverSpeaks = serverSpeaks;
            this.narrow = narrow;
            if (narrow) {
                listener.setReceiveBufferSize(NARROW);
            }
            listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16);
            listener.setSoTimeout(5_000);
            proxy = new ProxyFixture(Meshes.mesh()
                    .protocol(serverSpeaks == Version.HTTP1 ? Cluster.Protocol.HTTP1 : Cluster.Protocol.HTTP2)
                    .subset("", listener.getLocalPort())
                    .routes(Meshes.retrying(Duration.ZERO, RetryPolicy.NONE))
                    .build());
            client = client();
        }

        private WireEnd client() throws IOException {
            WireEnd made = clientSpeaks == Version.HTTP1
                    ? new Http1End(connect())
                    : new Http2End(new H2Frames(proxy.port), false);
            ends.add(made);
            return made;
        }

        private Socket connect() throws IOException {
            Socket socket = new Socket();
            if (narrow) {
                socket.setReceiveBufferSize(NARROW);
            }
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), proxy.port));
            return socket;
        }

        /** The server's end of the connection that the proxy makes. */
        WireEnd accept() throws IOException {
            Socket socket = listener.accept();
            socket.setTcpNoDelay(true);
            WireEnd made = serverSpeaks == Version.HTTP1
                    ? new Http1End(socket)
                    : new Http2End(new H2Frames(socket, H2Server.NOTHING), true);
            ends.add(made);
            return made;
        }

        @Override
        public void close() throws IOException {
            for (WireEnd end : ends) {
                try {
                    end.close();
                } catch (Exception e) {
                    throw new IOException(e);
                }
            }
            listener.close();
            proxy.close();
        }
    }

    private interface Case {
        void run(Pair pair) throws Exception;
    }

    private static final Map<String, Case> CASES = new LinkedHashMap<>();

    static {
        CASES.put("no body", pair -> exchanges(pair, Framing.NONE, false, Framing.NONE, false));
        for (Framing framing : List.of(Framing.LENGTH, Framing.OPEN)) {
            CASES.put("request " + framing, pair -> exchanges(pair, framing, false, Framing.NONE, false));
            CASES.put("response " + framing, pair -> exchanges(pair, Framing.NONE, false, framing, false));
            CASES.put("both " + framing, pair -> exchanges(pair, framing, false, framing, false));
        }
        CASES.put("trailers", pair -> exchanges(pair, Framing.OPEN, true, Framing.OPEN, true));
        CASES.put("trailers of a response", pair -> exchanges(pair, Framing.LENGTH, false, Framing.OPEN, true));
        CASES.put("HEAD", pair -> bodyless(pair, "HEAD", "200", Framing.LENGTH));
        CASES.put("204", pair -> bodyless(pair, "DELETE", "204", Framing.NONE));
        CASES.put("304", pair -> bodyless(pair, "GET", "304", Framing.NONE));
        CASES.put("304 with a length", pair -> bodyless(pair, "GET", "304", Framing.LENGTH));
        CASES.put("100-continue", pair -> expects(pair, true));
        CASES.put("100-continue refused", pair -> expects(pair, false));
        CASES.put("informational", ConversionTest::informational);
        CASES.put("early answer", ConversionTest::early);
        for (ClientReset when : ClientReset.values()) {
            CASES.put("client resets " + when, pair -> clientResets(pair, when));
        }
        for (ServerReset when : ServerReset.values()) {
            CASES.put("server resets " + when, pair -> serverResets(pair, when));
        }
        CASES.put("server does not read", ConversionTest::stalledServer);
        CASES.put("client does not read", ConversionTest::stalledClient);
        CASES.put("server does not read" + SMALL, ConversionTest::stalledServerOfPieces);
        CASES.put("client does not read" + SMALL, ConversionTest::stalledClientOfPieces);
    }

    static Stream<Arguments> table() {
        return CASES.keySet().stream().filter(name -> name.matches(ONLY)).flatMap(name -> Arrays.stream(
                        Version.values())
                .flatMap(client -> Arrays.stream(Version.values()).map(server -> Arguments.of(name, client, server))));
    }

    @ParameterizedTest(name = "{0}, {1} to {2}")
    @MethodSource("table")
    void meansTheSame(String name, Version client, Version server) throws Exception {
        try (Pair pair = new Pair(client, server, name.endsWith(SMALL))) {
            Case steps = CASES.get(name);
            if (steps != null) {
                steps.run(pair);
            }
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static String piece(WireEnd from) throws IOException {
        byte[] piece = from.read();
        return piece == null ? "" : new String(piece, StandardCharsets.ISO_8859_1);
    }

    private static String rest(WireEnd from) throws IOException {
        StringBuilder all = new StringBuilder();
        for (byte[] piece = from.read(); piece != null; piece = from.read()) {
            all.append(new String(piece, StandardCharsets.ISO_8859_1));
        }
        return all.toString();
    }

    /** Two exchanges, one after the other, on the same two connections; what is there of a body goes on at once. */
    private static void exchanges(Pair pair, Framing request, boolean up, Framing response, boolean down)
            throws IOException {
        WireEnd server = null;
        for (int i = 0; i < 2; i++) {
            String body = "hello world " + i;
            pair.client.head("PUT", request, body.length(), "x-test", "1");
            if (request != Framing.NONE) {
                pair.client.data(bytes(body.substring(0, 6)));
            }
            server = server == null ? pair.accept() : server;
            Head asked = server.readHead(false);
            assertEquals("PUT", asked.start());
            assertEquals("1", asked.fields().get("x-test"));
            assertLength(request, body.length(), asked);
            if (request != Framing.NONE) {
                assertEquals("hello ", piece(server));
                pair.client.data(bytes(body.substring(6)));
                pair.client.end(up ? new String[] {"x-sum", "up" + i} : new String[0]);
                assertEquals(body.substring(6), rest(server));
            }
            assertNull(server.read());
            assertEquals(up ? Map.of("x-sum", "up" + i) : Map.of(), server.trailers);
            answer(pair.client, server, response, body, down ? new String[] {"x-sum", "down" + i} : new String[0]);
        }
    }

    private static void answer(WireEnd client, WireEnd server, Framing framing, String body, String... trailers)
            throws IOException {
        server.head("201", framing, body.length(), "x-answer", "2");
        if (framing != Framing.NONE) {
            server.data(bytes(body.substring(0, 6)));
        }
        Head answered = client.readHead(false);
        assertEquals("201", answered.start());
        assertEquals("2", answered.fields().get("x-answer"));
        assertLength(framing, body.length(), answered);
        if (framing != Framing.NONE) {
            assertEquals(body.substring(0, 6), piece(client));
            server.data(bytes(body.substring(6)));
            server.end(trailers);
            assertEquals(body.substring(6), rest(client));
        }
        assertNull(client.read());
        assertEquals(trailers.length == 0 ? Map.of() : Map.of(trailers[0], trailers[1]), client.trailers);
    }

    private static void assertLength(Framing framing, int length, Head head) {
        String said = head.fields().get("content-length");
        switch (framing) {
            case LENGTH -> assertEquals(Integer.toString(length), said);
            case OPEN -> assertNull(said);
            case NONE -> assertTrue(said == null || said.equals("0"), said);
        }
    }

    private static void bodyless(Pair pair, String method, String code, Framing framing) throws IOException {
        WireEnd server = null;
        for (int i = 0; i < 2; i++) {
            pair.client.head(method, Framing.NONE, 0);
            server = server == null ? pair.accept() : server;
            assertEquals(method, server.readHead(false).start());
            server.head(code, framing, 5, "etag", "x");
            if (framing != Framing.NONE && pair.serverSpeaks == Version.HTTP2) {
                server.end();
            }
            Head answered = pair.client.readHead(true);
            assertEquals(code, answered.start());
            assertEquals("x", answered.fields().get("etag"));
            assertEquals(
                    framing == Framing.LENGTH ? "5" : null, answered.fields().get("content-length"));
            assertNull(pair.client.read());
        }
    }

    private static void expects(Pair pair, boolean willing) throws IOException {
        pair.client.head("POST", Framing.LENGTH, 5, "expect", "100-continue");
        WireEnd server = pair.accept();
        assertEquals("100-continue", server.readHead(false).fields().get("expect"));
        if (willing) {
            server.head("100", Framing.NONE, 0);
            assertEquals("100", pair.client.readHead(false).start());
            pair.client.data(bytes("hello"));
            pair.client.end();
            assertEquals("hello", rest(server));
            answer(pair.client, server, Framing.LENGTH, "willingly");
        } else {
            server.head("417", Framing.LENGTH, 2);
            server.data(bytes("no"));
            server.end();
            assertEquals("417", pair.client.readHead(false).start());
            assertEquals("no", rest(pair.client));
        }
    }

    /** A further informational response than 100 is passed on before the answer. */
    private static void informational(Pair pair) throws IOException {
        pair.client.head("GET", Framing.NONE, 0);
        WireEnd server = pair.accept();
        server.readHead(false);
        server.head("103", Framing.NONE, 0, "link", "</a>");
        Head hint = pair.client.readHead(false);
        assertEquals("103", hint.start());
        assertEquals("</a>", hint.fields().get("link"));
        answer(pair.client, server, Framing.OPEN, "afterwards");
    }

    /** An answer before the request's end arrives whole, and the client can ask again. */
    private static void early(Pair pair) throws IOException {
        pair.client.head("POST", Framing.OPEN, 0);
        pair.client.data(bytes("beginning"));
        WireEnd server = pair.accept();
        server.readHead(false);
        assertEquals("beginning", piece(server));
        server.head("413", Framing.LENGTH, 2);
        server.data(bytes("no"));
        server.end();
        assertEquals("413", pair.client.readHead(false).start());
        assertEquals("no", rest(pair.client));
        WireEnd next = pair.client();
        next.head("GET", Framing.NONE, 0);
        WireEnd other = pair.serverSpeaks == Version.HTTP1 ? pair.accept() : null;
        if (other != null) {
            other.readHead(false);
            answer(next, other, Framing.LENGTH, "another");
        }
    }

    private enum ClientReset {
        AFTER_HEAD,
        IN_BODY,
        BEFORE_RESPONSE,
        IN_RESPONSE
    }

    /** Its server hears of it at once, at every stage, and the next request is answered. */
    private static void clientResets(Pair pair, ClientReset when) throws IOException {
        boolean uploads = when == ClientReset.AFTER_HEAD || when == ClientReset.IN_BODY;
        pair.client.head("POST", uploads ? Framing.OPEN : Framing.NONE, 0);
        WireEnd server = pair.accept();
        if (when == ClientReset.IN_BODY) {
            pair.client.data(bytes("half"));
        }
        server.readHead(false);
        if (when == ClientReset.IN_BODY) {
            assertEquals("half", piece(server));
        }
        if (when == ClientReset.IN_RESPONSE) {
            server.head("200", Framing.OPEN, 0);
            server.data(bytes("half"));
            pair.client.readHead(false);
            assertEquals("half", piece(pair.client));
        }
        pair.client.reset();
        server.awaitReset();
    }

    private enum ServerReset {
        AFTER_HEAD,
        IN_BODY,
        BEFORE_RESPONSE,
        IN_RESPONSE_OF_LENGTH,
        IN_OPEN_RESPONSE
    }

    /** Before its answer: 503. Within it: the client sees that it is not whole. */
    private static void serverResets(Pair pair, ServerReset when) throws IOException {
        boolean uploads = when == ServerReset.AFTER_HEAD || when == ServerReset.IN_BODY;
        boolean begun = when == ServerReset.IN_RESPONSE_OF_LENGTH || when == ServerReset.IN_OPEN_RESPONSE;
        pair.client.head("POST", uploads ? Framing.OPEN : Framing.NONE, 0);
        WireEnd server = pair.accept();
        server.readHead(false);
        if (when == ServerReset.IN_BODY) {
            pair.client.data(bytes("half"));
            assertEquals("half", piece(server));
        }
        if (begun) {
            server.head("200", when == ServerReset.IN_OPEN_RESPONSE ? Framing.OPEN : Framing.LENGTH, 9);
            server.data(bytes("half"));
            assertEquals("200", pair.client.readHead(false).start());
            assertEquals("half", piece(pair.client));
        }
        server.reset();
        if (begun) {
            assertThrows(WireEnd.BrokenException.class, () -> rest(pair.client));
        } else {
            assertEquals("503", pair.client.readHead(false).start());
            assertTrue(rest(pair.client).contains("upstream connect error"));
        }
    }

    private static void stalledServer(Pair pair) throws Exception {
        long before = PooledByteBufAllocator.DEFAULT.pinnedDirectMemory();
        pair.client.head("POST", Framing.LENGTH, LARGE);
        WireEnd server = pair.accept();
        server.readHead(false);
        transfer(pair.client, server, LARGE, 64 << 10, before);
        answer(pair.client, server, Framing.LENGTH, "all of it");
    }

    private static void stalledClient(Pair pair) throws Exception {
        long before = PooledByteBufAllocator.DEFAULT.pinnedDirectMemory();
        pair.client.head("GET", Framing.NONE, 0);
        WireEnd server = pair.accept();
        server.readHead(false);
        server.head("200", Framing.LENGTH, LARGE);
        pair.client.readHead(false);
        transfer(server, pair.client, LARGE, 64 << 10, before);
    }

    /** Each piece comes by itself, in a buffer that is many times as large. */
    private static void stalledServerOfPieces(Pair pair) throws Exception {
        long before = PooledByteBufAllocator.DEFAULT.pinnedDirectMemory();
        pair.client.head("POST", Framing.OPEN, 0);
        WireEnd server = pair.accept();
        server.readHead(false);
        transfer(pair.client, server, PIECES, 300, before);
    }

    private static void stalledClientOfPieces(Pair pair) throws Exception {
        long before = PooledByteBufAllocator.DEFAULT.pinnedDirectMemory();
        pair.client.head("GET", Framing.NONE, 0);
        WireEnd server = pair.accept();
        server.readHead(false);
        server.head("200", Framing.OPEN, 0);
        pair.client.readHead(false);
        transfer(server, pair.client, PIECES, 300, before);
    }

    /** A body of which nothing is read until nothing more can be sent: what waits in the proxy meanwhile is bounded. */
    private static void transfer(WireEnd from, WireEnd to, long size, int each, long before) throws Exception {
        AtomicLong sent = new AtomicLong();
        CompletableFuture<Boolean> done = new CompletableFuture<>();
        Thread.ofPlatform().start(() -> {
            try {
                byte[] piece = new byte[each];
                while (sent.get() < size) {
                    from.data(piece);
                    sent.addAndGet(piece.length);
                    if (size == PIECES) {
                        // So that the proxy reads each by itself.
                        Thread.sleep(1);
                    }
                }
                from.end();
                done.complete(true);
            } catch (IOException | InterruptedException e) {
                done.completeExceptionally(e);
            }
        });
        long last = -1;
        long most = 0;
        while (last != sent.get()) {
            last = sent.get();
            Thread.sleep(300);
            most = Math.max(most, PooledByteBufAllocator.DEFAULT.pinnedDirectMemory() - before);
        }
        assertTrue(size == PIECES || last < size, "nothing held the sender back");
        assertTrue(most <= BOUND, most + " bytes wait in the proxy");
        long read = 0;
        for (byte[] piece = to.read(); piece != null; piece = to.read()) {
            read += piece.length;
        }
        assertEquals(size, read);
        assertTrue(done.get(10, TimeUnit.SECONDS));
    }
}
