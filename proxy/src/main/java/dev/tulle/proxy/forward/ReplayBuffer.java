package dev.tulle.proxy.forward;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/** Keeps the beginning of a request's body, so that the request can be sent again. Loop-confined. */
final class ReplayBuffer {
    /** Bytes kept; a longer body makes the request not repeatable. */
    static final int LIMIT = 64 << 10;

    private @Nullable ByteBufAllocator allocator;
    private @Nullable ByteBuf kept;
    private boolean keeps;
    private boolean whole = true;

    /**
     * Begins a request.
     *
     * @param keep false to keep nothing: then only a request none of whose body was sent can be repeated
     */
    void begin(ByteBufAllocator from, boolean keep) {
        allocator = from;
        keeps = keep;
        whole = true;
    }

    /** True when the request can be sent again from its first byte. */
    boolean isWhole() {
        return whole;
    }

    /** Notes a piece that is being sent; does not take it. */
    void add(ByteBuf data) {
        if (!whole || !data.isReadable()) {
            return;
        }
        ByteBuf before = kept;
        int size = (before == null ? 0 : before.readableBytes()) + data.readableBytes();
        if (!keeps || size > LIMIT || allocator == null) {
            lost();
            return;
        }
        if (before == null) {
            before = allocator.buffer(Math.max(256, data.readableBytes()));
            kept = before;
        }
        before.writeBytes(data, data.readerIndex(), data.readableBytes());
    }

    /** What was sent of the body so far, for sending it again; null for nothing. */
    @Nullable
    ByteBuf copy() {
        ByteBuf now = kept;
        return now == null ? null : now.copy();
    }

    /** A part of the body was sent that nobody has kept. */
    void lost() {
        whole = false;
        clear();
    }

    /** Forgets everything. */
    void clear() {
        ByteBuf now = kept;
        if (now != null) {
            kept = null;
            now.release();
        }
    }
}
