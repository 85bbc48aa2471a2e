package dev.tulle.proxy.body;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;

/** Passes bodies through changes, piece by piece, and knows what memory they keep. */
abstract class Piped {
    final UnpooledByteBufAllocator memory = new UnpooledByteBufAllocator(true);
    final ByteArrayOutputStream out = new ByteArrayOutputStream();
    int largest;

    void give(ByteBuf piece) {
        largest = Math.max(largest, piece.readableBytes());
        byte[] bytes = new byte[piece.readableBytes()];
        piece.readBytes(bytes);
        piece.release();
        out.writeBytes(bytes);
    }

    BodyPipe pipe(BodyChange... changes) {
        return new BodyPipe(List.of(changes));
    }

    void pass(BodyPipe pipe, byte[] body, int from, int to) {
        assertTrue(pipe.isEmpty());
        pipe.take(memory.directBuffer(to - from).writeBytes(body, from, to - from));
        pipe.drain(this::give);
    }

    byte[] end(BodyPipe pipe, String trailers) {
        pipe.end(bytes(trailers));
        pipe.drain(this::give);
        assertTrue(pipe.isOver());
        byte[] after = pipe.trailers();
        pipe.close();
        assertNull(pipe.next());
        assertEquals(0, memory.metric().usedDirectMemory(), "all is given back");
        return after;
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** Text that repeats itself, then what nobody can compress. */
    static byte[] body(int size, long seed) {
        byte[] all = new byte[size];
        Random random = new Random(seed);
        for (int i = 0; i < size; i++) {
            all[i] = i < size / 2 ? (byte) ('a' + random.nextInt(3)) : (byte) random.nextInt(256);
        }
        return all;
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }
}
