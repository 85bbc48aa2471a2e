package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Requests and bytes from one node to another, through both proxies. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HboneTest {
    /** Set by JUnit. */
    @TempDir
    private Path directory = Path.of("");

    private static Origin web(String text) throws IOException {
        return Origin.at(TunnelNodes.WEB, 0, Origin.answer(text));
    }

    @Test
    void aRequestGoesToAnotherNode() throws Exception {
        try (Origin web = web("from afar");
                TunnelNodes nodes =
                        new TunnelNodes(directory, web.port(), Meshes.mesh().subset("", web.port()))) {
            RawClient.Response answer = RawClient.get(nodes.port, "/");
            assertEquals(200, answer.code(), answer::toString);
            assertEquals("from afar", answer.body());
        }
    }
}
