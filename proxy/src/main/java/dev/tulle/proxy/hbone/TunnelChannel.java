package dev.tulle.proxy.hbone;

import dev.tulle.proxy.loop.ResetException;
import dev.tulle.proxy.loop.WaitingPieces;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.upstream.UpstreamChannels;
import io.netty.buffer.ByteBuf;
import io.netty.channel.AbstractChannel;
import io.netty.channel.Channel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelMetadata;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import java.net.InetSocketAddress;
import java.net.SocketAddress;

/**
 * The bytes of one tunnel as a channel: what is written to it and read from it is ordinary to all that is above, and its
 * halves end apart as those of a socket do. Bytes that nobody reads are not acknowledged to the other end, so that its
 * window closes; bytes beyond the other end's window wait here, so that the channel is not writable. It lives on the loop
 * of its connection and is confined to it.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class TunnelChannel extends AbstractChannel implements DuplexChannel {
    private static final ChannelMetadata METADATA = new ChannelMetadata(false, 16);

    private final Channel connection;
    private final TunnelStream stream;
    private final InetSocketAddress local;
    private final InetSocketAddress remote;
    private final TunnelConfig config = new TunnelConfig(this);
    private final WaitingPieces waiting = new WaitingPieces();
    private final Runnable delivery = this::deliver;

    private long kept;
    private boolean open = true;
    private boolean wanted;
    private boolean delivers;
    private boolean read;
    /** The other end has said everything, and whether that was passed on. */
    private boolean ended;

    private boolean inputEnded;
    private boolean outputEnded;
    private boolean stalls;

    /**
     * Of a stream.
     *
     * @param parent the connection
     * @param local what the side above takes for its own address
     * @param remote and for that of the other end
     */
    TunnelChannel(Channel parent, TunnelStream stream, InetSocketAddress local, InetSocketAddress remote) {
        super(parent);
        this.connection = parent;
        this.stream = stream;
        this.local = local;
        this.remote = remote;
        config.setAllocator(parent.alloc());
        config.setWriteBufferWaterMark(UpstreamChannels.WATER_MARK);
        config.setAutoClose(false);
    }

    /** The stream, for those who know that it is one. */
    public TunnelStream stream() {
        return stream;
    }

    // ---- from the other end ----

    /** A piece has come; returns how many of its bytes were taken at once. */
    int received(ByteBuf in, boolean ends) {
        int n = in.readableBytes();
        int taken = n;
        if (!open) {
            return n;
        }
        if (n > 0 && waiting.isEmpty() && isWanted()) {
            read = true;
            pipeline().fireChannelRead(in.readRetainedSlice(n));
        } else if (n > 0) {
            waiting.add(alloc(), in);
            taken = 0;
            keeps(n);
        }
        ended |= ends;
        return taken;
    }

    /** Counts what waits as its caller's, where that has a share. */
    private void keeps(int more) {
        kept += more;
        Held held = LoopShares.of(this);
        if (held != null && open) {
            held.keeps(kept);
        }
    }

    /** No more pieces come in this turn of the loop. */
    void batchOver() {
        readOver();
        passEnd();
    }

    private boolean isWanted() {
        return wanted || config.isAutoRead();
    }

    private void readOver() {
        if (read) {
            read = false;
            wanted = false;
            pipeline().fireChannelReadComplete();
        }
    }

    /** As a socket's, the end is told also to who does not read, once there is nothing before it. */
    private void passEnd() {
        if (!ended || inputEnded || !open || !waiting.isEmpty()) {
            return;
        }
        inputEnded = true;
        if (config.hasHalves()) {
            pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
        } else {
            unsafe().close(voidPromise());
        }
    }

    /** Passes on what has waited, as long as somebody reads. */
    private void deliver() {
        delivers = false;
        int bytes = 0;
        while (open && isWanted()) {
            ByteBuf piece = waiting.poll();
            if (piece == null) {
                break;
            }
            bytes += piece.readableBytes();
            read = true;
            pipeline().fireChannelRead(piece);
        }
        if (bytes > 0) {
            keeps(-bytes);
            stream.taken(bytes);
        }
        batchOver();
    }

    /** The stream is no more although not all was said: what has come is still passed on. */
    void broken(ResetException why) {
        if (!open) {
            return;
        }
        while (open) {
            ByteBuf piece = waiting.poll();
            if (piece == null) {
                break;
            }
            read = true;
            pipeline().fireChannelRead(piece);
        }
        readOver();
        if (open) {
            pipeline().fireExceptionCaught(why);
        }
        unsafe().close(voidPromise());
    }

    /** Both ends have said everything, or the other end takes no more. */
    void over() {
        // Nothing waits for room any more, as there is nobody to send it to.
        roomAgain();
        if (open && ended) {
            deliver();
        }
        if (open && inputEnded && !outputEnded) {
            unsafe().close(voidPromise());
        }
    }

    /** True when the other end has said everything. */
    boolean hasEnded() {
        return ended;
    }

    // ---- to the other end ----

    /** There is room where there was none. */
    void roomAgain() {
        if (open && stalls) {
            ((Unsafe) unsafe()).goOn();
        }
    }

    @Override
    protected void doWrite(ChannelOutboundBuffer out) {
        stalls = false;
        boolean sent = false;
        for (Object next = out.current(); next != null; next = out.current()) {
            ByteBuf piece = (ByteBuf) next;
            if (piece.isReadable()) {
                if (!stream.takesMore()) {
                    stalls = true;
                    break;
                }
                stream.write(piece.retain());
                sent = true;
            }
            out.remove();
        }
        if (sent) {
            stream.flushed();
        }
    }

    @Override
    protected Object filterOutboundMessage(Object message) {
        if (message instanceof ByteBuf) {
            return message;
        }
        throw new UnsupportedOperationException("a tunnel carries bytes, not " + message.getClass());
    }

    @Override
    protected void doShutdownOutput() {
        if (!outputEnded) {
            outputEnded = true;
            stream.end();
        }
    }

    @Override
    protected void doClose() {
        if (!open) {
            return;
        }
        open = false;
        waiting.release();
        if (config.resets() || stalls) {
            stream.abort();
        } else {
            stream.leave();
        }
    }

    // ---- a channel ----

    private final class Unsafe extends AbstractUnsafe {
        @Override
        public void connect(SocketAddress to, SocketAddress from, ChannelPromise promise) {
            promise.setFailure(new UnsupportedOperationException("a tunnel is connected by its stream"));
        }

        void goOn() {
            flush0();
        }
    }

    @Override
    protected AbstractUnsafe newUnsafe() {
        return new Unsafe();
    }

    @Override
    protected boolean isCompatible(EventLoop loop) {
        return loop == connection.eventLoop();
    }

    @Override
    protected SocketAddress localAddress0() {
        return local;
    }

    @Override
    protected SocketAddress remoteAddress0() {
        return remote;
    }

    @Override
    protected void doBind(SocketAddress address) {
        throw new UnsupportedOperationException("a tunnel has no address to bind");
    }

    @Override
    protected void doDisconnect() {
        doClose();
    }

    @Override
    protected void doBeginRead() {
        wanted = true;
        if (!delivers && (!waiting.isEmpty() || (ended && !inputEnded))) {
            delivers = true;
            eventLoop().execute(delivery);
        }
    }

    @Override
    public ChannelConfig config() {
        return config;
    }

    @Override
    public ChannelMetadata metadata() {
        return METADATA;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public boolean isActive() {
        return open;
    }

    @Override
    public boolean isInputShutdown() {
        return inputEnded || !open;
    }

    @Override
    public boolean isOutputShutdown() {
        return outputEnded || !open;
    }

    @Override
    public boolean isShutdown() {
        return isInputShutdown() && isOutputShutdown();
    }

    @Override
    public ChannelFuture shutdownOutput() {
        return shutdownOutput(newPromise());
    }

    @Override
    public ChannelFuture shutdownOutput(ChannelPromise promise) {
        ((Unsafe) unsafe()).shutdownOutput(promise);
        return promise;
    }

    @Override
    public ChannelFuture shutdownInput() {
        return shutdownInput(newPromise());
    }

    @Override
    public ChannelFuture shutdownInput(ChannelPromise promise) {
        inputEnded = true;
        return promise.setSuccess();
    }

    @Override
    public ChannelFuture shutdown() {
        return shutdown(newPromise());
    }

    @Override
    public ChannelFuture shutdown(ChannelPromise promise) {
        inputEnded = true;
        return shutdownOutput(promise);
    }
}
