package dev.tulle.proxy.hbone;

import dev.tulle.proxy.http2.FramedConnection;
import dev.tulle.proxy.http2.FramedStream;
import dev.tulle.proxy.loop.ResetException;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One CONNECT stream (RFC 9113 section 8.5), of either end: its frames are the bytes of a {@link TunnelChannel}. The end of
 * a direction is the end of the stream in it, a reset is a reset with CONNECT_ERROR. Loop-confined.
 */
public abstract class TunnelStream extends FramedStream {
    /** How long the other end has to end its half after ours is of no interest any more, as a socket in FIN-WAIT-2 has. */
    private static final long LINGER = TimeUnit.SECONDS.toNanos(60);

    private final Worker worker;
    private final TimerWheel.Timer linger = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            reset(Http2Error.NO_ERROR);
        }
    };
    private @Nullable TunnelChannel channel;
    private boolean reset;
    private boolean over;
    private long code;

    /** One that is not open yet. */
    protected TunnelStream(FramedConnection<?> connection, Worker worker) {
        super(connection, worker);
        this.worker = worker;
    }

    /** From now on its bytes are this channel's. */
    protected final void carry(TunnelChannel by) {
        channel = by;
    }

    /** The channel; null while there is none. */
    public final @Nullable TunnelChannel channel() {
        return channel;
    }

    @Override
    protected int data(ByteBuf in, boolean ends) {
        TunnelChannel to = channel;
        int n = in.readableBytes();
        if (to == null) {
            // Bytes before the answer: there is no tunnel.
            reset(Http2Error.PROTOCOL_ERROR);
            return n;
        }
        if (n > 0 && !to.isOpen()) {
            // Nobody is there to read it any more, which the other end hears as late as from a socket, and not before
            // it has
            // had what was sent to it.
            if (!isSending()) {
                reset(Http2Error.NO_ERROR);
            }
            return n;
        }
        int taken = to.received(in, ends);
        owe(n - taken);
        return taken;
    }

    @Override
    protected void wasReset(long why) {
        reset = true;
        code = why;
    }

    @Override
    protected void batchOver() {
        TunnelChannel to = channel;
        if (to != null) {
            to.batchOver();
        }
    }

    @Override
    protected void roomAgain() {
        TunnelChannel to = channel;
        if (to != null) {
            to.roomAgain();
        }
    }

    /**
     * The stream is closed: both have ended it, or it was reset, or its connection is gone.
     *
     * @param trouble of the connection, for people
     */
    protected void closed(String trouble) {
        over = true;
        worker.timers().remove(linger);
        gone();
        TunnelChannel to = channel;
        if (to == null) {
            return;
        }
        boolean orderly = to.hasEnded() && (isEndSent() || (reset && code == Http2Error.NO_ERROR.code()));
        if (orderly) {
            to.over();
        } else {
            to.broken(new ResetException(reset ? "the other end has reset the tunnel" : trouble));
        }
    }

    // ---- of the channel ----

    boolean takesMore() {
        return hasRoom();
    }

    void write(ByteBuf piece) {
        send(piece, false);
    }

    void flushed() {
        flushStream();
    }

    void taken(int bytes) {
        consume(bytes);
    }

    /** Nothing more is sent. */
    void end() {
        if (!over) {
            sendEnd(NONE);
            flushStream();
        }
    }

    /** Something is lost: the other end must not take what has come for everything. */
    void abort() {
        if (!over) {
            reset(Http2Error.CONNECT_ERROR);
        }
    }

    /** Nothing more is sent, and nothing more is read. */
    void leave() {
        TunnelChannel of = channel;
        if (over) {
            return;
        }
        end();
        if (of != null && !of.hasEnded()) {
            worker.timers().set(linger, System.nanoTime() + LINGER);
        }
    }

    private static final byte[] NONE = {};
}
