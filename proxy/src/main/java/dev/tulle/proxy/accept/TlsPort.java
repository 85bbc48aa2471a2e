package dev.tulle.proxy.accept;

import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.ssl.AbstractSniHandler;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * First handler of a connection of TLS at the edge: the name that the caller asks for chooses the certificate and what
 * comes after it, or that all of it is carried on as it is; without anything for it, or when the handshake fails or takes
 * too long, the connection ends. Meanwhile it is asked whose it is: a handshake that never ends is one of its client's
 * connections, too. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class TlsPort extends AbstractSniHandler<EdgePort.Chosen> {
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(10);

    /** Bytes of a caller's first message, which says what it asks for; those in use have some hundreds, at most 3 KiB. */
    private static final int MAX_HELLO = 64 << 10;

    /** How TLS begins: a record of this type. */
    private static final byte HANDSHAKE = 22;

    private final LoopScope scope;
    private final EdgePort port;
    private EdgePort.Chosen.@Nullable Ending chosen;
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
    private boolean begun;
    private boolean handed;
    private boolean refused;

    TlsPort(LoopScope scope, EdgePort port) {
        // Its own timer would need a task of the loop for each connection.
        super(MAX_HELLO, 0);
        this.scope = scope;
        this.port = port;
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

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) throws Exception {
        if (!begun && message instanceof ByteBuf data && data.isReadable()) {
            begun = true;
            if (data.getByte(data.readerIndex()) != HANDSHAKE) {
                // It would be taken for a caller that asks for nobody, and carried on where TLS passes through for all.
                data.release();
                refuse(context.channel(), "tls_handshake_failed");
                return;
            }
        }
        super.channelRead(context, message);
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
    protected Future<EdgePort.Chosen> lookup(ChannelHandlerContext context, @Nullable String name) {
        String asked = name == null ? "" : name;
        EdgePort.Chosen found = port.choose(asked);
        if (found != null) {
            return context.executor().newSucceededFuture(found);
        }
        Promise<EdgePort.Chosen> later = context.executor().newPromise();
        // Netty holds the first message until it is answered.
        context.channel().closeFuture().addListener(closed -> later.cancel(false));
        await(later, context.channel(), asked);
        return later;
    }

    /** Waits for what has been acknowledged and is not in force yet; the connection's own bound is on this as well. */
    private void await(Promise<EdgePort.Chosen> later, Channel of, String asked) {
        port.whenChanged(() -> scope.onLoop(() -> ask(later, of, asked)));
        // It may have changed before it was known that somebody waits.
        EdgePort.Chosen found = port.choose(asked);
        if (found != null) {
            give(later, of, found);
        }
    }

    private void ask(Promise<EdgePort.Chosen> later, Channel of, String asked) {
        if (later.isDone() || !of.isActive()) {
            return;
        }
        EdgePort.Chosen found = port.choose(asked);
        if (found == null) {
            await(later, of, asked);
        } else {
            give(later, of, found);
        }
    }

    private static void give(Promise<EdgePort.Chosen> later, Channel of, EdgePort.Chosen found) {
        if (!of.isActive() || !later.trySuccess(found)) {
            found.release();
        }
    }

    @Override
    protected void onLookupComplete(
            ChannelHandlerContext context, @Nullable String name, Future<EdgePort.Chosen> future) {
        if (future.isCancelled()) {
            // The caller has gone while it waited, or was refused.
            return;
        }
        Channel of = context.channel();
        EdgePort.Chosen found = future.isSuccess() ? future.getNow() : new EdgePort.Chosen.Nobody("tls_no_certificate");
        switch (found) {
            case EdgePort.Chosen.Nobody(String reason) -> refuse(of, reason);
            case EdgePort.Chosen.Passing(OutboundService service) -> pass(context, service);
            case EdgePort.Chosen.Ending ending -> end(context, ending);
        }
    }

    /** Everything that the caller has said, and will say, is for the service. */
    private void pass(ChannelHandlerContext context, OutboundService service) {
        Channel of = context.channel();
        scope.worker().timers().remove(late);
        of.config().setAutoRead(false);
        handed = true;
        ChannelPipeline pipeline = context.pipeline();
        EarlyBytes said = pipeline.get(Handshake.class);
        // What was read is passed on to the one behind.
        pipeline.remove(this);
        OutboundFlow.beginEdge(scope, of, service, source, true, false);
        said.leave(pipeline);
    }

    private void end(ChannelHandlerContext context, EdgePort.Chosen.Ending ending) {
        chosen = ending;
        SslHandler handler;
        try {
            handler = ending.context().newHandler(context.alloc());
        } finally {
            // The handler has its own hold of it.
            ending.release();
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

    private static String why(@Nullable Throwable cause) {
        return cause instanceof TooLongFrameException ? "tls_hello_too_long" : "tls_handshake_failed";
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
            EdgePort.Chosen.Ending found = chosen;
            if (!done.isSuccess() || found == null) {
                refuse(context.channel(), why(done.cause()));
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
                // It does not even begin as TLS does, or never comes to the name.
                refuse(context.channel(), why(cause));
            } else {
                context.close();
            }
        }
    }
}
