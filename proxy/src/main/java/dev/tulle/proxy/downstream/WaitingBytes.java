package dev.tulle.proxy.downstream;

import dev.tulle.proxy.loop.WaitingPieces;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/** Received bytes that cannot be handled yet: the beginnings of later requests, or a body whose endpoint is slow. */
final class WaitingBytes {
    /** Bytes that may wait before reading stops. */
    static final int MAX = 64 << 10;

    private @Nullable ByteBuf bytes;

    boolean isEmpty() {
        return bytes == null;
    }

    /** True when no more should be read for now. */
    boolean isFull() {
        ByteBuf now = bytes;
        return now != null && now.readableBytes() >= MAX;
    }

    /** Lets these wait; there must be none before. A few of them do not keep the buffer of a read. */
    void keep(ByteBuf rest) {
        bytes = WaitingPieces.alone(rest.alloc(), rest);
    }

    /** Those that wait, which stay; null for none. */
    @Nullable
    ByteBuf peek() {
        return bytes;
    }

    /** Those that wait, which now belong to the caller; null for none. */
    @Nullable
    ByteBuf take() {
        ByteBuf now = bytes;
        bytes = null;
        return now;
    }

    /** Those that wait and then these, in one buffer of the caller's. */
    ByteBuf takeWith(ByteBuf more, ByteBufAllocator allocator) {
        ByteBuf before = take();
        if (before == null) {
            return more;
        }
        ByteBuf joined = before;
        // A buffer that slices were taken from must not be moved or grown.
        boolean untouched = before.readerIndex() == 0 && before.maxCapacity() == Integer.MAX_VALUE;
        if (!untouched) {
            joined = allocator.buffer((before.readableBytes() + more.readableBytes()) * 2);
            joined.writeBytes(before);
            before.release();
        }
        joined.writeBytes(more);
        more.release();
        return joined;
    }

    void release() {
        ByteBuf now = take();
        if (now != null) {
            now.release();
        }
    }
}
