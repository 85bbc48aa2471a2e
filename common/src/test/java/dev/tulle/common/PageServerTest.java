package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Pages are served to everybody, whatever some clients do. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class PageServerTest {
    private static final PageServer.Limits LIMITS = new PageServer.Limits(
            16,
            Duration.ofMillis(1_500),
            Duration.ofSeconds(3),
            Duration.ofSeconds(3),
            Duration.ofMillis(300),
            4 << 20);
    private static final String LARGE = "x".repeat(2 << 20);

    private final CountDownLatch hangs = new CountDownLatch(1);
    private final AtomicInteger made = new AtomicInteger();
    private PageServer server;
    private int port;

    @BeforeEach
    void start() throws IOException {
        server = PageServer.start("pages", LIMITS);
        port = server.listen(
                InetAddress.getLoopbackAddress(),
                0,
                Map.of(
                        "/small", () -> Page.Answer.text("small"),
                        "/large", () -> Page.Answer.text(LARGE),
                        "/slow", this::slow,
                        "/hangs", this::hang,
                        "/fails",
                                () -> {
                                    throw new IOException("no such thing");
                                }));
    }

    private Page.Answer slow() throws InterruptedException {
        Thread.sleep(100);
        return Page.Answer.text("made " + made.incrementAndGet());
    }

    private Page.Answer hang() throws InterruptedException {
        hangs.await();
        return Page.Answer.text("too late");
    }

    @AfterEach
    void stop() {
        hangs.countDown();
        server.close();
    }

    private Socket connect() throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(10_000);
        return socket;
    }

    private static Socket send(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
        return socket;
    }

    private static String rest(Socket socket) throws IOException {
        return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
    }

    private String get(String path) throws IOException {
        try (Socket socket = connect()) {
            return rest(send(socket, "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        }
    }

    @Test
    void answers() throws Exception {
        assertEquals(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n"
                        + "Connection: close\r\n\r\nsmall",
                get("/small?query"));
        assertTrue(get("/large").endsWith("\r\n\r\n" + LARGE));
        assertTrue(get("/other").startsWith("HTTP/1.1 404 "));
        assertTrue(get("/fails").matches("(?s)HTTP/1.1 503 .*/fails: no such thing\n"), get("/fails"));
        try (Socket socket = connect()) {
            // One after the other on one connection, two of them at once.
            String one = "GET /small HTTP/1.1\r\nHost: x\r\n\r\n";
            send(socket, one + one);
            send(socket, "HEAD /small HTTP/1.1\r\n\r\nPOST /small HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
            String all = rest(socket);
            assertEquals(4, all.split("HTTP/1.1 ", -1).length - 1, all);
            assertEquals(2, all.split("small", -1).length - 1, all);
            assertTrue(all.contains("HTTP/1.1 405 "), all);
        }
        for (String bad : List.of("\r\n\r\n", "GET\r\n\r\n", "GET x HTTP/1.1\r\n\r\n", "GET / SPDY/1\r\n\r\n")) {
            try (Socket socket = connect()) {
                assertTrue(rest(send(socket, bad)).startsWith("HTTP/1.1 400 "), bad);
            }
        }
        try (Socket socket = connect()) {
            String answer = rest(send(socket, "GET /small HTTP/1.1\r\nX: " + "y".repeat(PageConnection.MAX_HEAD - 24)));
            assertTrue(answer.startsWith("HTTP/1.1 431 "), answer);
        }
    }

    @Test
    void unfinishedRequestsAndReadersThatDoNotReadKeepNobodyOut() throws Exception {
        List<Socket> open = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            open.add(send(connect(), i % 3 == 0 ? "" : i % 3 == 1 ? "GET /small" : "GET /large HTTP/1.1\r\n\r\n"));
            if (i % 10 == 9) {
                long start = System.nanoTime();
                assertTrue(get("/small").endsWith("small"));
                long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
                assertTrue(millis < 1_000, "took " + millis + " ms");
            }
        }
        assertTrue(server.evicted() >= 84, "evicted " + server.evicted());
        for (Socket socket : open) {
            socket.close();
        }
    }

    @Test
    void whoIsTooSlowIsTold() throws Exception {
        try (Socket socket = send(connect(), "GET /sm")) {
            assertTrue(rest(socket).startsWith("HTTP/1.1 408 "));
        }
        try (Socket silent = connect()) {
            assertEquals("", rest(silent));
        }
    }

    @Test
    void aPageThatHangsIsSaidToAndOthersAreServed() throws Exception {
        for (int i = 0; i < 3; i++) {
            assertTrue(get("/hangs").matches("(?s)HTTP/1.1 503 .*was not made within 300 ms.*"));
        }
        assertTrue(get("/small").endsWith("small"));
        assertEquals(
                1,
                Thread.getAllStackTraces().keySet().stream()
                        .filter(thread -> thread.getName().equals("pages"))
                        .count());
    }

    @Test
    void onePageIsMadeForAllWhoWait() throws Exception {
        List<Socket> open = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            open.add(send(connect(), "GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n"));
        }
        for (Socket socket : open) {
            try (InputStream in = socket.getInputStream()) {
                assertTrue(new String(in.readAllBytes(), StandardCharsets.ISO_8859_1).contains("made "));
            }
        }
        // The first alone, the others together or, at worst, in two groups.
        assertTrue(made.get() <= 3, "made " + made.get() + " times");
    }
}
