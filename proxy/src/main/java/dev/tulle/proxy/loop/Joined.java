package dev.tulle.proxy.loop;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/** Bytes that came in pieces and are looked at together: flat, however many pieces there are. */
public final class Joined {
    private Joined() {}

    /**
     * Two pieces in one buffer of the caller's; both belong to it from now on.
     *
     * @param before null for none
     */
    public static ByteBuf of(ByteBufAllocator allocator, @Nullable ByteBuf before, ByteBuf data) {
        if (before == null) {
            return data;
        }
        ByteBuf both = allocator
                .buffer(before.readableBytes() + data.readableBytes())
                .writeBytes(before)
                .writeBytes(data);
        before.release();
        data.release();
        return both;
    }
}
