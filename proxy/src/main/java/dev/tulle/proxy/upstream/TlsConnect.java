package dev.tulle.proxy.upstream;

import dev.tulle.proxy.loop.Ends;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.transport.ClientTransport;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelOutputShutdownEvent;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.net.ConnectException;
import java.nio.channels.ClosedChannelException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Connects with TLS: what the connection is for gets its place in the pipeline when the server is known to be the one that
 * is wanted, and not before. The reading of the files, connect and handshake share one time. Loop-confined.
 */
// A failed close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class TlsConnect extends ChannelInitializer<Channel> implements UpstreamChannels.Ended {
    /** A prefix of what is said of a connect that fails because of TLS, as in Envoy. */
    static final String TROUBLE = "TLS_error: ";

    private final Worker worker;
    private final byte @Nullable [] header;
    private final ClientTransport transport;
    private final ClientTransport.Spoken spoken;
    private final ChannelHandler handler;
    private final UpstreamChannels.Ended then;
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            String missing = transport.isRead() ? "no handshake" : "the certificates are not read";
            end(null, new ConnectException(TROUBLE + missing + " within the connect timeout"));
        }
    };
    private @Nullable Channel channel;
    private boolean over;
    private boolean ready;

    private TlsConnect(
            Worker worker,
            byte @Nullable [] header,
            ClientTransport transport,
            ClientTransport.Spoken spoken,
            ChannelHandler handler,
            UpstreamChannels.Ended then) {
        this.worker = worker;
        this.header = header;
        this.transport = transport;
        this.spoken = spoken;
        this.handler = handler;
        this.then = then;
    }

    private static SSLException unusable(ClientTransport transport) {
        return new SSLException(TROUBLE + transport.trouble());
    }

    /** Begins; on the loop. What it calls back, it calls later. */
    static void begin(
            Worker worker,
            Destination to,
            int timeoutMillis,
            byte @Nullable [] header,
            ClientTransport transport,
            ClientTransport.Spoken spoken,
            ChannelHandler handler,
            UpstreamChannels.Ended then) {
        TlsConnect connect = new TlsConnect(worker, header, transport, spoken, handler, then);
        worker.timers().set(connect.timer, System.nanoTime() + timeoutMillis * 1_000_000L);
        if (transport.isRead()) {
            connect.connect(to, timeoutMillis);
        } else {
            transport.whenRead(() -> worker.loop().execute(() -> connect.connect(to, timeoutMillis)));
        }
    }

    private void connect(Destination to, int timeoutMillis) {
        if (over) {
            // The files were read too late.
            return;
        }
        if (transport.isUsable()) {
            UpstreamChannels.connect(worker, to, timeoutMillis, header, this, this);
        } else {
            worker.loop().execute(() -> end(null, unusable(transport)));
        }
    }

    @Override
    protected void initChannel(Channel made) {
        channel = made;
        SslHandler tls = transport.handler(worker.allocator(), spoken);
        if (tls == null) {
            end(null, unusable(transport));
            return;
        }
        // The timer's.
        tls.setHandshakeTimeoutMillis(0);
        made.pipeline().addLast(tls, new Events());
    }

    /** The connection without TLS is there, or will not be. */
    @Override
    public void ended(@Nullable Channel made, @Nullable Throwable failure) {
        if (failure != null) {
            end(null, failure);
        }
    }

    private void end(@Nullable Channel ready, @Nullable Throwable failure) {
        if (over) {
            return;
        }
        over = true;
        worker.timers().remove(timer);
        Channel made = channel;
        if (failure != null && made != null) {
            made.close();
        }
        then.ended(ready, failure);
    }

    private static SSLException named(Throwable cause) {
        Throwable deepest = cause;
        while (deepest.getCause() != null) {
            deepest = deepest.getCause();
        }
        String why = deepest instanceof ClosedChannelException
                ? "the server closed the connection in the handshake"
                : deepest.getMessage() == null ? deepest.toString() : deepest.getMessage();
        return new SSLException(TROUBLE + why, cause);
    }

    /** What TLS tells, for those behind it. */
    private final class Events extends ChannelDuplexHandler {
        private boolean ended;
        private boolean closing;

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (event instanceof SslHandshakeCompletionEvent handshake) {
                if (over) {
                    context.close();
                } else if (handshake.isSuccess()) {
                    ready = true;
                    context.pipeline().addLast(handler);
                    end(context.channel(), null);
                } else {
                    end(null, named(handshake.cause()));
                }
            } else if (event instanceof SslCloseCompletionEvent close) {
                if (!close.isSuccess()) {
                    cut(context);
                } else if (!isOursAlone(context)) {
                    said(context);
                }
            } else if (event instanceof ChannelInputShutdownEvent && Ends.isCut(context.channel())) {
                cut(context);
            } else if (event instanceof ChannelOutputShutdownEvent) {
                ended = true;
            } else {
                context.fireUserEventTriggered(event);
            }
        }

        /** Once our half has ended, the engine calls the whole closed with whatever comes next. */
        private boolean isOursAlone(ChannelHandlerContext context) {
            return ended && Ends.isCut(context.channel());
        }

        /** The connection ends and the stream has not: anybody on the way can have done this, and more may have followed. */
        private void cut(ChannelHandlerContext context) {
            if (ready && !closing) {
                closing = true;
                context.fireExceptionCaught(new SSLException("the server ended the connection without ending TLS"));
                context.close();
            }
        }

        @Override
        public void close(ChannelHandlerContext context, ChannelPromise promise) {
            closing = true;
            context.close(promise);
        }

        /** The server has nothing more to say, which without TLS would be the end of its stream. */
        private void said(ChannelHandlerContext context) {
            if (Boolean.TRUE.equals(context.channel().config().getOption(ChannelOption.ALLOW_HALF_CLOSURE))) {
                context.fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
            } else {
                context.close();
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            // Until there is somebody behind it, the end of the handshake tells.
            if (ready) {
                context.fireExceptionCaught(
                        cause instanceof io.netty.handler.codec.DecoderException ? named(cause) : cause);
            }
        }
    }
}
