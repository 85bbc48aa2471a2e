package dev.tulle.proxy.loop;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Received pieces that have to wait. Each is a part of the buffer that it was read into and keeps the whole of it, however
 * small it is; so small ones are copied together. Loop-confined.
 */
public final class WaitingPieces {
    /** Pieces from this size on stay where they are: a buffer of a read is a few times as large, see {@link LoopReadBuffer}. */
    public static final int SMALL = 8 << 10;

    private static final int TOGETHER = 16 << 10;
    private static final int FIRST = 512;

    private final ArrayDeque<ByteBuf> pieces = new ArrayDeque<>(0);

    /** The last one, if it is one of copies. */
    private @Nullable ByteBuf open;

    public boolean isEmpty() {
        return pieces.isEmpty();
    }

    /** Lets a piece wait; it stays the caller's. */
    public void add(ByteBufAllocator allocator, ByteBuf piece) {
        int n = piece.readableBytes();
        if (n >= SMALL) {
            open = null;
            pieces.add(piece.retain());
            return;
        }
        ByteBuf last = open;
        if (last == null || last.maxWritableBytes() < n) {
            last = allocator.directBuffer(Math.max(FIRST, n), TOGETHER);
            open = last;
            pieces.add(last);
        }
        last.writeBytes(piece, piece.readerIndex(), n);
    }

    /** A piece that is going to wait by itself, in a buffer of its size if it is small; what is given is taken. */
    public static ByteBuf alone(ByteBufAllocator allocator, ByteBuf piece) {
        int n = piece.readableBytes();
        if (n == 0 || n >= SMALL) {
            return piece;
        }
        ByteBuf copy = allocator.directBuffer(n, n).writeBytes(piece);
        piece.release();
        return copy;
    }

    /** The first one, which belongs to the caller; null for none. */
    public @Nullable ByteBuf poll() {
        ByteBuf first = pieces.poll();
        if (pieces.isEmpty()) {
            open = null;
        }
        return first;
    }

    /** Throws all away. */
    public void release() {
        open = null;
        pieces.forEach(ByteBuf::release);
        pieces.clear();
    }
}
