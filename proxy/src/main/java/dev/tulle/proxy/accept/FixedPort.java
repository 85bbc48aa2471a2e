package dev.tulle.proxy.accept;

import dev.tulle.proxy.discovery.OutboundService;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;

/** First handler of a connection whose service is known from the port. Loop-confined. */
final class FixedPort extends ChannelInboundHandlerAdapter {
    private final LoopScope scope;
    private final OutboundService service;

    FixedPort(LoopScope scope, OutboundService service) {
        this.scope = scope;
        this.service = service;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        Channel channel = context.channel();
        context.pipeline().remove(this);
        OutboundFlow.beginPublished(scope, channel, service);
    }
}
