package dev.tulle.proxy.http2;

import dev.tulle.proxy.loop.WaitingPieces;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Stream;
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
    private @Nullable Http2Stream stream;
    private @Nullable ChannelPromise ending;
    private boolean gone;
    private int queued;
    private int unconsumed;
    /** True while it is in its connection's list for the end of the batch. */
    boolean touched;

    /** One that is not open yet. */
    protected FramedStream(FramedConnection<?> connection) {
        this.connection = connection;
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
    }

    /** It cannot be opened, or is closed. */
    protected final void gone() {
        gone = true;
    }

    /** True when its end was sent, or is on its way. */
    protected final boolean isEndSent() {
        return ending != null;
    }

    private ChannelPromise promise(boolean ends) {
        ChannelPromise sent = connection.context().newPromise();
        if (ends) {
            ending = sent;
        }
        return sent;
    }

    /** Sends a head, or trailers. */
    protected final void send(Http2Headers fields, boolean ends) {
        Http2Stream to = stream;
        ChannelPromise sent = promise(ends);
        if (!gone && to != null) {
            connection.sends(0);
            connection.encoder().writeHeaders(connection.context(), to.id(), fields, 0, ends, sent);
        }
    }

    /** Notes that the head with which it is opened ends it as well. */
    protected final void opensWithEnd() {
        promise(true);
    }

    /** Sends a piece of the body, which belongs to this from now on. */
    protected final void send(ByteBuf data, boolean ends) {
        Http2Stream to = stream;
        ChannelPromise sent = promise(ends);
        if (gone || to == null) {
            data.release();
            return;
        }
        int n = data.readableBytes();
        int cost = n + PIECE;
        connection.sends(n);
        // Behind others it is going to wait.
        ByteBuf piece = queued > 0 ? WaitingPieces.alone(connection.context().alloc(), data) : data;
        if (n > 0) {
            queued += cost;
            sent.addListener(result -> sent(cost));
        }
        connection.encoder().writeData(connection.context(), to.id(), piece, 0, ends, sent);
        queuedChanged();
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
            send(SentHeads.trailers(trailers), true);
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

    /** True when something of it is still with Netty, for want of a window or of a socket that takes it. */
    protected final boolean isSending() {
        Http2Stream to = stream;
        return !gone && to != null && connection.encoder().flowController().hasFlowControlled(to);
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
        if (!gone) {
            connection.flushUnlessReading();
        }
        return hasRoom();
    }
}
