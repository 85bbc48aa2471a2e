package dev.tulle.proxy.inbound;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.identity.Credentials;
import dev.tulle.proxy.identity.Svid;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.security.cert.CertificateException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * First handler of a connection of another node: nothing is spoken before both ends have shown who they are, in bounded
 * time. Loop-confined.
 */
// A failed close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class InboundPort extends ChannelInboundHandlerAdapter {
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(10);

    private final InboundScope scope;
    private final LoopScope loop;
    private final TimerWheel.Timer late = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            refuse("tunnel_handshake_timeout");
        }
    };
    private @Nullable Channel channel;

    InboundPort(InboundScope scope, LoopScope loop) {
        this.scope = scope;
        this.loop = loop;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        Channel accepted = context.channel();
        channel = accepted;
        Credentials own = scope.identities().hold(scope.own());
        if (own == null) {
            refuse("tunnel_no_certificate");
            return;
        }
        SslHandler tls;
        try {
            tls = own.server(context.alloc());
        } finally {
            // The handler has its own hold of it.
            own.release();
        }
        tls.setHandshakeTimeoutMillis(0);
        loop.worker().timers().set(late, System.nanoTime() + PATIENCE);
        context.pipeline().addBefore(context.name(), null, tls);
        accepted.config().setAutoRead(true);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        loop.worker().timers().remove(late);
        context.fireChannelInactive();
    }

    private void refuse(String why) {
        loop.worker().timers().remove(late);
        Channel of = channel;
        if (of != null && of.isOpen()) {
            loop.refused().with(why).increment();
            of.close();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (!(event instanceof SslHandshakeCompletionEvent done)) {
            context.fireUserEventTriggered(event);
            return;
        }
        SslHandler tls = context.pipeline().get(SslHandler.class);
        if (!done.isSuccess() || tls == null) {
            refuse("tunnel_handshake_failed");
            return;
        }
        loop.worker().timers().remove(late);
        SpiffeId peer;
        try {
            peer = Svid.of(tls.engine().getSession());
        } catch (CertificateException e) {
            refuse("tunnel_certificate");
            return;
        }
        if (!"h2".equals(tls.applicationProtocol())) {
            refuse("tunnel_not_http2");
            return;
        }
        Held held = LoopShares.of(context.channel());
        if (held != null && !held.belongsTo(nameOf(peer))) {
            refuse("client_over_share");
            return;
        }
        context.pipeline().addLast(InboundConnection.of(scope, loop, context.channel(), peer));
        context.pipeline().remove(this);
    }

    /** Whose share of the proxy its connections take: an identity's, whose workloads' names only its node knows. */
    static String nameOf(SpiffeId peer) {
        return peer.workload()
                .map(name -> name.namespace() + "/" + name.serviceAccount())
                .orElse(peer.path());
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        // The end of the handshake tells; whatever comes instead of one ends it too.
        refuse("tunnel_handshake_failed");
    }
}
