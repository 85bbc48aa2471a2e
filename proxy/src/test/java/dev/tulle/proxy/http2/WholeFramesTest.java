package dev.tulle.proxy.http2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WholeFramesTest {
    private static final int PREFACE = 24;

    /** What came out, and what was told. */
    private static final class Out extends WholeFrames {
        final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        final List<Integer> lengths = new ArrayList<>();
        final List<Integer> ends = new ArrayList<>();
        int most = Integer.MAX_VALUE;

        Out(int preface) {
            super(preface);
        }

        @Override
        protected boolean begins(int type, int flags, int length) {
            lengths.add(length);
            return lengths.size() <= most;
        }

        @Override
        protected void whole(ByteBuf frames) {
            bytes.writeBytes(ByteBufUtil.getBytes(frames));
            ends.add(bytes.size());
            frames.release();
        }

        boolean take(byte[] all, int from, int to) throws Exception {
            ByteBuf in = Unpooled.buffer(to - from).writeBytes(all, from, to - from);
            boolean goesOn = read(UnpooledByteBufAllocator.DEFAULT, in);
            assertEquals(0, in.refCnt());
            return goesOn;
        }
    }

    private static byte[] frames(int preface, int type, int... lengths) {
        ByteBuf all = Unpooled.buffer();
        // As far as it is one, it has to be that of RFC 9113.
        all.writeCharSequence("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".substring(0, preface), StandardCharsets.US_ASCII);
        for (int length : lengths) {
            all.writeMedium(length).writeByte(type).writeByte(0).writeInt(1).writeBytes(new byte[length]);
        }
        return ByteBufUtil.getBytes(all);
    }

    /** Wherever it is cut, what comes out is what came, in whole frames, and each was told of once. */
    @Test
    void whereItIsCutDoesNotMatter() throws Exception {
        Random random = new Random(7);
        int[] lengths = {0, 5, 0, 300, 16384, 1, 0, 77};
        for (int preface : new int[] {0, PREFACE}) {
            byte[] all = frames(preface, WholeFrames.DATA, lengths);
            List<Integer> borders = new ArrayList<>(List.of(0, preface));
            Arrays.stream(lengths).forEach(length -> borders.add(borders.getLast() + 9 + length));
            for (int round = 0; round < 300; round++) {
                Out out = new Out(preface);
                int longest = 1 + random.nextInt(round % 2 == 0 ? 12 : 9_000);
                for (int at = 0; at < all.length; ) {
                    int to = Math.min(at + 1 + random.nextInt(longest), all.length);
                    assertTrue(out.take(all, at, to));
                    at = to;
                    assertEquals(at, out.bytes.size() + out.waiting());
                }
                assertArrayEquals(all, out.bytes.toByteArray());
                assertEquals(Arrays.stream(lengths).boxed().toList(), out.lengths);
                assertTrue(borders.containsAll(out.ends), out.ends::toString);
            }
        }
    }

    @Test
    void oneTooManyEndsIt() throws Exception {
        byte[] all = frames(0, WholeFrames.DATA, 3, 3, 3, 3);
        Out out = new Out(0);
        out.most = 2;
        assertFalse(out.take(all, 0, all.length));
        assertTrue(out.take(all, 0, all.length), "it is told once");
        assertEquals(3, out.lengths.size());
        assertEquals(0, out.bytes.size() + out.waiting());
        Out cut = new Out(0);
        cut.most = 2;
        assertTrue(cut.take(all, 0, 30));
        assertFalse(cut.take(all, 30, all.length));
        assertEquals(24, cut.bytes.size());
    }

    /** Its reader refuses it by its head: nothing of it waits here. */
    @Test
    void oneThatIsTooLongIsPassedOn() throws Exception {
        byte[] all = frames(0, WholeFrames.DATA, 5, 1 << 20);
        Out out = new Out(0);
        assertTrue(out.take(all, 0, 20));
        assertTrue(out.take(all, 20, 24));
        assertTrue(out.take(all, 24, 4_000));
        assertEquals(4_000, out.bytes.size());
    }

    @Test
    void itIsKnownWhatWaits() throws Exception {
        Out out = new Out(PREFACE);
        byte[] all = frames(PREFACE, WholeFrames.DATA, 100);
        assertFalse(out.isAmidHead());
        out.take(all, 0, 10);
        assertTrue(out.isAmidHead());
        out.take(all, 10, PREFACE);
        assertFalse(out.isAmidHead());
        out.take(all, PREFACE, PREFACE + 5);
        assertTrue(out.isAmidHead());
        out.take(all, PREFACE + 5, PREFACE + 50);
        assertFalse(out.isAmidHead(), "a piece of a body may take its time");
        assertEquals(50, out.waiting());
        out.release();
        assertEquals(0, out.waiting());
        Out head = new Out(0);
        head.take(frames(0, WholeFrames.HEADERS, 100), 0, 50);
        assertTrue(head.isAmidHead());
        head.release();
    }
}
