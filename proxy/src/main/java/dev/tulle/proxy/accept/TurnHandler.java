package dev.tulle.proxy.accept;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import java.util.function.Supplier;

/** First handler of an accepted connection: makes and starts the one that serves it when it is its client's turn. */
final class TurnHandler extends EarlyBytes {
    private final Turns turns;
    private final String client;
    private final Supplier<ChannelHandler> next;

    TurnHandler(Turns turns, String client, Supplier<ChannelHandler> next) {
        super(null);
        this.turns = turns;
        this.client = client;
        this.next = next;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        turns.take(client, () -> begin(context));
    }

    private boolean begin(ChannelHandlerContext context) {
        Channel channel = context.channel();
        if (!channel.isActive()) {
            return false;
        }
        context.pipeline().addLast(next.get());
        context.fireChannelActive();
        if (channel.isActive()) {
            leave(context.pipeline());
        } else {
            release();
        }
        return true;
    }
}
