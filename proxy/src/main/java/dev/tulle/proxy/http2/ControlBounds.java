package dev.tulle.proxy.http2;

import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.DecoratingHttp2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2LifecycleManager;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Bounds what the other side of a connection can have sent to it besides messages: acknowledgements and resets that wait
 * because it does not read, and resets that its mistakes earn it. Beyond that the connection ends. Netty has the same, but
 * only around its own writer of frames. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class ControlBounds extends DecoratingHttp2ConnectionEncoder {
    /** Answers to the other side's own frames that may wait for it to read them. */
    private static final int MAX_WAITING = 1_000;

    private final int maxResets;
    private final long resetNanos;
    private final ChannelFutureListener sent = written -> waits(-1);
    private @Nullable Http2LifecycleManager lifecycle;
    private int waiting;
    private boolean over;
    private int resets;
    private long resetsSince = System.nanoTime();

    /**
     * Bounds.
     *
     * @param maxResets for mistakes in so many seconds; 0 for any number
     */
    ControlBounds(Http2ConnectionEncoder encoder, int maxResets, int seconds) {
        super(encoder);
        this.maxResets = maxResets;
        this.resetNanos = TimeUnit.SECONDS.toNanos(seconds);
    }

    @Override
    public void lifecycleManager(Http2LifecycleManager manager) {
        lifecycle = manager;
        super.lifecycleManager(manager);
    }

    private void waits(int more) {
        waiting += more;
    }

    /** One more frame is going to wait, if that may be; null when the connection ends instead. */
    private @Nullable ChannelPromise counted(ChannelHandlerContext at, ChannelPromise promise) {
        if (over) {
            return promise;
        }
        if (waiting == MAX_WAITING) {
            // Perhaps it reads again.
            at.flush();
        }
        if (waiting == MAX_WAITING) {
            over = true;
            end(at, "%d frames wait that are no messages", MAX_WAITING);
            return null;
        }
        waits(1);
        return promise.unvoid().addListener(sent);
    }

    private void end(ChannelHandlerContext at, String why, int count) {
        Http2LifecycleManager manager = lifecycle;
        if (manager != null) {
            manager.onError(at, true, Http2Exception.connectionError(Http2Error.ENHANCE_YOUR_CALM, why, count));
        }
        at.close();
    }

    @Override
    public ChannelFuture writeSettingsAck(ChannelHandlerContext at, ChannelPromise promise) {
        ChannelPromise counted = counted(at, promise);
        return counted == null ? promise : super.writeSettingsAck(at, counted);
    }

    @Override
    public ChannelFuture writePing(ChannelHandlerContext at, boolean ack, long data, ChannelPromise promise) {
        ChannelPromise counted = ack ? counted(at, promise) : promise;
        return counted == null ? promise : super.writePing(at, ack, data, counted);
    }

    @Override
    public ChannelFuture writeRstStream(ChannelHandlerContext at, int id, long code, ChannelPromise promise) {
        ChannelPromise counted = counted(at, promise);
        if (counted == null) {
            return promise;
        }
        ChannelFuture written = super.writeRstStream(at, id, code, counted);
        if (maxResets > 0 && code != Http2Error.CANCEL.code() && code != Http2Error.NO_ERROR.code()) {
            countReset(at);
        }
        return written;
    }

    private void countReset(ChannelHandlerContext at) {
        long now = System.nanoTime();
        if (now - resetsSince >= resetNanos) {
            resetsSince = now;
            resets = 0;
        }
        if (++resets > maxResets) {
            end(at, "%d streams were reset within too short a time", maxResets);
        }
    }
}
