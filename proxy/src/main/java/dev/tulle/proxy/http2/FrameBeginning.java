package dev.tulle.proxy.http2;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;

/** What has come of a frame that is not there as a whole. */
final class FrameBeginning {
    private FrameBeginning() {}

    /**
     * The beginning of a frame and what has come after it. Netty's own way grows one buffer and never drops what was read
     * of it as long as somebody still holds a piece, which with a slow reader is always: it has as much as was ever sent.
     */
    static ByteBuf joined(ByteBufAllocator allocator, ByteBuf before, ByteBuf more) {
        if (!before.isReadable()) {
            before.release();
            return more;
        }
        if (more.readableBytes() <= before.writableBytes()) {
            before.writeBytes(more);
            more.release();
            return before;
        }
        ByteBuf both = allocator.directBuffer(before.readableBytes() + more.readableBytes());
        both.writeBytes(before).writeBytes(more);
        before.release();
        more.release();
        return both;
    }
}
