package dev.tulle.proxy.accept;

import dev.tulle.proxy.loop.Joined;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import org.jspecify.annotations.Nullable;

/**
 * Keeps what a client says before anybody is there to listen. The channel does not read then, but the end of a client's
 * stream makes the transport deliver what came before it. Loop-confined.
 */
@SuppressWarnings("FutureReturnValueIgnored") // A failed close reaches the handlers by itself.
class EarlyBytes extends ChannelInboundHandlerAdapter {
    private @Nullable ChannelHandlerContext here;
    private @Nullable ByteBuf bytes;
    private boolean ended;

    EarlyBytes(@Nullable ByteBuf already) {
        bytes = already;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        here = context;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        bytes = Joined.of(context.alloc(), bytes, (ByteBuf) message);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        ended |= event instanceof ChannelInputShutdownEvent;
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        release();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        context.close();
    }

    /** The bytes so far, which now belong to the caller. */
    @Nullable
    final ByteBuf take() {
        ByteBuf now = bytes;
        bytes = null;
        return now;
    }

    final void release() {
        ByteBuf now = take();
        if (now != null) {
            now.release();
        }
    }

    /** Leaves; the successor, already in the pipeline, gets the bytes that were not taken and the stream's end. */
    final void leave(ChannelPipeline pipeline) {
        pipeline.remove(this);
        ChannelHandlerContext next = here;
        ByteBuf first = take();
        if (next == null) {
            if (first != null) {
                first.release();
            }
            return;
        }
        // Behind where this was: what is before it, which may be TLS, has seen these bytes already.
        if (first != null) {
            next.fireChannelRead(first).fireChannelReadComplete();
        }
        if (ended) {
            next.fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
        }
    }
}
