package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
}
