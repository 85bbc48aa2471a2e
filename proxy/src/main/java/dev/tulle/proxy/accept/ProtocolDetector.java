package dev.tulle.proxy.accept;

import dev.tulle.proxy.http1.Http1Beginning;
import dev.tulle.proxy.http2.Preface;
import dev.tulle.proxy.loop.Joined;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.tcp.TcpRelay;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Looks at the first bytes of a connection where the port does not say what is spoken. HTTP/1 begins with a {@link
 * Http1Beginning}, HTTP/2 with its preface; everything else is bytes. A client that
 * says nothing within {@value #PATIENCE_MILLIS} ms may wait for its server to speak first: bytes too, until it speaks
 * HTTP after all ({@link TcpRelay.Other}). Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class ProtocolDetector extends ChannelInboundHandlerAdapter {
    private static final long PATIENCE_MILLIS = 500;

    /** Takes the connection once it is known what is spoken. */
    interface Found {
        /**
         * Goes on; the detector has left the pipeline and the channel does not read.
         *
         * @param first the bytes received so far, which now belong to the callee; null for none
         */
        void found(boolean http, @Nullable ByteBuf first);
    }

    private final Worker worker;
    private final Found found;
    private @Nullable ChannelHandlerContext context;
    private @Nullable ByteBuf first;
    private boolean decided;
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            decide(false);
        }
    };

    ProtocolDetector(Worker worker, Found found) {
        this.worker = worker;
        this.found = found;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) {
        context = added;
        worker.timers().set(timer, System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS));
        added.channel().config().setAutoRead(true);
    }

    /** What the bytes are: true for HTTP, false for something else, null when more are needed. */
    static @Nullable Boolean isHttp(ByteBuf bytes) {
        Boolean http2 = Preface.isIt(bytes);
        if (http2 == null || http2) {
            return http2;
        }
        return Http1Beginning.isIt(bytes);
    }

    @Override
    public void channelRead(ChannelHandlerContext from, Object message) {
        first = Joined.of(from.alloc(), first, (ByteBuf) message);
        Boolean http = isHttp(first);
        if (http != null) {
            decide(http);
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext from, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            decide(false);
            // Whoever took over stands behind where this handler was.
            from.channel().pipeline().fireUserEventTriggered(event);
        } else {
            from.fireUserEventTriggered(event);
        }
    }

    private void decide(boolean http) {
        ChannelHandlerContext here = context;
        if (decided || here == null) {
            return;
        }
        decided = true;
        worker.timers().remove(timer);
        here.channel().config().setAutoRead(false);
        ByteBuf bytes = first;
        first = null;
        here.pipeline().remove(this);
        found.found(http, bytes);
    }

    @Override
    public void channelInactive(ChannelHandlerContext from) {
        decided = true;
        worker.timers().remove(timer);
        ByteBuf bytes = first;
        if (bytes != null) {
            first = null;
            bytes.release();
        }
        from.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext from, Throwable cause) {
        from.close();
    }
}
