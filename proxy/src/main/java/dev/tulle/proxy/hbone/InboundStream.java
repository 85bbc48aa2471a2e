package dev.tulle.proxy.hbone;

import dev.tulle.proxy.http2.FramedConnection;
import dev.tulle.proxy.loop.Worker;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Stream;
import java.net.InetSocketAddress;

/**
 * The target's end of a tunnel: a channel from the first moment on, which does not read, until it is known whether there is
 * a tunnel at all. Whoever closes it before that has refused it. Loop-confined.
 */
// A failed registration or close is one of the channel, which tells.
@SuppressWarnings("FutureReturnValueIgnored")
public final class InboundStream extends TunnelStream {
    private boolean answered;

    private InboundStream(FramedConnection<?> connection, Http2Stream stream, Worker worker) {
        super(connection, worker);
        open(stream);
    }

    /**
     * One that was asked for; refused without a channel when the question is wrong.
     *
     * @param stream where it was asked for
     */
    public static InboundStream of(FramedConnection<?> connection, Http2Stream stream, Worker worker) {
        return new InboundStream(connection, stream, worker);
    }

    /**
     * Makes it a channel.
     *
     * @param parent the connection's
     * @param dialled the workload's address and port
     * @param client the caller's address
     */
    public TunnelChannel begin(
            Channel parent, InetSocketAddress dialled, InetSocketAddress client, ChannelHandler first) {
        TunnelChannel made = new TunnelChannel(parent, this, dialled, client);
        made.config().setAutoRead(false);
        made.config().setOption(io.netty.channel.ChannelOption.ALLOW_HALF_CLOSURE, true);
        carry(made);
        made.pipeline().addLast(first);
        parent.eventLoop().register(made);
        return made;
    }

    /** The tunnel is there. */
    public void accept() {
        if (!answered) {
            answered = true;
            send(fields().status(Answers.OPEN), false);
            flushStream();
        }
    }

    /** There is none; see {@link Answers}. */
    public void refuse(int why) {
        if (answered) {
            return;
        }
        answered = true;
        send(fields().status(why), true);
        flushStream();
        TunnelChannel of = channel();
        if (of != null) {
            of.close();
        }
        resetAfterEnd(Http2Error.NO_ERROR);
    }

    /** True when it is known whether there is a tunnel. */
    public boolean isAnswered() {
        return answered;
    }

    /** Trailers, which bytes have none of; their end is an end. */
    @Override
    protected void head(Http2Headers fields, boolean ends) {
        TunnelChannel to = channel();
        if (ends && to != null) {
            to.received(Unpooled.EMPTY_BUFFER, true);
        }
    }

    @Override
    public void closed(String trouble) {
        answered = true;
        super.closed(trouble);
    }

    @Override
    void end() {
        accept();
        super.end();
    }

    @Override
    void abort() {
        if (answered) {
            super.abort();
        } else {
            refuse(Answers.UNREACHABLE);
        }
    }

    @Override
    void leave() {
        if (answered) {
            super.leave();
        } else {
            refuse(Answers.UNREACHABLE);
        }
    }
}
