package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import java.io.ByteArrayOutputStream;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A body in pieces of a byte each costs hundreds of times its bytes while it waits: that is counted, and bounded. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class TinyPiecesTest {
    private static final int STREAMS = 2;

    /** On each; fewer than a stream's window. */
    private static final int PIECES = 40_000;

    /** SETTINGS_INITIAL_WINDOW_SIZE: a server that reads no bodies. */
    private static final byte[] NO_WINDOW = {0, 4, 0, 0, 0, 0};

    private static final long BOUND = 16 << 20;

    private static long heap() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    private static byte[] pieces(int stream) {
        byte[] piece = H2Frames.of(H2Frames.DATA, 0, stream, new byte[1]);
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (int i = 0; i < PIECES; i++) {
            all.writeBytes(piece);
        }
        return all.toByteArray();
    }

    @Test
    void whatTheyCostIsBounded() throws Exception {
        CountDownLatch begun = new CountDownLatch(STREAMS);
        try (H2Server server = new H2Server(NO_WINDOW, (frames, number) -> {
                    while (true) {
                        if (frames.nextOfStreams().type() == H2Frames.HEADERS) {
                            begun.countDown();
                        }
                    }
                });
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .protocol(Cluster.Protocol.HTTP2)
                        .subset("", server.port())
                        .build());
                H2Frames client = new H2Frames(proxy.port)) {
            for (int i = 0; i < STREAMS; i++) {
                client.post(1 + 2 * i);
            }
            assertTrue(begun.await(10, TimeUnit.SECONDS));
            long before = heap();
            for (int i = 0; i < STREAMS; i++) {
                client.send(pieces(1 + 2 * i)).frame(H2Frames.PING, 0, 0, new byte[8]);
                // The answer comes when all before it was read.
                assertEquals(
                        H2Frames.PING, client.until(H2Frames.PING).getLast().type());
            }
            long more = heap() - before;
            assertTrue(more < BOUND, more + " bytes for " + STREAMS * PIECES);
            assertEquals(1, server.connections.get());
        }
    }
}
