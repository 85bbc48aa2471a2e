package dev.tulle.proxy.accept;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** First handler of a captured connection: asks the kernel where it was going. Loop-confined. */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class OutboundPort extends ChannelInboundHandlerAdapter {
    private static final int TRIES = 20;
    private static final int PAUSE_MILLIS = 5;

    private final LoopScope scope;

    OutboundPort(LoopScope scope) {
        this.scope = scope;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        begin(context, 0);
    }

    private void begin(ChannelHandlerContext context, int tries) {
        Channel channel = context.channel();
        InetSocketAddress destination = destination(channel);
        if (destination == null && tries < TRIES && channel.isActive()) {
            // The kernel's programs may be changing to another version, which has the answer in a moment.
            channel.eventLoop().schedule(() -> begin(context, tries + 1), PAUSE_MILLIS, TimeUnit.MILLISECONDS);
            return;
        }
        context.pipeline().remove(this);
        if (destination == null) {
            // Somebody dialled the port itself: there is nowhere to go, and going on would be a loop.
            scope.refused().with("no_original_destination").increment();
            channel.close();
            return;
        }
        OutboundFlow.begin(scope, channel, destination, false, null);
    }

    private static @Nullable InetSocketAddress destination(Channel channel) {
        Accepted kernel = Accepted.of(channel);
        InetSocketAddress dialled = kernel == null ? null : kernel.dialled();
        // Without programs connection tracking knows.
        return dialled != null || !(channel instanceof EpollSocketChannel epoll)
                ? dialled
                : OriginalDestination.of(epoll);
    }
}
