package dev.tulle.proxy.body;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The piece that a change is at, and memory for what takes its place. Loop-confined. */
final class Pieces {
    private final ByteBufAllocator allocator;
    private @Nullable ByteBuf current;
    private @Nullable ByteBuffer view;

    Pieces(ByteBufAllocator allocator) {
        this.allocator = allocator;
    }

    /** Takes a piece. */
    void take(ByteBuf piece) {
        release();
        current = piece;
        ByteBuffer bytes = piece.nioBuffer();
        if (!bytes.isDirect()) {
            // Native code takes no other.
            ByteBuf copy = allocator.directBuffer(piece.readableBytes()).writeBytes(piece);
            piece.release();
            current = copy;
            bytes = copy.nioBuffer();
        }
        view = bytes;
    }

    /** What is left of the piece, whose position goes on as it is read; null without one. */
    @Nullable
    ByteBuffer left() {
        return view;
    }

    /** Room for a piece. */
    ByteBuf room() {
        return allocator.directBuffer(BodyChange.PIECE, BodyChange.PIECE);
    }

    /** Forgets the piece. */
    void release() {
        ByteBuf done = current;
        if (done != null) {
            current = null;
            view = null;
            done.release();
        }
    }
}
