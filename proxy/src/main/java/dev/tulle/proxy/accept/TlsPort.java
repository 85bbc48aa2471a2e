package dev.tulle.proxy.accept;

import dev.tulle.proxy.loop.TimerWheel;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.AbstractSniHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * First handler of a connection of TLS at the edge: the name that the caller asks for chooses the certificate and what
 * comes after it; without one for it, or when the handshake fails or takes too long, the connection ends. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class TlsPort extends AbstractSniHandler<EdgeChains.Chosen> {
    private static final long PATIENCE_SECONDS = 10;

    private final LoopScope scope;
    private final EdgeChains chains;
    private EdgeChains.@Nullable Chosen chosen;
    private final TimerWheel.Timer late = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            Channel open = channel;
            if (open != null) {
                refuse(open, "tls_handshake_timeout");
            }
        }
    };
    private @Nullable Channel channel;
    private boolean refused;

    TlsPort(LoopScope scope, EdgeChains chains) {
        // Its own timer would need a task of the loop for each connection.
        super(0);
        this.scope = scope;
        this.chains = chains;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        Channel accepted = context.channel();
        channel = accepted;
        context.pipeline().addAfter(context.name(), null, new Handshake());
        scope.worker().timers().set(late, System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS));
        accepted.closeFuture().addListener(closed -> scope.worker().timers().remove(late));
        accepted.config().setAutoRead(true);
    }

    @Override
    protected Future<EdgeChains.Chosen> lookup(ChannelHandlerContext context, @Nullable String name) {
        EdgeChains.Chosen found = chains.choose(name == null ? "" : name);
        return found == null
                ? context.executor().newFailedFuture(new IllegalStateException("no certificate for this name"))
                : context.executor().newSucceededFuture(found);
    }

    @Override
    protected void onLookupComplete(
            ChannelHandlerContext context, @Nullable String name, Future<EdgeChains.Chosen> future) {
        Channel of = context.channel();
        EdgeChains.Chosen found = future.isSuccess() ? future.getNow() : null;
        if (found == null) {
            refuse(of, "tls_no_certificate");
            return;
        }
        chosen = found;
        SslContext tls = found.context();
        SslHandler handler;
        try {
            handler = tls.newHandler(context.alloc());
        } finally {
            // The handler has its own hold of it.
            found.release();
        }
        // The whole of it has the one bound that began with the connection.
        handler.setHandshakeTimeoutMillis(0);
        context.pipeline().addAfter(context.name(), null, handler);
        context.pipeline().remove(this);
    }

    private void refuse(Channel of, String reason) {
        if (refused) {
            return;
        }
        refused = true;
        scope.worker().timers().remove(late);
        scope.refused().with(reason).increment();
        of.close();
    }

    /** Waits for the end of the handshake. */
    private final class Handshake extends EarlyBytes {
        Handshake() {
            super(null);
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (!(event instanceof SslHandshakeCompletionEvent done)) {
                super.userEventTriggered(context, event);
                return;
            }
            EdgeChains.Chosen found = chosen;
            if (!done.isSuccess() || found == null) {
                refuse(context.channel(), "tls_handshake_failed");
                return;
            }
            scope.worker().timers().remove(late);
            context.channel().config().setAutoRead(false);
            SslHandler tls = context.pipeline().get(SslHandler.class);
            boolean http2 = tls != null && "h2".equals(tls.applicationProtocol());
            OutboundFlow.beginEdge(scope, context.channel(), found.service(), true, http2);
            leave(context.pipeline());
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            if (chosen == null && context.channel().isOpen()) {
                // It does not even begin as TLS does.
                refuse(context.channel(), "tls_handshake_failed");
            } else {
                context.close();
            }
        }
    }
}
