package dev.tulle.proxy.loop;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import org.jspecify.annotations.Nullable;

/**
 * Collects what is to be written to one channel until the end of a read batch: heads and small pieces share one buffer
 * and one system call, large pieces travel as they are. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class Outgoing {
    /** Pieces up to this size are copied together; larger ones are written from where they are. */
    private static final int SMALL = 16 << 10;

    /** Up to this size they are in any case: one that waits keeps the whole buffer that it was read into. */
    private static final int COPIED = 4 << 10;

    private static final int FIRST = 1 << 10;

    private final Channel channel;
    private @Nullable ByteBuf current;
    private boolean unflushed;
    private long bytes;
    private long flushed;

    /** For a channel. */
    public Outgoing(Channel channel) {
        this.channel = channel;
    }

    /** Bytes handed over since the last flush. */
    public long unflushed() {
        return bytes - flushed;
    }

    /** Bytes handed over so far. */
    public long bytes() {
        return bytes;
    }

    /**
     * Adds bytes.
     *
     * @param following how many bytes are likely to follow in the same batch
     */
    public void add(ByteSink sink, int following) {
        int n = sink.length();
        room(n, following).writeBytes(sink.array(), 0, n);
        bytes += n;
    }

    /** Adds a buffer, which now belongs to this. */
    public void add(ByteBuf data) {
        int n = data.readableBytes();
        bytes += n;
        ByteBuf open = current;
        if (n <= SMALL && (n <= COPIED || (open != null && open.writableBytes() >= n))) {
            try {
                room(n, 0).writeBytes(data);
            } finally {
                data.release();
            }
            return;
        }
        passOn();
        channel.write(data, channel.voidPromise());
        unflushed = true;
    }

    /** A buffer with room for n bytes: the open one if it has it, else a new one. */
    private ByteBuf room(int n, int following) {
        ByteBuf open = current;
        if (open != null && open.writableBytes() >= n) {
            return open;
        }
        passOn();
        int more = following <= SMALL ? following : 0;
        ByteBuf fresh = channel.alloc().directBuffer(Math.max(FIRST, n + more + 32));
        current = fresh;
        return fresh;
    }

    private void passOn() {
        ByteBuf open = current;
        if (open != null) {
            current = null;
            channel.write(open, channel.voidPromise());
            unflushed = true;
        }
    }

    /** Writes everything; true when the channel can take more. */
    public boolean flush() {
        flushed = bytes;
        passOn();
        if (unflushed) {
            unflushed = false;
            channel.flush();
        }
        return channel.isWritable();
    }

    /** Throws away what was not passed on: the channel is closed. */
    public void discard() {
        ByteBuf open = current;
        if (open != null) {
            current = null;
            open.release();
        }
    }
}
