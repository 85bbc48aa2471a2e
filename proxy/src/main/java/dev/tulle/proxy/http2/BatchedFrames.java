package dev.tulle.proxy.http2;

import dev.tulle.proxy.loop.ByteSink;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.DefaultHttp2FrameWriter;
import io.netty.handler.codec.http2.Http2CodecUtil;
import io.netty.handler.codec.http2.Http2FrameTypes;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Writes the frames of one connection (RFC 9113 section 4.1). Heads, windows and small pieces of bodies are put together in
 * one buffer until {@link #passOn}: what goes to many streams is one piece of memory for one system call, where Netty's own
 * way makes two buffers and two writes of each frame. Large pieces travel as they are. All other frames are passed on at
 * once, with what came before them, as Netty flushes behind its own. Loop-confined.
 */
// A failed write reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class BatchedFrames extends DefaultHttp2FrameWriter {
    private static final int FRAME = Http2CodecUtil.FRAME_HEADER_LENGTH;
    private static final int WINDOW_UPDATE = 4;

    /** Where in a frame what is. */
    private static final int FLAGS = 4;

    private static final int STREAM = 5;

    private static final int END_STREAM = 0x1;
    private static final int END_HEADERS = 0x4;

    /** Pieces of bodies up to this size are copied. */
    private static final int COPIED = 4 << 10;

    /** Says that the table of fields has no room. */
    private static final int NO_TABLE = 0x20;

    private static final int SMALLEST = 512;
    private static final int LARGEST = 16 << 10;

    private List<ChannelPromise> promises = new ArrayList<>();
    private @Nullable ChannelHandlerContext context;
    private @Nullable ByteBuf open;
    private int usual = SMALLEST;
    private boolean begun;
    /** Where in the open buffer the last frame of a body begins; -1 for nowhere. */
    private int body = -1;

    /** A buffer with room for so many bytes: the open one if it has it, else a new one. */
    private ByteBuf room(ChannelHandlerContext to, int bytes) {
        ByteBuf before = open;
        if (before != null) {
            if (before.writableBytes() >= bytes) {
                return before;
            }
            passOn();
            usual = LARGEST;
        }
        ByteBuf made = to.alloc().directBuffer(Math.max(usual, bytes));
        context = to;
        open = made;
        return made;
    }

    /** True when something is put together that was not passed on. */
    boolean isOpen() {
        return open != null;
    }

    /** Gives what is put together to the channel; a flush is to follow. */
    void passOn() {
        ByteBuf full = open;
        ChannelHandlerContext to = context;
        if (full == null || to == null) {
            return;
        }
        open = null;
        body = -1;
        // Not too far from what the next one is going to have.
        usual = Math.clamp(full.readableBytes() * 5L / 4, SMALLEST, LARGEST);
        if (promises.isEmpty()) {
            to.write(full, to.voidPromise());
            return;
        }
        List<ChannelPromise> all = promises;
        promises = new ArrayList<>(all.size());
        to.write(full).addListener(written -> {
            for (ChannelPromise promise : all) {
                if (written.isSuccess()) {
                    promise.trySuccess();
                } else {
                    promise.tryFailure(written.cause());
                }
            }
        });
    }

    /** The promise is kept when what is open is written. */
    private ChannelFuture joins(ChannelPromise promise) {
        if (!promise.isVoid()) {
            promises.add(promise);
        }
        return promise;
    }

    private static void frame(ByteBuf to, int length, byte type, int flags, int id) {
        to.writeMedium(length).writeByte(type).writeByte(flags).writeInt(id);
    }

    /**
     * Writes a head, or trailers.
     *
     * @param end kept when it is written and ends the stream; null when the stream goes on
     */
    void writeHead(ChannelHandlerContext at, int id, byte[] block, int from, int until, @Nullable ChannelPromise end) {
        int length = until - from + (begun ? 0 : 1);
        ByteBuf to = room(at, FRAME + length);
        int flags = end == null ? 0 : END_STREAM;
        if (length <= maxFrameSize()) {
            frame(to, length, Http2FrameTypes.HEADERS, flags | END_HEADERS, id);
            block(to, block, from, until);
        } else {
            ByteBuf whole = at.alloc().heapBuffer(length, length);
            try {
                block(whole, block, from, until);
                continued(at, whole, flags, id);
            } finally {
                whole.release();
            }
        }
        if (end != null) {
            joins(end);
        }
    }

    /** The first one says that there is no table (RFC 7541 section 4.2): whatever the other side sets, it is small enough. */
    private void block(ByteBuf to, byte[] block, int from, int until) {
        if (!begun) {
            begun = true;
            to.writeByte(NO_TABLE);
        }
        to.writeBytes(block, from, until - from);
    }

    /** A head that is too large for one frame goes on in others, with nothing between them. */
    private void continued(ChannelHandlerContext at, ByteBuf head, int first, int id) {
        byte type = Http2FrameTypes.HEADERS;
        int flags = first;
        while (head.isReadable()) {
            int n = Math.min(head.readableBytes(), maxFrameSize());
            boolean ends = n == head.readableBytes();
            ByteBuf to = room(at, FRAME + n);
            frame(to, n, type, ends ? flags | END_HEADERS : flags, id);
            to.writeBytes(head, n);
            type = Http2FrameTypes.CONTINUATION;
            flags = 0;
        }
    }

    /** Netty's own answer to a head that is too large. */
    @Override
    public ChannelFuture writeHeaders(
            ChannelHandlerContext at, int id, Http2Headers fields, int padding, boolean ends, ChannelPromise promise) {
        FieldBlock block = new FieldBlock(new ByteSink());
        fields.forEach(field ->
                block.name(field.getKey().toString()).value(field.getValue().toString()));
        writeHead(at, id, block.array(), block.start(), block.end(), ends ? promise : null);
        return promise;
    }

    @Override
    public ChannelFuture writeData(
            ChannelHandlerContext at, int id, ByteBuf data, int padding, boolean ends, ChannelPromise promise) {
        int length = data.readableBytes();
        if (length == 0 && ends && endsLast(id)) {
            data.release();
            return joins(promise);
        }
        if (length <= COPIED) {
            try {
                ByteBuf to = room(at, FRAME + length);
                body = to.writerIndex();
                frame(to, length, Http2FrameTypes.DATA, ends ? END_STREAM : 0, id);
                to.writeBytes(data);
            } finally {
                data.release();
            }
            return joins(promise);
        }
        while (data.readableBytes() > maxFrameSize()) {
            frame(room(at, FRAME), maxFrameSize(), Http2FrameTypes.DATA, 0, id);
            passOn();
            at.write(data.readRetainedSlice(maxFrameSize()), at.voidPromise());
        }
        frame(room(at, FRAME), data.readableBytes(), Http2FrameTypes.DATA, ends ? END_STREAM : 0, id);
        passOn();
        return at.write(data, promise);
    }

    /** The end of a stream whose body was written last is said there. */
    private boolean endsLast(int id) {
        ByteBuf to = open;
        if (to == null
                || body < 0
                || to.getInt(body + STREAM) != id
                || body + FRAME + to.getUnsignedMedium(body) != to.writerIndex()) {
            return false;
        }
        to.setByte(body + FLAGS, END_STREAM);
        return true;
    }

    @Override
    public ChannelFuture writeWindowUpdate(ChannelHandlerContext at, int id, int increment, ChannelPromise promise) {
        ByteBuf to = room(at, FRAME + WINDOW_UPDATE);
        frame(to, WINDOW_UPDATE, Http2FrameTypes.WINDOW_UPDATE, 0, id);
        to.writeInt(increment);
        return joins(promise);
    }

    @Override
    public ChannelFuture writeRstStream(ChannelHandlerContext at, int id, long code, ChannelPromise promise) {
        passOn();
        return super.writeRstStream(at, id, code, promise);
    }

    @Override
    public ChannelFuture writeSettings(ChannelHandlerContext at, Http2Settings settings, ChannelPromise promise) {
        passOn();
        return super.writeSettings(at, settings, promise);
    }

    @Override
    public ChannelFuture writeSettingsAck(ChannelHandlerContext at, ChannelPromise promise) {
        passOn();
        return super.writeSettingsAck(at, promise);
    }

    @Override
    public ChannelFuture writePing(ChannelHandlerContext at, boolean ack, long data, ChannelPromise promise) {
        passOn();
        return super.writePing(at, ack, data, promise);
    }

    @Override
    public ChannelFuture writeGoAway(
            ChannelHandlerContext at, int last, long code, ByteBuf why, ChannelPromise promise) {
        passOn();
        return super.writeGoAway(at, last, code, why, promise);
    }

    /** The connection is gone, and what was not passed on with it. */
    @Override
    public void close() {
        ByteBuf left = open;
        open = null;
        if (left != null) {
            left.release();
        }
        List<ChannelPromise> all = promises;
        promises = new ArrayList<>(0);
        all.forEach(promise -> promise.tryFailure(new ClosedChannelException()));
        super.close();
    }
}
