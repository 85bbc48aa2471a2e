package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Coding;
import dev.tulle.model.Compression;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Route;
import dev.tulle.model.RouteMatch;
import dev.tulle.proxy.body.Decoding;
import io.netty.buffer.PooledByteBufAllocator;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Goal: what is compressed waits for its reader as every other body. Method: a body that cannot be compressed, of which
 * nothing is read until nothing more can be sent.
 */
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class CompressedFlowTest {
    /** {@code -Dtulle.conversion.megabytes=1024} is the long form, as for bodies that are not compressed. */
    private static final long LARGE = Long.getLong("tulle.conversion.megabytes", 24) << 20;

    private static final long BOUND = 1 << 20;
    private static final int PIECE = 64 << 10;
    private static final byte[] CHANCE = new byte[8 << 20];

    static {
        new Random(11).nextBytes(CHANCE);
    }

    static Stream<Arguments> cases() {
        return Arrays.stream(Coding.values())
                .flatMap(coding -> Stream.of(Arguments.of(coding, false), Arguments.of(coding, true)));
    }

    /** What it repeats came so long ago that none of the codings looks back to it. */
    private static byte[] piece(long number) {
        int from = (int) (number * PIECE % CHANCE.length);
        return Arrays.copyOfRange(CHANCE, from, from + PIECE);
    }

    private static final class Body extends InputStream {
        private final WireEnd from;
        private byte[] piece = {};
        private int at;

        Body(WireEnd from) {
            this.from = from;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            while (at == piece.length) {
                byte[] next = from.read();
                if (next == null) {
                    return -1;
                }
                piece = next;
                at = 0;
            }
            int n = Math.min(length, piece.length - at);
            System.arraycopy(piece, at, into, offset, n);
            at += n;
            return n;
        }
    }

    @ParameterizedTest(name = "{0}, client of HTTP/2: {1}")
    @MethodSource("cases")
    void aReaderThatStandsStillHoldsTheServerBack(Coding coding, boolean http2) throws Exception {
        AtomicLong sent = new AtomicLong();
        Origin.Script script = (request, out, socket) -> {
            out.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            for (long number = 0; sent.get() < LARGE; number++) {
                out.write(piece(number));
                sent.addAndGet(PIECE);
            }
            return false;
        };
        Route route = new Route(
                "r",
                RouteMatch.ANY,
                Meshes.forward("r", RouteMatch.ANY, "").action(),
                List.of(new Compression(List.of(coding), Compression.TYPES, 0)),
                HeaderMutation.NONE,
                ResourceRef.DEFAULT);
        try (Origin origin = Origin.start(script);
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().subset("", origin.port()).routes(route).build());
                WireEnd client = http2
                        ? new Http2End(new H2Frames(proxy.port), false)
                        : new Http1End(new Socket(InetAddress.getLoopbackAddress(), proxy.port))) {
            long before = PooledByteBufAllocator.DEFAULT.pinnedDirectMemory();
            client.head("GET", WireEnd.Framing.NONE, 0, "accept-encoding", coding.token());
            assertEquals(coding.token(), client.readHead(false).fields().get("content-encoding"));
            long last = -1;
            long most = 0;
            while (last != sent.get()) {
                last = sent.get();
                Thread.sleep(300);
                most = Math.max(most, PooledByteBufAllocator.DEFAULT.pinnedDirectMemory() - before);
            }
            assertTrue(last < LARGE, "nothing held the server back");
            assertTrue(most <= BOUND, most + " bytes wait in the proxy");
            InputStream body = Decoding.of(coding, new Body(client));
            for (long number = 0; number * PIECE < LARGE; number++) {
                assertArrayEquals(piece(number), body.readNBytes(PIECE));
            }
            assertEquals(-1, body.read());
            assertEquals(LARGE, sent.get());
        }
    }
}
