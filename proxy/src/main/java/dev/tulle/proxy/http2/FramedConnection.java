package dev.tulle.proxy.http2;

import dev.tulle.model.Http2Options;
import dev.tulle.proxy.loop.QuickAck;
import dev.tulle.proxy.loop.Worker;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.Http2CodecUtil;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2EventAdapter;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2LocalFlowController;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One HTTP/2 connection (RFC 9113), of either side: gives frames to the streams that they belong to, and collects what is to
 * be flushed until the end of a batch of reads. Frames, compression of fields and windows are Netty's. Loop-confined.
 *
 * @param <S> what a stream is here
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public abstract class FramedConnection<S extends FramedStream> extends Http2ConnectionHandler {
    /** Streams have their own deadlines: a connection that closes waits for them. */
    protected static final long NO_LIMIT = -1;

    /** The name of a PING that asks for a sign of life. */
    private static final long ALIVE = 1;

    /** How long the other side has once it was told that the connection is broken: it may not even read that. */
    private static final long LAST_WORD_MILLIS = 500;

    private final Http2Connection.PropertyKey key;
    private final List<S> touched = new ArrayList<>(0);
    private final SendWindows windows;
    private final BatchedFrames frames;
    private final Runnable flushes = this::flushNow;
    private final FrameBudget budget = new FrameBudget(System::nanoTime);
    private final Incoming incoming;
    private @Nullable ChannelHandlerContext context;
    private @Nullable QuickAck quickAck;
    private @Nullable KeepAlive alive;
    private boolean reading;
    private boolean flushing;

    /**
     * A handler for a pipeline, as Netty's builder makes it.
     *
     * @param codec what the builder was given
     */
    protected FramedConnection(
            FrameCodec codec, Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings) {
        super(decoder, encoder, settings);
        this.windows = codec.windows();
        this.frames = codec.frames();
        this.key = codec.streams();
        this.incoming = new Incoming(connection().isServer() ? Preface.LENGTH : 0);
        connection().addListener(new Http2ConnectionAdapter() {
            @Override
            public void onStreamClosed(Http2Stream stream) {
                S known = stream.removeProperty(key);
                if (known != null) {
                    touched.remove(known);
                }
                closed(stream, known);
                if (frames.isOpen()) {
                    // The window that it gives back: Netty flushes the channel alone.
                    flushUnlessReading();
                }
            }
        });
        decoder.frameListener(new Frames());
    }

    /** A head has come for a stream that nobody has yet. */
    protected abstract void begins(Http2Stream stream, Http2Headers fields, boolean ends);

    /**
     * A stream is no more: both ends have ended it, or one has reset it, or the connection is gone.
     *
     * @param known whose it was; null for nobody's
     */
    protected abstract void closed(Http2Stream stream, @Nullable S known);

    /** The other side has said how it is to be spoken to. */
    protected void settled(Http2Settings settings) {
        // Whoever has to know.
    }

    /** The other side takes no further streams: those up to this number are still answered. */
    protected void goingAway(int last) {
        // Whoever has to know.
    }

    /** The other side has read all that was sent before this PING. */
    protected void answered(long ping) {
        // Whoever has asked.
    }

    /** Nothing has come for too long, also not when it was asked for. */
    protected void dead() {
        closeNow();
    }

    /** Lets the other side send so many bytes on all streams together, where Netty begins with 64 KiB. */
    protected static void widen(Http2Connection connection, int window) throws Http2Exception {
        Http2LocalFlowController flow = connection.local().flowController();
        Http2Stream whole = connection.connectionStream();
        flow.incrementWindowSize(whole, window - flow.initialWindowSize(whole));
    }

    /** So many bytes of frames and heads that are not whole wait now. */
    protected void unfinished(int bytes) {
        // Whoever bounds them.
    }

    /** True when the other side is in the middle of a head, or of another frame that has to be whole. */
    protected final boolean isAmidHead() {
        return incoming.isAmidHead() || incoming.block > 0;
    }

    /** How many frames the other side has begun. */
    protected final int framesBegun() {
        return incoming.number;
    }

    /** Something goes to the other side, which may send more for it. */
    final void sends(int bytes) {
        budget.earn(bytes);
    }

    /** The other side asks too much: the connection ends. */
    protected final void calm(String why) {
        onError(context(), false, Http2Exception.connectionError(Http2Error.ENHANCE_YOUR_CALM, why));
    }

    /** From now on a silent other side is asked for a sign of life. */
    protected final void keepAlive(Worker worker, Http2Options options) {
        if (options.pingInterval().isZero()) {
            return;
        }
        KeepAlive made = new KeepAlive(
                worker.timers(),
                System::nanoTime,
                new KeepAlive.Line() {
                    @Override
                    public void ping() {
                        FramedConnection.this.ping(ALIVE);
                    }

                    @Override
                    public void dead() {
                        FramedConnection.this.dead();
                    }
                },
                options.pingInterval().toNanos(),
                options.pingTimeout().toNanos());
        alive = made;
        made.begin();
    }

    /** Asks the other side to say when it has read this; {@link #answered} follows. */
    protected final void ping(long name) {
        encoder().writePing(context(), false, name, context().newPromise());
        flushUnlessReading();
    }

    /** From now on the frames of a stream are for this. */
    protected final void bind(Http2Stream stream, S to) {
        stream.setProperty(key, to);
    }

    /** Whose a stream is; null for nobody's. */
    protected final @Nullable S at(int id) {
        Http2Stream stream = connection().stream(id);
        return stream == null ? null : stream.getProperty(key);
    }

    /** Its other side is to be flushed at the end of this batch. */
    protected final void touch(S stream) {
        if (!stream.touched) {
            stream.touched = true;
            touched.add(stream);
        }
    }

    /**
     * Opens a stream of our own.
     *
     * @return null when there can be none, which ends what has to end
     */
    protected final @Nullable Http2Stream create(int id, S by) {
        try {
            Http2Stream made = connection().local().createStream(id, false);
            bind(made, by);
            return made;
        } catch (Http2Exception e) {
            onError(context(), true, e);
            return null;
        }
    }

    /**
     * Sends a head, or trailers.
     *
     * @param end kept when it is sent and ends the stream; null when the stream goes on
     */
    final void sendHead(Http2Stream to, FieldBlock fields, @Nullable ChannelPromise end) {
        long most = frames.headersConfiguration().maxHeaderListSize();
        if (fields.size() <= most) {
            sendHead(to, fields.array(), fields.start(), fields.end(), end);
            return;
        }
        try {
            Http2CodecUtil.headerListSizeExceeded(to.id(), most, false);
        } catch (Http2Exception e) {
            if (end != null) {
                end.tryFailure(e);
            }
            onError(context(), true, e);
        }
    }

    /** The same of one that was put together before. */
    final void sendHead(Http2Stream to, byte[] fields, int from, int until, @Nullable ChannelPromise end) {
        frames.writeHead(context(), to.id(), fields, from, until, end);
        if (!to.isHeadersSent()) {
            to.headersSent(false);
        }
        if (end != null) {
            closeStreamLocal(to, end);
        }
    }

    /** True while frames are being read: a flush follows. */
    public final boolean isReading() {
        return reading;
    }

    final SendWindows windows() {
        return windows;
    }

    final BatchedFrames frames() {
        return frames;
    }

    /** Its place in its pipeline. */
    protected final ChannelHandlerContext context() {
        ChannelHandlerContext here = context;
        if (here == null) {
            throw new IllegalStateException("not in a pipeline");
        }
        return here;
    }

    /**
     * Writes what is collected when this turn of the loop is over: what many other connections have for this one goes with
     * one system call.
     */
    public final void flush() {
        if (!flushing) {
            flushing = true;
            context().executor().execute(flushes);
        }
    }

    /** Writes what is collected. */
    final void flushNow() {
        flushing = false;
        flush(context());
    }

    final void flushUnlessReading() {
        if (!reading) {
            flush();
        }
    }

    /** Bytes of a stream were taken: the other side may send more. */
    final void consumed(Http2Stream stream, int bytes) {
        try {
            if (bytes > 0 && connection().local().flowController().consumeBytes(stream, bytes)) {
                flushUnlessReading();
            }
        } catch (Http2Exception e) {
            onError(context(), true, e);
        }
    }

    /** Resets a stream. */
    protected void reset(int id, Http2Error why) {
        resetStream(context(), id, why.code(), context().newPromise());
        flushUnlessReading();
    }

    /** Closes at once, without waiting for streams. */
    protected final void closeNow() {
        context().close();
    }

    private final class Frames extends Http2EventAdapter {
        @Override
        public void onHeadersRead(ChannelHandlerContext from, int id, Http2Headers fields, int padding, boolean ends) {
            Http2Stream stream = connection().stream(id);
            S known = at(id);
            if (known != null) {
                touch(known);
                known.head(fields, ends);
            } else if (stream != null) {
                begins(stream, fields, ends);
            }
        }

        @Override
        public void onHeadersRead(
                ChannelHandlerContext from,
                int id,
                Http2Headers fields,
                int dependency,
                short weight,
                boolean exclusive,
                int padding,
                boolean ends) {
            onHeadersRead(from, id, fields, padding, ends);
        }

        @Override
        public int onDataRead(ChannelHandlerContext from, int id, ByteBuf data, int padding, boolean ends) {
            S known = at(id);
            if (known == null) {
                return data.readableBytes() + padding;
            }
            touch(known);
            return known.data(data, ends) + padding;
        }

        @Override
        public void onSettingsRead(ChannelHandlerContext from, Http2Settings settings) {
            settled(settings);
        }

        @Override
        public void onPingAckRead(ChannelHandlerContext from, long data) {
            answered(data);
        }

        @Override
        public void onGoAwayRead(ChannelHandlerContext from, int last, long code, ByteBuf why) {
            goingAway(last);
        }

        @Override
        public void onRstStreamRead(ChannelHandlerContext from, int id, long code) {
            S known = at(id);
            if (known != null) {
                known.wasReset(code);
            }
        }
    }

    /** What comes, in whole frames, as far as the other side may send them. */
    private final class Incoming extends WholeFrames {
        /** Bytes of a head that goes on in further frames. */
        private int block;

        /** Frames that have begun, a head with all that it goes on in as one. */
        private int number;

        private int told;

        Incoming(int preface) {
            super(preface);
        }

        @Override
        protected boolean begins(int type, int flags, int length) {
            if (type != CONTINUATION) {
                number++;
            }
            if (type == HEADERS || type == PUSH_PROMISE || type == CONTINUATION) {
                block = (flags & END_HEADERS) == 0 ? block + length + 1 : 0;
            }
            return budget.takes(type, flags, length);
        }

        @Override
        protected void whole(ByteBuf frames) throws Exception {
            FramedConnection.super.channelRead(context(), frames);
        }

        /** Tells what waits. */
        void tell() {
            int now = waiting() + block;
            if (now > 0 || told > 0) {
                told = now;
                unfinished(now);
            }
        }
    }

    /** A peer that does not read is not waited for. */
    @Override
    protected void onConnectionError(
            ChannelHandlerContext from, boolean outbound, Throwable cause, @Nullable Http2Exception error) {
        super.onConnectionError(from, outbound, cause, error);
        from.executor().schedule((Runnable) from::close, LAST_WORD_MILLIS, TimeUnit.MILLISECONDS);
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) throws Exception {
        context = added;
        quickAck = new QuickAck(added.channel());
        super.handlerAdded(added);
    }

    @Override
    public void channelRead(ChannelHandlerContext from, Object message) throws Exception {
        reading = true;
        KeepAlive watched = alive;
        if (watched != null) {
            watched.heard();
        }
        if (!(message instanceof ByteBuf bytes)) {
            super.channelRead(from, message);
            return;
        }
        QuickAck acknowledged = quickAck;
        if (acknowledged != null) {
            acknowledged.came(bytes.readableBytes());
        }
        if (!incoming.read(from.alloc(), bytes)) {
            calm("too many frames that carry nothing");
        }
        incoming.tell();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext from) throws Exception {
        reading = false;
        QuickAck acknowledged = quickAck;
        if (acknowledged != null) {
            acknowledged.turnOver();
        }
        super.channelReadComplete(from);
        if (acknowledged != null && windows.isHeld()) {
            // The next window may come in a piece of its own, which is not sent before that.
            acknowledged.turnOver(true);
        }
        // Whatever a flush calls back may touch others.
        while (!touched.isEmpty()) {
            S last = touched.removeLast();
            last.touched = false;
            last.batchOver();
        }
    }

    /** What was said before it closes is still said. */
    @Override
    public void close(ChannelHandlerContext from, ChannelPromise promise) throws Exception {
        frames.passOn();
        super.close(from, promise);
    }

    @Override
    public void channelInactive(ChannelHandlerContext from) throws Exception {
        KeepAlive watched = alive;
        if (watched != null) {
            watched.end();
        }
        incoming.release();
        incoming.tell();
        super.channelInactive(from);
        // Streams that were closed last have given windows back, for nobody.
        frames.close();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext from, Throwable cause) throws Exception {
        if (cause instanceof IOException) {
            // The other side has reset the connection.
            from.close();
        } else {
            super.exceptionCaught(from, cause);
        }
    }
}
