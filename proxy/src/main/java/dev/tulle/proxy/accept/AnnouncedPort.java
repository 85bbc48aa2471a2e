package dev.tulle.proxy.accept;

import dev.tulle.common.Ip;
import dev.tulle.proxy.loop.Joined;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.transport.ProxyHeader;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.util.AttributeKey;
import io.netty.util.ReferenceCountUtil;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * First handler of a connection that has to begin with a header of the PROXY protocol: what follows is the header's client's,
 * as far as addresses go. Who the caller is to policies is not said there but by the connection, as everywhere. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class AnnouncedPort extends ChannelInboundHandlerAdapter {
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(10);
    private static final AttributeKey<ProxyHeader.Ends> ENDS = AttributeKey.valueOf("announced");

    private final LoopScope scope;
    private final ChannelHandler next;
    private final long began = System.nanoTime();
    private @Nullable Channel channel;
    private @Nullable ByteBuf bytes;
    private boolean over;
    private final TimerWheel.Timer late = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            Channel waiting = channel;
            if (waiting == null) {
                return;
            }
            if (System.nanoTime() - began >= PATIENCE) {
                refuse(waiting, "proxy_header_timeout");
            } else if (counts(waiting, "")) {
                scope.worker().timers().set(late, began + PATIENCE);
            }
        }
    };

    /**
     * Of a connection.
     *
     * @param next what serves it
     */
    AnnouncedPort(LoopScope scope, ChannelHandler next) {
        this.scope = scope;
        this.next = next;
    }

    /** Who speaks on a connection, as it has begun with; null where that is who has made it. */
    static ProxyHeader.@Nullable Ends of(Channel channel) {
        return channel.hasAttr(ENDS) ? channel.attr(ENDS).get() : null;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        Channel accepted = context.channel();
        channel = accepted;
        scope.worker().timers().set(late, began + OutboundFlow.SOURCE_PATIENCE);
        accepted.closeFuture().addListener(closed -> {
            scope.worker().timers().remove(late);
            release();
        });
        accepted.config().setAutoRead(true);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (over) {
            ReferenceCountUtil.release(message);
            return;
        }
        ByteBuf all = Joined.of(context.alloc(), bytes, (ByteBuf) message);
        bytes = all;
        switch (ProxyHeader.read(all)) {
            case ProxyHeader.Read.More _ -> {}
            case ProxyHeader.Read.Wrong(String reason) -> refuse(context.channel(), reason);
            case ProxyHeader.Read.Whole(int length, var ends) -> {
                ends.ifPresent(context.channel().attr(ENDS)::set);
                all.skipBytes(length);
                String client = ends.map(ProxyHeader.Ends::client)
                        .map(InetSocketAddress::getAddress)
                        .map(Ip::text)
                        .orElse("");
                if (counts(context.channel(), client)) {
                    serve(context);
                }
            }
        }
    }

    private void serve(ChannelHandlerContext context) {
        over = true;
        scope.worker().timers().remove(late);
        context.channel().config().setAutoRead(false);
        context.pipeline().addAfter(context.name(), null, next);
        context.fireChannelActive();
        ByteBuf rest = bytes;
        bytes = null;
        if (rest != null && rest.isReadable()) {
            context.fireChannelRead(rest);
        } else if (rest != null) {
            rest.release();
        }
        context.fireChannelReadComplete();
        context.pipeline().remove(this);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        // Nobody is behind it yet.
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (!over && event instanceof ChannelInputShutdownEvent) {
            refuse(context.channel(), "proxy_header_missing");
        } else {
            context.fireUserEventTriggered(event);
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        context.close();
    }

    /** Counts the connection as a client's; false when that is beyond its share. */
    private boolean counts(Channel of, String client) {
        Held held = LoopShares.of(of);
        if (held == null || held.belongsTo(client)) {
            return true;
        }
        refuse(of, OutboundFlow.OVER_SHARE);
        return false;
    }

    /** Whoever sent it hears by a reset that nothing of it was served. */
    private void refuse(Channel of, String reason) {
        if (over) {
            return;
        }
        over = true;
        scope.worker().timers().remove(late);
        scope.refused().with(reason).increment();
        of.config().setOption(ChannelOption.SO_LINGER, 0);
        release();
        of.close();
    }

    private void release() {
        ByteBuf held = bytes;
        bytes = null;
        if (held != null) {
            held.release();
        }
    }
}
