package dev.tulle.proxy.accept;

import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.AbstractSniHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.concurrent.Future;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * First handler of a connection of TLS at the edge: the name that the caller asks for chooses the certificate and what
 * comes after it; without one for it, or when the handshake fails or takes too long, the connection ends. Meanwhile it is
 * asked whose it is: a handshake that never ends is one of its client's connections, too. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class TlsPort extends AbstractSniHandler<EdgeChains.Chosen> {
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(10);

    private final LoopScope scope;
    private final EdgeChains chains;
    private EdgeChains.@Nullable Chosen chosen;
    private final TimerWheel.Timer late = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            Channel open = channel;
            if (open == null) {
                return;
            }
            if (System.nanoTime() - began >= PATIENCE) {
                refuse(open, "tls_handshake_timeout");
            } else if (counts(open)) {
                scope.worker().timers().set(late, began + PATIENCE);
            }
        }
    };
    private @Nullable Channel channel;
    private long began;
    private WorkloadDirectory.Entry source;
    private boolean handed;
    private boolean refused;

    TlsPort(LoopScope scope, EdgeChains chains) {
        // Its own timer would need a task of the loop for each connection.
        super(0);
        this.scope = scope;
        this.chains = chains;
        this.source = scope.sources().pending();
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        Channel accepted = context.channel();
        channel = accepted;
        context.pipeline().addAfter(context.name(), null, new Handshake());
        began = System.nanoTime();
        scope.worker().timers().set(late, began + OutboundFlow.SOURCE_PATIENCE);
        accepted.closeFuture().addListener(closed -> scope.worker().timers().remove(late));
        scope.sources()
                .find(
                        accepted,
                        (InetSocketAddress) accepted.localAddress(),
                        entry -> entry.whenKnown(() -> scope.onLoop(() -> named(accepted, entry))));
        if (!refused) {
            accepted.config().setAutoRead(true);
        }
    }

    private void named(Channel of, WorkloadDirectory.Entry entry) {
        if (handed) {
            // Whoever has it by now waits for it.
            source.settle(entry);
        } else {
            source = entry;
            var _ = counts(of);
        }
    }

    /** Counts the connection as its client's, as far as that is known; false when that is beyond its share. */
    private boolean counts(Channel of) {
        Held held = LoopShares.of(of);
        if (held == null || held.belongsTo(source.toString())) {
            return true;
        }
        refuse(of, OutboundFlow.OVER_SHARE);
        return false;
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
            handed = true;
            OutboundFlow.beginEdge(scope, context.channel(), found.service(), source, true, http2);
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
