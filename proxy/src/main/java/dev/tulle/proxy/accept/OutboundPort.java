package dev.tulle.proxy.accept;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/** First handler of a captured connection: asks the kernel where it was going. Loop-confined. */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class OutboundPort extends ChannelInboundHandlerAdapter {
    private final LoopScope scope;

    OutboundPort(LoopScope scope) {
        this.scope = scope;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        Channel channel = context.channel();
        context.pipeline().remove(this);
        InetSocketAddress destination = destination(channel);
        if (destination == null) {
            // Somebody dialled the port itself: there is nowhere to go, and going on would be a loop.
            scope.refused().with("no_original_destination").increment();
            channel.close();
            return;
        }
        OutboundFlow.begin(scope, channel, (InetSocketAddress) channel.remoteAddress(), destination, false, null);
    }

    private static @Nullable InetSocketAddress destination(Channel channel) {
        return channel instanceof EpollSocketChannel epoll ? OriginalDestination.of(epoll) : null;
    }
}
