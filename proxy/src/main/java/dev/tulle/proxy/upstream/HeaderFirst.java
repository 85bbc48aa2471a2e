package dev.tulle.proxy.upstream;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;

/** Sends a header of the PROXY protocol before anything else, also where nobody else has anything to say yet. Loop-confined. */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class HeaderFirst extends ChannelDuplexHandler {
    private final byte[] header;

    HeaderFirst(byte[] header) {
        this.header = header;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        context.writeAndFlush(Unpooled.wrappedBuffer(header));
        // Before the others hear of it: what they then write finds the header sent.
        context.pipeline().remove(this);
        context.fireChannelActive();
    }

    /** A user that was told of the connect writes before the channel says that it is active. */
    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        context.write(Unpooled.wrappedBuffer(header));
        context.write(message, promise);
        context.pipeline().remove(this);
    }
}
