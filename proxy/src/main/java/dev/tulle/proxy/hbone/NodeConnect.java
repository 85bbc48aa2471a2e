package dev.tulle.proxy.hbone;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.proxy.identity.Credentials;
import dev.tulle.proxy.identity.Svid;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.transport.ClientTransport;
import dev.tulle.proxy.upstream.Destination;
import dev.tulle.proxy.upstream.UpstreamChannels;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.security.cert.CertificateException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** Connects to a node: the connection speaks HTTP/2 when both ends have shown who they are, and not before. Loop-confined. */
// A failed close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class NodeConnect extends ChannelInitializer<Channel> {
    private static final int TIMEOUT_MILLIS = 10_000;

    private final Worker worker;
    private final InetSocketAddress node;
    private final Credentials under;
    private final NodeTunnels owner;
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            fail("no handshake within " + TIMEOUT_MILLIS / 1_000 + " s", null);
        }
    };
    private @Nullable Channel channel;
    private boolean over;

    private NodeConnect(Worker worker, InetSocketAddress node, Credentials under, NodeTunnels owner) {
        this.worker = worker;
        this.node = node;
        this.under = under;
        this.owner = owner;
    }

    /**
     * Begins; on the loop.
     *
     * @param under held, and released by this
     */
    static void begin(Worker worker, InetSocketAddress node, Credentials under, NodeTunnels owner) {
        NodeConnect connect = new NodeConnect(worker, node, under, owner);
        worker.timers().set(connect.timer, System.nanoTime() + TIMEOUT_MILLIS * 1_000_000L);
        UpstreamChannels.connect(
                worker,
                Destination.to(node),
                TIMEOUT_MILLIS,
                null,
                null,
                ClientTransport.Spoken.HTTP2,
                connect,
                (made, failure) -> {
                    if (failure != null) {
                        connect.fail(failure.getMessage(), failure);
                    }
                });
    }

    @Override
    protected void initChannel(Channel made) {
        channel = made;
        SslHandler tls = under.client(worker.allocator(), node);
        tls.setHandshakeTimeoutMillis(0);
        made.pipeline().addLast(tls, new Handshake());
    }

    private void fail(@Nullable String why, @Nullable Throwable cause) {
        if (over) {
            return;
        }
        end();
        Channel made = channel;
        if (made != null) {
            made.close();
        }
        IOException told = new ConnectException(Tunnels.TROUBLE + why + " (the node at " + Answers.text(node) + ")");
        if (cause != null) {
            told.initCause(cause);
        }
        owner.failed(told);
    }

    private void end() {
        over = true;
        worker.timers().remove(timer);
        under.release();
    }

    private static String named(Throwable cause) {
        Throwable deepest = cause;
        while (deepest.getCause() != null) {
            deepest = deepest.getCause();
        }
        return deepest instanceof ClosedChannelException
                ? "the node closed the connection in the handshake"
                : deepest.getMessage() == null ? deepest.toString() : deepest.getMessage();
    }

    /** What TLS tells, for those behind it. */
    private final class Handshake extends ChannelInboundHandlerAdapter {
        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (event instanceof SslHandshakeCompletionEvent done) {
                if (!done.isSuccess()) {
                    fail(named(done.cause()), done.cause());
                } else if (!over) {
                    ready(context);
                }
            } else if (event instanceof SslCloseCompletionEvent) {
                context.close();
            } else {
                context.fireUserEventTriggered(event);
            }
        }

        private void ready(ChannelHandlerContext context) {
            SpiffeId peer;
            try {
                SslHandler tls = context.pipeline().get(SslHandler.class);
                if (!"h2".equals(tls.applicationProtocol())) {
                    throw new SSLException("the node does not speak HTTP/2");
                }
                peer = Svid.of(tls.engine().getSession());
            } catch (SSLException | CertificateException e) {
                fail(e.getMessage(), e);
                return;
            }
            end();
            TunnelConnection made = TunnelConnection.of(context.channel(), worker, owner, under, peer);
            context.pipeline().addLast(made);
            owner.connected(made);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            if (over) {
                context.fireExceptionCaught(cause);
            }
        }
    }
}
