package dev.tulle.proxy.body;

import com.github.luben.zstd.EndDirective;
import com.github.luben.zstd.ZstdCompressCtx;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Writes a body as one frame of Zstandard (RFC 8878). Loop-confined. */
final class Zstd implements BodyChange {
    private static final int LEVEL = 2;

    /** 128 KiB: what a stream remembers, and its reader must hold (RFC 9659 allows 8 MiB). */
    private static final int WINDOW_LOG = 17;

    private static final ByteBuffer NOTHING = ByteBuffer.allocateDirect(0);

    private final Pieces pieces;
    private final ZstdCompressCtx context = new ZstdCompressCtx();
    private EndDirective wants = EndDirective.CONTINUE;
    private boolean unflushed;
    private boolean over;

    Zstd(ByteBufAllocator allocator) {
        this.pieces = new Pieces(allocator);
        context.setLevel(LEVEL);
        context.setWindowLog(WINDOW_LOG);
    }

    @Override
    public void take(ByteBuf piece) {
        pieces.take(piece);
        unflushed = true;
    }

    @Override
    public @Nullable ByteBuf next() {
        ByteBuffer left = pieces.left();
        boolean more = left != null && left.hasRemaining();
        if (over || (!more && wants == EndDirective.CONTINUE)) {
            pieces.release();
            return null;
        }
        ByteBuf out = pieces.room();
        ByteBuffer to = out.nioBuffer(0, out.writableBytes());
        boolean done = context.compressDirectByteBufferStream(to, left == null ? NOTHING : left, wants);
        out.writerIndex(to.position());
        if (done && wants == EndDirective.FLUSH) {
            wants = EndDirective.CONTINUE;
        } else if (done && wants == EndDirective.END) {
            over = true;
        }
        return out;
    }

    @Override
    public void flush() {
        if (unflushed && wants == EndDirective.CONTINUE) {
            unflushed = false;
            wants = EndDirective.FLUSH;
        }
    }

    @Override
    public byte[] end(byte[] trailers) {
        wants = EndDirective.END;
        return trailers;
    }

    @Override
    public void close() {
        over = true;
        context.close();
        pieces.release();
    }
}
