package dev.tulle.proxy.http2;

import dev.tulle.proxy.loop.WaitingPieces;
import dev.tulle.proxy.loop.Worker;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Stream;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * One stream of a {@link FramedConnection}: what it sends and how much of that waits, what it was sent and did not take yet.
 * Netty's own word on whether a stream is writable counts what waits on all others of its connection as well, so each counts
 * for itself. Loop-confined.
 */
// A failed write reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public abstract class FramedStream {
    /** Bytes that may wait for the other side before no more should be sent. */
    protected static final int QUEUE = 64 << 10;

    /** What a piece that waits costs besides its bytes, of which there may be one. */
    private static final int PIECE = 512;

    private final FramedConnection<?> connection;
    private final Worker worker;
    private final ArrayDeque<ByteBuf> waiting = new ArrayDeque<>(0);
    private @Nullable Http2Stream stream;
    private @Nullable ChannelPromise ending;
    /** Fields that end it, behind what waits. */
    private byte @Nullable [] last;

    private boolean gone;
    private int queued;
    private int unconsumed;
    /** Bytes that the other side takes of it. */
    int window;
    /** True while it is in its connection's list of those that may go on. */
    boolean inTurn;
    /** True while it is in its connection's list for the end of the batch. */
    boolean touched;

    /** One that is not open yet. */
    protected FramedStream(FramedConnection<?> connection, Worker worker) {
        this.connection = connection;
        this.worker = worker;
    }

    // ---- from the other side ----

    /** A head, or trailers, for a stream that is open. */
    protected abstract void head(Http2Headers fields, boolean ends);

    /**
     * A piece of the body.
     *
     * @return how many of its bytes were taken; the others are to be given to {@link #owe}
     */
    protected abstract int data(ByteBuf in, boolean ends);

    /** The other side has reset it; that it is closed follows. */
    protected void wasReset(long code) {
        // Whoever wants to know why.
    }

    /** No more frames come in this turn of the loop. */
    protected abstract void batchOver();

    // ---- to the other side ----

    /** There is room again where there was none. */
    protected abstract void roomAgain();

    /** Another number of bytes waits. */
    protected void queuedChanged() {
        // Whoever has to tell somebody.
    }

    /** It is open from now on. */
    protected final void open(Http2Stream opened) {
        stream = opened;
        window = connection.windows().initialWindowSize();
    }

    /** It cannot be opened, or is closed. */
    protected final void gone() {
        gone = true;
        drop();
    }

    /** Throws away what waits: nobody takes it any more. */
    private void drop() {
        last = null;
        connection.windows().leaves(this);
        ChannelPromise end = ending;
        if (!waiting.isEmpty()) {
            for (ByteBuf piece : waiting) {
                queued -= piece.readableBytes() + PIECE;
                piece.release();
            }
            waiting.clear();
            connection.windows().held(-1);
            queuedChanged();
            if (end != null) {
                end.tryFailure(new ClosedChannelException());
            }
        }
    }

    /** True when its end was sent, or is on its way. */
    protected final boolean isEndSent() {
        return ending != null;
    }

    private ChannelPromise promise() {
        return connection.context().newPromise();
    }

    /** Whose loop this is on. */
    protected final Worker worker() {
        return worker;
    }

    /** An empty block for a head, or trailers, to be sent before anything else is done. */
    protected final FieldBlock fields() {
        return new FieldBlock(worker().sink());
    }

    /** Sends a head, or trailers. */
    protected final void send(FieldBlock fields, boolean ends) {
        if (ends) {
            ending = promise();
        }
        Http2Stream to = stream;
        if (gone || to == null || to.isResetSent()) {
            return;
        }
        connection.sends(0);
        if (waiting.isEmpty()) {
            connection.sendHead(to, fields, ends ? ending : null);
        } else {
            last = fields.bytes();
        }
    }

    /** Sends a piece of the body, which belongs to this from now on. */
    protected final void send(ByteBuf data, boolean ends) {
        if (ends) {
            ending = promise();
        }
        Http2Stream to = stream;
        if (gone || to == null || to.isResetSent()) {
            data.release();
            return;
        }
        int n = data.readableBytes();
        connection.sends(n);
        if (waiting.isEmpty() && connection.windows().admit(window, n)) {
            // Behind others it may have to wait for the socket.
            ByteBuf piece =
                    queued > 0 ? WaitingPieces.alone(connection.context().alloc(), data) : data;
            int cost = n == 0 ? 0 : n + PIECE;
            queued += cost;
            write(to, piece, cost, ends);
        } else if (n == 0) {
            // The last piece that waits ends it.
            data.release();
        } else {
            if (waiting.isEmpty()) {
                connection.windows().held(1);
            }
            waiting.add(WaitingPieces.alone(connection.context().alloc(), data));
            queued += n + PIECE;
            connection.windows().waits(this);
        }
        queuedChanged();
    }

    private void write(Http2Stream to, ByteBuf piece, int cost, boolean ends) {
        int n = piece.readableBytes();
        window -= n;
        connection.windows().sent(n);
        ChannelPromise end = ending;
        ChannelPromise sent = ends && end != null ? end : promise();
        if (cost > 0) {
            sent.addListener(written -> sent(cost));
        }
        connection.frames().writeData(connection.context(), to.id(), piece, 0, ends, sent);
        if (ends) {
            connection.closeStreamLocal(to, sent);
        }
    }

    /** True when some of what waits may be sent: nothing behind a reset, also before that is in the socket. */
    final boolean mayGoOn() {
        Http2Stream to = stream;
        return !waiting.isEmpty() && window > 0 && to != null && !to.isResetSent();
    }

    /**
     * Sends of what waits.
     *
     * @param most bytes
     * @return how many were sent
     */
    final int goOn(int most) {
        int left = Math.min(most, window);
        int before = left;
        Http2Stream to = stream;
        while (left > 0 && to != null && !to.isResetSent()) {
            ByteBuf first = waiting.peek();
            if (first == null) {
                break;
            }
            int n = first.readableBytes();
            if (n > left) {
                write(to, first.readRetainedSlice(left), left, false);
                left = 0;
            } else {
                waiting.remove();
                left -= n;
                if (waiting.isEmpty()) {
                    connection.windows().held(-1);
                }
                boolean ends = waiting.isEmpty() && ending != null;
                byte[] after = last;
                write(to, first, n + PIECE, ends && after == null);
                if (ends && after != null) {
                    last = null;
                    connection.sendHead(to, after, 0, after.length, ending);
                }
            }
        }
        return before - left;
    }

    /**
     * Sends the end, unless it was sent.
     *
     * @param trailers lines before it, each with its end; none: empty
     */
    protected final void sendEnd(byte[] trailers) {
        if (isEndSent()) {
            return;
        }
        if (trailers.length > 0) {
            send(SentHeads.trailers(fields(), trailers), true);
        } else {
            send(Unpooled.EMPTY_BUFFER, true);
        }
    }

    /** A piece is in the socket, or thrown away with the stream. */
    private void sent(int cost) {
        boolean full = queued >= QUEUE;
        queued -= cost;
        queuedChanged();
        if (full && queued < QUEUE && !gone) {
            // Not while frames are being written.
            connection.context().executor().execute(this::roomAgain);
        }
    }

    /** Bytes that wait for the other side, with what they cost. */
    protected final int queued() {
        return queued;
    }

    /** True when more may be sent. */
    protected final boolean hasRoom() {
        return gone || queued < QUEUE;
    }

    /** True when something of it waits for want of a window or of a socket that takes it. */
    protected final boolean isSending() {
        return !waiting.isEmpty();
    }

    // ---- windows, resets ----

    /** So many bytes that have come are not taken yet: the other side gets no window for them. */
    protected final void owe(int bytes) {
        unconsumed += bytes;
    }

    /** Bytes that have come and are not taken. */
    protected final int owed() {
        return unconsumed;
    }

    /** So many bytes of those that are owed are taken. */
    protected final void consume(int bytes) {
        Http2Stream from = stream;
        unconsumed -= bytes;
        if (!gone && from != null) {
            connection.consumed(from, bytes);
        }
    }

    /** All that has come is taken. */
    protected final void consumeAll() {
        Http2Stream from = stream;
        int n = unconsumed;
        unconsumed = 0;
        if (!gone && from != null) {
            connection.consumed(from, n);
        }
    }

    /** Resets it, if it is open. */
    protected final void reset(Http2Error why) {
        Http2Stream to = stream;
        if (!gone && to != null) {
            connection.reset(to.id(), why);
            drop();
        }
    }

    /** Resets it once its end is in the socket: before that the other side would lose what comes before the end. */
    protected final void resetAfterEnd(Http2Error why) {
        ChannelPromise end = ending;
        if (end != null) {
            end.addListener(sent -> reset(why));
        }
    }

    /** Writes what is collected on its connection; true when more may be sent. */
    protected final boolean flushStream() {
        if (!gone && hasRoom()) {
            connection.flushUnlessReading();
        } else if (!gone) {
            connection.flushNow();
        }
        return hasRoom();
    }
}
