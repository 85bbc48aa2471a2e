package dev.tulle.proxy.loop;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import io.netty.channel.RecvByteBufAllocator;

/**
 * Lets all connections of one event loop read into the same buffer: most reads are used up before the next one begins, so
 * the bytes stay in the processor's cache and nothing is allocated. When a reader keeps (a slice of) the buffer, the
 * next read gets a buffer of its own. Loop-confined.
 */
public final class LoopReadBuffer {
    /** Bytes per read. */
    public static final int SIZE = 64 << 10;

    /** Bytes of a read whose buffer may be kept for long: many slow connections must not hold much each. */
    private static final int OWN_SIZE = 32 << 10;

    private final ByteBuf shared;

    /** Allocates the buffer. */
    public LoopReadBuffer(ByteBufAllocator allocator) {
        this.shared = allocator.directBuffer(SIZE, SIZE);
    }

    /** Gives the buffer back; connections must be gone. */
    public void release() {
        shared.release();
    }

    private ByteBuf take(ByteBufAllocator allocator) {
        if (shared.refCnt() == 1) {
            return shared.clear().retain();
        }
        return allocator.directBuffer(OWN_SIZE, OWN_SIZE);
    }

    /** The option for channels of this loop. */
    public RecvByteBufAllocator option() {
        return new Option(this);
    }

    private static final class Option extends DefaultMaxMessagesRecvByteBufAllocator {
        private final LoopReadBuffer owner;

        Option(LoopReadBuffer owner) {
            this.owner = owner;
        }

        // Netty marks the type as deprecated for callers, not for those who implement it.
        @SuppressWarnings("deprecation")
        @Override
        public Handle newHandle() {
            return new SharedHandle();
        }

        private final class SharedHandle extends MaxMessageHandle {
            @Override
            public ByteBuf allocate(ByteBufAllocator allocator) {
                return owner.take(allocator);
            }

            @Override
            public int guess() {
                return SIZE;
            }
        }
    }
}
