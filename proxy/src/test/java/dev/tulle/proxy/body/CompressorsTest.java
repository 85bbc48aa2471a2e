package dev.tulle.proxy.body;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Coding;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Goal: whatever pieces a body comes in, its reader gets the same; early enough, in bounded pieces, and nothing is kept. */
class CompressorsTest extends Piped {
    private static final int LARGE = 3 << 20;

    static {
        assertEquals(List.of(Coding.values()), Compressors.available(List.of(Coding.values())));
    }

    private static InputStream decoder(Coding coding, byte[] bytes) throws IOException {
        return Decoding.of(coding, new ByteArrayInputStream(bytes));
    }

    @ParameterizedTest
    @EnumSource
    void everySplitIsReadAsTheSame(Coding coding) throws IOException {
        Random random = new Random(7);
        for (int size : new int[] {0, 1, 2, 1000, 100_000, LARGE}) {
            byte[] body = body(size, size);
            BodyPipe pipe = pipe(Compressors.of(coding, memory));
            int most = size < 100_000 ? 50 : 200_000;
            for (int at = 0; at < size; ) {
                int n = Math.min(size - at, random.nextInt(most) + 1);
                pass(pipe, body, at, at + n);
                at += n;
                if (random.nextInt(4) == 0) {
                    pipe.flush(this::give);
                }
            }
            assertArrayEquals(bytes("x-sum: 1\r\n"), end(pipe, "x-sum: 1\r\n"), "trailers stay");
            assertArrayEquals(body, decoder(coding, out.toByteArray()).readAllBytes(), coding + " of " + size);
            assertTrue(out.size() < size * 3L / 4 + 2000, out.size() + " of " + size);
            assertTrue(largest <= BodyChange.PIECE, "pieces of " + largest);
            out.reset();
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatWasFlushedCanBeReadBeforeTheRestComes(Coding coding) throws IOException {
        BodyPipe pipe = pipe(Compressors.of(coding, memory));
        String told = "";
        for (int i = 0; i < 20; i++) {
            String event = "data: " + i + "\n\n";
            told += event;
            pass(pipe, bytes(event), 0, event.length());
            pipe.flush(this::give);
            byte[] soFar = new byte[told.length()];
            // Not asked for more than there is: a decoder would then find the end missing.
            assertEquals(told.length(), decoder(coding, out.toByteArray()).readNBytes(soFar, 0, soFar.length));
            assertEquals(told, new String(soFar, StandardCharsets.ISO_8859_1));
            int before = out.size();
            pipe.flush(this::give);
            assertEquals(before, out.size(), "nothing new, nothing written");
        }
        end(pipe, "");
    }

    @ParameterizedTest
    @EnumSource
    void oneThatIsGivenUpKeepsNothing(Coding coding) {
        BodyPipe pipe = pipe(Compressors.of(coding, memory));
        pipe.take(memory.directBuffer(LARGE).writeBytes(body(LARGE, 1)));
        ByteBuf first = pipe.next();
        if (first != null) {
            first.release();
        }
        pipe.close();
        assertNull(pipe.next());
        pipe.take(memory.directBuffer(1).writeByte(1));
        assertEquals(0, memory.metric().usedDirectMemory());
    }

    @ParameterizedTest
    @EnumSource
    void memoryOfTheHeapIsTaken(Coding coding) throws IOException {
        BodyPipe pipe = pipe(Compressors.of(coding, memory));
        pipe.take(Unpooled.wrappedBuffer(bytes("from "), bytes("the heap")));
        pipe.drain(this::give);
        end(pipe, "");
        assertEquals("from the heap", text(decoder(coding, out.toByteArray()).readAllBytes()));
    }

    /** 64 MiB through each, with pooled memory as the proxy has it: next to nothing is in use at any time. */
    @ParameterizedTest
    @EnumSource
    void aLongBodyNeedsNoMoreThanAShortOne(Coding coding) {
        PooledByteBufAllocator pool = new PooledByteBufAllocator(true);
        BodyPipe pipe = pipe(Compressors.of(coding, pool));
        byte[] block = body(64 << 10, 5);
        long most = 0;
        for (int i = 0; i < 1024; i++) {
            pipe.take(pool.directBuffer(block.length).writeBytes(block));
            for (ByteBuf piece = pipe.next(); piece != null; piece = pipe.next()) {
                most = Math.max(most, pool.pinnedDirectMemory());
                piece.release();
            }
        }
        pipe.end(new byte[0]);
        pipe.drain(ByteBuf::release);
        pipe.close();
        assertTrue(most <= 512 << 10, most + " bytes");
        assertEquals(0, pool.pinnedDirectMemory());
    }
}
