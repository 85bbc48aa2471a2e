package dev.tulle.proxy.http2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.proxy.loop.ByteSink;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Frames as they come to the channel. */
class BatchedFramesTest {
    private static final int FRAME = 9;
    private static final int DATA = 0;
    private static final int HEADERS = 1;
    private static final int RST_STREAM = 3;
    private static final int WINDOW_UPDATE = 8;
    private static final int CONTINUATION = 9;

    private final EmbeddedChannel channel = new EmbeddedChannel(new ChannelInboundHandlerAdapter());
    private final ChannelHandlerContext context = channel.pipeline().firstContext();
    private final BatchedFrames frames = new BatchedFrames();

    @AfterEach
    void end() {
        frames.close();
        assertFalse(channel.finish());
    }

    private record Frame(int type, int flags, int stream, int length) {}

    /** The frames in one piece that was written. */
    private static List<Frame> in(@Nullable ByteBuf piece) {
        List<Frame> all = new ArrayList<>();
        if (piece != null) {
            while (piece.isReadable()) {
                int length = piece.readUnsignedMedium();
                all.add(new Frame(piece.readByte(), piece.readByte(), piece.readInt(), length));
                piece.skipBytes(Math.min(length, piece.readableBytes()));
            }
            piece.release();
        }
        return all;
    }

    private void head(int stream, String value, @Nullable ChannelPromise end) {
        FieldBlock block = new FieldBlock(new ByteSink()).name("x").value(value);
        frames.writeHead(context, stream, block.array(), block.start(), block.end(), end);
    }

    private ChannelPromise data(int stream, int length, boolean ends) {
        ChannelPromise sent = context.newPromise();
        var _ = frames.writeData(context, stream, Unpooled.wrappedBuffer(new byte[length]), 0, ends, sent);
        return sent;
    }

    @Test
    void whatIsSmallIsOnePiece() {
        head(1, "a", null);
        ChannelPromise sent = data(1, 100, true);
        ChannelPromise end = context.newPromise();
        head(3, "b", end);
        var _ = frames.writeWindowUpdate(context, 0, 7, context.newPromise());
        assertNull(channel.readOutbound());
        frames.passOn();
        assertFalse(sent.isDone());
        channel.flush();
        assertTrue(sent.isSuccess() && end.isSuccess());
        // The first head begins with the size of the table.
        assertEquals(
                List.of(
                        new Frame(HEADERS, 4, 1, 6),
                        new Frame(DATA, 1, 1, 100),
                        new Frame(HEADERS, 5, 3, 5),
                        new Frame(WINDOW_UPDATE, 0, 0, 4)),
                in(channel.readOutbound()));
        assertNull(channel.readOutbound());
    }

    @Test
    void anEndIsSaidInTheLastFrameOfTheBody() {
        var _ = data(1, 10, false);
        ChannelPromise end = data(1, 0, true);
        var _ = data(3, 20, false);
        head(5, "a", null);
        var _ = data(3, 0, true);
        frames.passOn();
        channel.flush();
        assertTrue(end.isSuccess());
        assertEquals(
                List.of(
                        new Frame(DATA, 1, 1, 10),
                        new Frame(DATA, 0, 3, 20),
                        new Frame(HEADERS, 4, 5, 6),
                        new Frame(DATA, 1, 3, 0)),
                in(channel.readOutbound()));
    }

    @Test
    void whatIsLargeIsNotCopied() {
        ChannelPromise sent = data(1, 40_000, true);
        channel.flush();
        assertTrue(sent.isSuccess());
        List<Frame> all = new ArrayList<>();
        List<Integer> bodies = new ArrayList<>();
        for (ByteBuf piece = channel.readOutbound(); piece != null; piece = channel.readOutbound()) {
            if (piece.readableBytes() == FRAME) {
                all.addAll(in(piece));
            } else {
                bodies.add(piece.readableBytes());
                piece.release();
            }
        }
        assertEquals(
                List.of(new Frame(DATA, 0, 1, 16_384), new Frame(DATA, 0, 1, 16_384), new Frame(DATA, 1, 1, 7_232)),
                all);
        assertEquals(List.of(16_384, 16_384, 7_232), bodies);
    }

    @Test
    void aLargeHeadGoesOn() {
        head(1, "v".repeat(40_000), context.newPromise());
        frames.passOn();
        channel.flush();
        List<Frame> all = new ArrayList<>();
        for (ByteBuf piece = channel.readOutbound(); piece != null; piece = channel.readOutbound()) {
            all.addAll(in(piece));
        }
        assertEquals(
                List.of(
                        new Frame(HEADERS, 1, 1, 16_384),
                        new Frame(CONTINUATION, 0, 1, 16_384),
                        new Frame(CONTINUATION, 4, 1, 40_008 - 2 * 16_384)),
                all);
    }

    @Test
    void whatIsNoMessageComesAfterWhatWasBefore() {
        ChannelPromise sent = data(1, 10, false);
        var _ = frames.writeRstStream(context, 1, 8, context.newPromise());
        channel.flush();
        assertTrue(sent.isSuccess());
        assertEquals(List.of(new Frame(DATA, 0, 1, 10)), in(channel.readOutbound()));
        assertEquals(List.of(new Frame(RST_STREAM, 0, 1, 4)), in(channel.readOutbound()));
    }

    @Test
    void whatWasNotPassedOnIsLostWithTheConnection() {
        ChannelPromise sent = data(1, 10, true);
        frames.close();
        assertTrue(sent.isDone() && !sent.isSuccess());
        frames.passOn();
        assertNull(channel.readOutbound());
    }
}
