package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.proxy.share.Budget;
import io.netty.buffer.PooledByteBufAllocator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Clients of HTTP/2 that send much that carries nothing, or little that is never whole. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class H2FloodsTest {
    private static final int ENHANCE_YOUR_CALM = 11;

    /** Frames at once, several times as many as anybody may send. */
    private static final int MANY = 5_000;

    @TempDir
    private Path directory = Path.of("");

    /** What is sent again and again, on a connection whose stream 1 was answered and whose stream 3 is open. */
    enum Flood {
        PING(6, 0, 0, "\0\0\0\0\0\0\0\0"),
        PING_ANSWERS(6, 1, 0, "\0\0\0\0\0\0\0\0"),
        SETTINGS(4, 0, 0, ""),
        SETTINGS_THAT_CHANGE_ALL(4, 0, 0, "\0\4\0\0d\0"),
        PRIORITY(2, 0, 3, "\0\0\0\1\0"),
        PRIORITY_OF_NOBODY(2, 0, 9, "\0\0\0\3\0"),
        WINDOW_UPDATE(8, 0, 0, "\0\0\0\1"),
        WINDOW_UPDATE_OF_WHAT_IS_OVER(8, 0, 1, "\0\0\0\1"),
        RESET_OF_WHAT_IS_OVER(3, 0, 1, "\0\0\0\10"),
        NO_KIND(0xbb, 0, 3, ""),
        NOTHING(0, 0, 3, "");

        private final int type;
        private final int flags;
        private final int stream;
        private final String payload;

        Flood(int type, int flags, int stream, String payload) {
            this.type = type;
            this.flags = flags;
            this.stream = stream;
            this.payload = payload;
        }

        byte[] times(int many) {
            byte[] frame = H2Frames.of(type, flags, stream, payload.getBytes(StandardCharsets.ISO_8859_1));
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            for (int i = 0; i < many; i++) {
                all.writeBytes(frame);
            }
            return all.toByteArray();
        }
    }

    private static boolean isSentAway(H2Frames client) throws IOException {
        try {
            H2Frames.Frame last = client.until(H2Frames.GOAWAY).getLast();
            return last.type() == H2Frames.GOAWAY && last.code() == ENHANCE_YOUR_CALM;
        } catch (java.net.SocketException e) {
            // Closed with bytes of the flood unread, before its last word came.
            return true;
        }
    }

    @ParameterizedTest
    @EnumSource(Flood.class)
    void endsTheConnectionAndNobodyElses(Flood flood) throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port);
                H2Frames other = new H2Frames(proxy.port)) {
            client.get(1).until(H2Frames.DATA);
            client.post(3);
            other.get(1).until(H2Frames.DATA);
            try {
                client.send(flood.times(MANY));
            } catch (UncheckedIOException e) {
                assertTrue(e.getMessage() != null, "sent away in the middle of it");
            }
            assertTrue(isSentAway(client));
            assertEquals(
                    H2Frames.DATA, other.get(3).until(H2Frames.DATA).getLast().type());
        }
    }

    /** As many as a program that measures and opens windows sends with what it reads. */
    @Test
    void whoReadsMayAskForEachPiece() throws Exception {
        String body = "x".repeat(16_000);
        try (Origin origin = Origin.answering(body);
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port)) {
            byte[] more = H2Frames.of(H2Frames.WINDOW_UPDATE, 0, 0, new byte[] {0, 0, 62, (byte) 128});
            byte[] pings = Flood.PING.times(60);
            for (int i = 0; i < 60; i++) {
                client.get(1 + 2 * i);
                int read = 0;
                while (read < body.length()) {
                    read += client.until(H2Frames.DATA).getLast().length();
                }
                client.send(more).send(pings);
            }
        }
    }

    /** A client that reads none of the answers to what it sends is not waited for. */
    @Test
    void whoDoesNotReadTheLastWordIsClosedAllTheSame() throws Exception {
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.get(1).until(H2Frames.DATA);
            client.send(Flood.PING.times(900));
            client.send(Flood.SETTINGS.times(MANY));
            await(() -> proxy.sum("tulle_proxy_connections ") == 0);
        }
    }

    private static void await(BooleanSupplier what) throws InterruptedException {
        while (!what.getAsBoolean()) {
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    /** What begins and does not go on costs its bytes, and not the buffer that it was read into. */
    @ParameterizedTest
    @EnumSource(Beginning.class)
    void beginningsAreSmall(Beginning beginning) throws Exception {
        List<RawClient> all = new ArrayList<>();
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build())) {
            long before = PooledByteBufAllocator.DEFAULT.metric().usedDirectMemory();
            for (int i = 0; i < 800; i++) {
                RawClient client = new RawClient(proxy.port);
                all.add(client);
                client.send(beginning.bytes);
            }
            await(() -> proxy.sum("tulle_proxy_connections ") == all.size());
            // The last of them was read: it was accepted last.
            RawClient.get(proxy.port, "/");
            long more = PooledByteBufAllocator.DEFAULT.metric().usedDirectMemory() - before;
            assertTrue(more <= 8 << 20, () -> more + " bytes more");
        } finally {
            for (RawClient client : all) {
                client.close();
            }
        }
    }

    /** What a connection can begin with and stop. */
    enum Beginning {
        A_PREFACE("PRI * HTTP/2.0\r\n"),
        MOST_OF_A_PREFACE("PRI * HTTP/2.0\r\n\r\nSM"),
        A_FRAME("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0"),
        A_BODY("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\40\0\0\0\0\0\0\1x"),
        A_HEAD("GET / HTTP/1.1\r\nHost: w"),
        A_CHUNK("POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");

        private final String bytes;

        Beginning(String bytes) {
            this.bytes = bytes;
        }
    }

    /** Heads that go on and on, and pieces that wait for their end, count as their client's like any other head. */
    @Test
    void whatIsNeverWholeHasItsClientsShare() throws Exception {
        List<H2Frames> all = new ArrayList<>();
        try (Origin origin = Origin.answering("hello");
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().subset("", origin.port()).build(),
                        directory.resolve("node.sock"),
                        "",
                        new Budget(200, 16, 1 << 20, 64 << 10, 50, 50))) {
            byte[] block = new byte[16_000];
            for (int i = 0; i < 100; i++) {
                H2Frames client = new H2Frames(proxy.port);
                all.add(client);
                client.frame(H2Frames.HEADERS, 0, 1, block);
            }
            await(() -> proxy.sum("tulle_proxy_over_share_total", "large_head_refused") > 0);
            assertTrue(proxy.sum("tulle_proxy_stalled_bytes") <= 1 << 20);
            assertEquals(200, RawClient.get(proxy.port, "/").code());
        } finally {
            for (H2Frames client : all) {
                client.close();
            }
        }
    }
}
