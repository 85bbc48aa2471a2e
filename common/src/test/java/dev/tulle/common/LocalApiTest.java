package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Proves that lines of any size and alphabet travel both ways, and that a live socket is never taken over. */
class LocalApiTest {
    @TempDir
    Path dir;

    @Test
    void answersEachLineInOrder() throws IOException {
        Path socket = dir.resolve("sub/api.sock");
        try (LocalApiServer server = LocalApiServer.start(socket, (line, replies) -> {
                    replies.send(line + "!");
                    replies.send("end");
                });
                LocalApiClient client = LocalApiClient.connect(socket)) {
            String big = "ü".repeat(300_000);
            assertEquals("a!", client.call("a"));
            assertEquals("end", client.receive());
            assertEquals(big + "!", client.call(big));
            assertEquals("end", client.receive());
            assertEquals(
                    "rw-------",
                    java.nio.file.attribute.PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
            assertThrows(IllegalArgumentException.class, () -> client.send("a\nb"));
        }
        assertFalse(Files.exists(socket));
    }

    @Test
    void tellsWhetherTheOwnerAsks() throws IOException {
        Path socket = dir.resolve("owner.sock");
        try (LocalApiServer _ = LocalApiServer.start(
                        socket, (line, replies) -> replies.send(Boolean.toString(replies.areForOwner())));
                LocalApiClient client = LocalApiClient.connect(socket)) {
            assertEquals("true", client.call("?"));
        }
    }

    @Test
    void refusesALiveSocketAndReplacesAStaleOne() throws IOException {
        Path socket = dir.resolve("api.sock");
        try (LocalApiServer server = LocalApiServer.start(socket, (line, replies) -> {})) {
            assertTrue(LocalApiClient.answers(socket));
            assertThrows(IOException.class, () -> LocalApiServer.start(socket, (line, replies) -> {})
                    .close());
        }
        Files.createFile(socket);
        try (LocalApiServer server = LocalApiServer.start(socket, (line, replies) -> {})) {
            assertTrue(LocalApiClient.answers(socket));
        }
    }

    @Test
    void halfALineKeepsNobodyWaitingAndIsClosed() throws Exception {
        Path socket = dir.resolve("api.sock");
        LocalRefusals refusals = new LocalRefusals();
        try (LocalApiServer _ = LocalApiServer.start(
                        socket,
                        SocketAccess.owner(),
                        refusals,
                        (line, replies) -> replies.send(line),
                        Duration.ofMillis(300));
                SocketChannel half = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            half.write(ByteBuffer.wrap("{\"method\"".getBytes(StandardCharsets.UTF_8)));
            try (LocalApiClient idle = LocalApiClient.connect(socket)) {
                assertEquals("a", idle.call("a"));
                assertEquals(-1, half.read(ByteBuffer.allocate(16)), "closed");
                assertEquals(
                        "a line took more than 300 ms",
                        refusals.all().getFirst().why());
                assertEquals("b", idle.call("b"), "who says nothing is left alone");
            }
        }
    }

    @Test
    void aFailedRequestIsOneShortLineAndOthersGoOn() throws Exception {
        Path socket = dir.resolve("api.sock");
        LocalRefusals refusals = new LocalRefusals();
        LocalApiServer.Handler handler = (line, replies) -> {
            if (line.startsWith("bad")) {
                throw new IllegalArgumentException(line);
            }
            replies.send(line);
        };
        try (LocalApiServer _ = LocalApiServer.start(socket, SocketAccess.owner(), refusals, handler)) {
            for (int i = 0; i < 100; i++) {
                try (LocalApiClient client = LocalApiClient.connect(socket)) {
                    client.send("bad\r" + "x".repeat(1_000));
                    assertNull(client.receive());
                }
            }
            // The client sees the end of its connection before the server has counted.
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
            while (refusals.total() < 100 && System.nanoTime() < end) {
                Thread.sleep(5);
            }
            assertEquals(100, refusals.total());
            LocalRefusals.Refusal one = refusals.all().getFirst();
            assertEquals(100, one.count());
            assertTrue(one.why().length() < 300 && !one.why().contains("\r"), one.why());
            try (LocalApiClient client = LocalApiClient.connect(socket)) {
                assertEquals("good", client.call("good"));
            }
        }
    }

    @Test
    void connectionsBeyondTheBoundAreClosedAndCounted() throws Exception {
        Path socket = dir.resolve("api.sock");
        LocalRefusals refusals = new LocalRefusals();
        List<LocalApiClient> clients = new ArrayList<>();
        try (LocalApiServer _ =
                LocalApiServer.start(socket, SocketAccess.owner(), refusals, (line, replies) -> replies.send(line))) {
            for (int i = 0; i < LocalApiServer.MAX_CONNECTIONS; i++) {
                LocalApiClient client = LocalApiClient.connect(socket);
                assertEquals("a", client.call("a"));
                clients.add(client);
            }
            try (LocalApiClient more = LocalApiClient.connect(socket)) {
                assertNull(more.receive());
            }
            assertEquals(1, refusals.total());
            assertEquals("b", clients.getFirst().call("b"));
        } finally {
            for (LocalApiClient client : clients) {
                client.close();
            }
        }
    }
}
