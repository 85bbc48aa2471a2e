package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.LocalApiServer;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteMatch;
import dev.tulle.proxy.share.Budget;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** One client takes much more of the proxy than it should; another one does not notice. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class NeighboursTest {
    private static final String GREEDY = "127.0.0.2";
    private static final String NOBODY = "127.0.0.1";
    private static final String QUIET = "127.0.0.3";
    private static final Budget SMALL = new Budget(200, 16, 4 << 20, 256 << 10, 50, 50);
    private static final String BIG = "x".repeat(60 << 10);

    @TempDir
    Path directory;

    private LocalApiServer agent;
    private Origin origin;
    private ProxyFixture proxy;
    private final List<Socket> open = new ArrayList<>();

    @BeforeEach
    void start() throws IOException {
        // Tells the two apart by the address that they have bound.
        agent = LocalApiServer.start(directory.resolve("node.sock"), (request, replies) -> {
            String who = request.contains("\"" + GREEDY + ":")
                    ? "node/default/greedy"
                    : request.contains("\"" + QUIET + ":") ? "node/default/quiet" : "";
            replies.send(request.contains("whois") ? Whois.answer(who) : "{\"ok\":false}");
        });
        origin = Origin.start((request, out, socket) -> {
            String body = request.line().contains("/big") ? BIG : "ok";
            out.write(("HTTP/1.1 200 OK\r\nContent-Length: " + body.length() + "\r\n\r\n" + body)
                    .getBytes(StandardCharsets.ISO_8859_1));
            return true;
        });
        RouteMatch direct = new RouteMatch(
                new RouteMatch.PathMatch.Exact("/direct"), false, Optional.empty(), List.of(), List.of());
        proxy = new ProxyFixture(
                Meshes.mesh()
                        .subset("", origin.port())
                        .routes(
                                Meshes.route("direct", direct, new RouteAction.DirectResponse(418, "short")),
                                Meshes.forward("all", RouteMatch.ANY, ""))
                        .workload(Meshes.member("default", "greedy", "default"))
                        .workload(Meshes.member("default", "quiet", "default"))
                        .build(),
                directory.resolve("node.sock"),
                directory.resolve("access.log").toString(),
                SMALL);
    }

    @AfterEach
    void stop() throws IOException {
        for (Socket socket : open) {
            socket.close();
        }
        proxy.close();
        origin.close();
        agent.close();
    }

    private Socket connect(String from) throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), proxy.port, InetAddress.getByName(from), 0);
        socket.setSoTimeout(10_000);
        open.add(socket);
        return socket;
    }

    /**
     * Whose the connections are is found out by asking: those of both clients are alike until then. A connection that still
     * waits to be accepted is not even counted, but is before one that came later.
     */
    private void named() throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!isServed(NOBODY)) {
            assertTrue(System.nanoTime() < end, "nobody else is served");
            Thread.sleep(5);
        }
        while (proxy.sum("tulle_proxy_unnamed_connections") > 0) {
            Thread.sleep(5);
        }
    }

    private boolean isServed(String from) {
        try (Socket socket = connect(from)) {
            send(socket, "GET /other HTTP/1.1\r\nHost: web\r\n\r\n");
            return Origin.readHead(socket.getInputStream()).startsWith("HTTP/1.1 ");
        } catch (IOException e) {
            // All connections are taken by those whose it is not known.
            return false;
        }
    }

    private static void send(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Requests of the quiet one, each on a new connection, and one after the other on one. */
    private void quietIsServed() throws IOException {
        Socket kept = connect(QUIET);
        for (int i = 0; i < 20; i++) {
            for (Socket socket : List.of(connect(QUIET), kept)) {
                send(socket, "GET /quiet HTTP/1.1\r\nHost: web\r\n\r\n");
                String head = Origin.readHead(socket.getInputStream());
                assertTrue(head.startsWith("HTTP/1.1 200 "), "request " + i + ": '" + head + "'");
                assertEquals("ok", new String(socket.getInputStream().readNBytes(2), StandardCharsets.ISO_8859_1));
                if (socket != kept) {
                    socket.close();
                }
            }
        }
    }

    private double over(String who, String what) {
        return proxy.sum("tulle_proxy_over_share_total", "default/" + who, what);
    }

    @Test
    void idleConnectionsLeaveRoomAndTheClientsOwnGoFirst() throws Exception {
        for (int i = 0; i < 400; i++) {
            connect(GREEDY);
            if (i % 20 == 19) {
                named();
            }
            if (i % 100 == 99) {
                quietIsServed();
            }
        }
        quietIsServed();
        assertTrue(
                over("greedy", "idle_connection_closed") > 200,
                proxy.metrics("over_share").toString());
        assertTrue(
                proxy.sum("tulle_proxy_connections ") <= 150,
                proxy.metrics("tulle_proxy_connections").toString());
        assertEquals(0, over("quiet", "connection"), proxy.metrics("over_share").toString());
    }

    @Test
    void aFloodOfIdleConnectionsTakesNobodyElsesOwn() throws Exception {
        List<Socket> idle = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            Socket socket = connect(QUIET);
            send(socket, "GET /quiet HTTP/1.1\r\nHost: web\r\n\r\n");
            Origin.readHead(socket.getInputStream());
            socket.getInputStream().readNBytes(2);
            idle.add(socket);
        }
        named();
        // As fast as it can, so that most are not known yet whose they are when the next ones come.
        for (int i = 0; i < 600; i++) {
            connect(GREEDY);
        }
        named();
        for (Socket socket : idle) {
            send(socket, "GET /quiet HTTP/1.1\r\nHost: web\r\n\r\n");
            assertTrue(Origin.readHead(socket.getInputStream()).startsWith("HTTP/1.1 200 "));
            socket.getInputStream().readNBytes(2);
        }
        assertEquals(0, over("quiet", "connection"), proxy.metrics("over_share").toString());
    }

    @Test
    void busyConnectionsBeyondTheShareAreRefused() throws Exception {
        int refused = 0;
        for (int i = 0; i < 200; i++) {
            Socket socket = connect(GREEDY);
            // A head that never ends: not idle, so nothing of the client's can go for it.
            try {
                send(socket, "GET / HTTP/1.1\r\n");
            } catch (IOException e) {
                refused++;
            }
            if (i % 20 == 19) {
                named();
            }
        }
        quietIsServed();
        assertTrue(over("greedy", "connection_refused") > 50, refused + " " + proxy.metrics("over_share"));
        assertEquals(0, over("quiet", "connection"), proxy.metrics("over_share").toString());
    }

    @Test
    void noRequestBeginsWhileItsClientOwesReads() throws Exception {
        Socket socket = connect(GREEDY);
        socket.setReceiveBufferSize(16 << 10);
        Thread.ofVirtual().start(() -> {
            try {
                for (int i = 0; i < 4_000; i++) {
                    send(socket, "GET /big HTTP/1.1\r\nHost: web\r\n\r\n");
                }
            } catch (IOException e) {
                // The test is over.
                assertTrue(socket.isBound());
            }
        });
        Thread.sleep(1_500);
        int begun = origin.requests.size();
        long stalled = (long) proxy.sum("tulle_proxy_stalled_bytes");
        quietIsServed();
        Thread.sleep(300);
        int after = (int) origin.requests.stream()
                .filter(request -> request.line().contains("/big"))
                .count();
        // What fits into sockets and one more: 4,000 answers would be 240 MB.
        assertTrue(after <= begun + 1 && after < 400, begun + " requests, then " + after);
        assertTrue(stalled > 0 && stalled < 512 << 10, "stalled bytes: " + stalled);
    }

    @Test
    void whoDoesNotReadLosesWhatIsStalledForLongest() throws Exception {
        for (int i = 0; i < 90; i++) {
            Socket socket = connect(GREEDY);
            socket.setReceiveBufferSize(8 << 10);
            StringBuilder many = new StringBuilder();
            for (int n = 0; n < 300; n++) {
                many.append("GET /big HTTP/1.1\r\nHost: web\r\n\r\n");
            }
            send(socket, many.toString());
        }
        quietIsServed();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (over("greedy", "stalled_connection_closed") == 0 && System.nanoTime() < end) {
            Thread.sleep(50);
        }
        quietIsServed();
        assertTrue(
                over("greedy", "stalled_connection_closed") > 0,
                proxy.metrics("stalled").toString());
        assertTrue(
                over("greedy", "stalled_beyond_minimum") > 0,
                proxy.metrics("over_share").toString());
        assertTrue(
                proxy.sum("tulle_proxy_stalled_bytes") <= SMALL.stalledBytes(),
                proxy.metrics("stalled").toString());
        assertEquals(0, over("quiet", "connection"), proxy.metrics("over_share").toString());
    }

    @Test
    void whoLeavesMuchUnreadIsNamedBeforeItIsTooMuch() throws Exception {
        for (int i = 0; i < 12; i++) {
            Socket socket = connect(GREEDY);
            socket.setReceiveBufferSize(8 << 10);
            send(socket, "GET /big HTTP/1.1\r\nHost: web\r\n\r\n".repeat(300));
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (over("greedy", "stalled_beyond_minimum") == 0 && System.nanoTime() < end) {
            Thread.sleep(20);
        }
        assertTrue(
                over("greedy", "stalled_beyond_minimum") > 0,
                proxy.metrics("over_share").toString());
        assertEquals(0, over("greedy", "stalled_connection_closed"), "the others leave room");
        quietIsServed();
        assertEquals(0, over("quiet", "stalled"), proxy.metrics("over_share").toString());
    }

    /** With 431, or by closing what had come before its client had a name. */
    private static boolean isRefused(Socket socket) throws IOException {
        try {
            String head = Origin.readHead(socket.getInputStream());
            return head.isEmpty() || head.startsWith("HTTP/1.1 431 ");
        } catch (SocketException e) {
            return true;
        }
    }

    @Test
    void largeHeadsThatDoNotEndAreBounded() throws Exception {
        String large = "GET /large HTTP/1.1\r\nHost: web\r\nX-Large: " + "x".repeat(40 << 10);
        List<Socket> sent = new ArrayList<>();
        for (int i = 0; i < 90; i++) {
            Socket socket = connect(GREEDY);
            send(socket, large);
            sent.add(socket);
        }
        assertTrue(isRefused(sent.getLast()));
        assertTrue(
                proxy.sum("tulle_proxy_stalled_bytes") <= SMALL.stalledBytes() / 2.0 + (64 << 10),
                proxy.metrics("stalled").toString());
        // The other loop may still be at the first of them.
        for (int i = 0; i < 500 && over("greedy", "large_head_refused") <= 20; i++) {
            Thread.sleep(10);
        }
        assertTrue(
                over("greedy", "large_head_refused") > 20,
                proxy.metrics("over_share").toString());
        quietIsServed();
        Socket quiet = connect(QUIET);
        for (int i = 0; i < 3; i++) {
            send(quiet, large + "\r\n\r\n");
            assertTrue(Origin.readHead(quiet.getInputStream()).startsWith("HTTP/1.1 200 "));
            assertEquals("ok", new String(quiet.getInputStream().readNBytes(2), StandardCharsets.ISO_8859_1));
        }
        assertEquals(0, over("quiet", "large"), proxy.metrics("over_share").toString());
    }

    @Test
    void largeHeadsOfStreamsAreBounded() throws Exception {
        String[] fields = new String[2 * 50];
        for (int i = 0; i < fields.length; i += 2) {
            fields[i] = "x-" + i;
            fields[i + 1] = "y".repeat(110);
        }
        List<H2Frames> clients = new ArrayList<>();
        for (int c = 0; c < 3; c++) {
            H2Frames client = new H2Frames(proxy.port);
            clients.add(client);
            for (int stream = 1; stream < 180; stream += 2) {
                // A body that does not come: the request stays under way.
                client.post(stream, fields);
            }
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (proxy.sum("tulle_proxy_over_share_total", "large_head_refused") < 20 && System.nanoTime() < end) {
            Thread.sleep(20);
        }
        assertTrue(
                proxy.sum("tulle_proxy_over_share_total", "large_head_refused") >= 20,
                proxy.metrics("stalled").toString());
        quietIsServed();
        for (H2Frames client : clients) {
            client.close();
        }
        while (proxy.sum("tulle_proxy_stalled_bytes") > 0) {
            assertTrue(System.nanoTime() < end, proxy.metrics("stalled").toString());
            Thread.sleep(20);
        }
    }

    @Test
    void aConnectionFullOfRequestsTakesTurnsWithOthers() throws Exception {
        AtomicBoolean ends = new AtomicBoolean();
        String many = "GET /direct HTTP/1.1\r\nHost: web\r\n\r\n".repeat(1_500);
        for (int i = 0; i < 8; i++) {
            Socket socket = connect(GREEDY);
            Thread.ofPlatform().daemon().start(() -> {
                byte[] answers = new byte[1 << 16];
                try {
                    while (!ends.get()) {
                        send(socket, many);
                        int left = 1_500;
                        while (left > 0) {
                            int n = socket.getInputStream().read(answers);
                            String text = new String(answers, 0, n, StandardCharsets.ISO_8859_1);
                            // Roughly: a word may be cut in two.
                            left -= text.split("short", -1).length;
                        }
                    }
                } catch (IOException | StringIndexOutOfBoundsException e) {
                    // The test is over.
                    assertTrue(socket.isBound());
                }
            });
        }
        quietIsServed();
        ends.set(true);
        assertTrue(proxy.sum("istio_requests_total", "response_code=\"418\"") > 0);
    }

    @Test
    void linesOfTheAccessLogAreShared() throws Exception {
        Socket greedy = connect(GREEDY);
        for (int i = 0; i < 200; i++) {
            send(greedy, "GET /direct HTTP/1.1\r\nHost: web\r\n\r\n");
            Origin.readHead(greedy.getInputStream());
            greedy.getInputStream().readNBytes("short".length());
        }
        quietIsServed();
        assertTrue(
                over("greedy", "log_line_dropped") > 50,
                proxy.metrics("over_share").toString());
        assertEquals(0, over("quiet", "connection"), proxy.metrics("over_share").toString());
        Path log = directory.resolve("access.log");
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (System.nanoTime() < end && Files.readString(log).split("GET /quiet", -1).length < 41) {
            Thread.sleep(20);
        }
        assertEquals(41, Files.readString(log).split("GET /quiet", -1).length);
    }
}
