package dev.tulle.proxy.hbone;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Stream;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/** The caller's end of a tunnel: asks for it, and becomes a channel when the answer is yes. Loop-confined. */
// A failed registration is one of the channel, which tells.
@SuppressWarnings("FutureReturnValueIgnored")
final class OutboundStream extends TunnelStream {
    private final TunnelConnection connection;
    private @Nullable TunnelOpening opening;

    OutboundStream(TunnelConnection connection, TunnelOpening opening) {
        super(connection, connection.worker());
        this.connection = connection;
        this.opening = opening;
    }

    void opened(Http2Stream stream) {
        open(stream);
        TunnelOpening waits = opening;
        if (waits != null) {
            waits.asked(this);
        }
    }

    @Override
    protected void head(Http2Headers fields, boolean ends) {
        TunnelOpening waits = opening;
        if (waits == null) {
            // Trailers, which bytes have none of; their end is an end.
            TunnelChannel to = channel();
            if (ends && to != null) {
                to.received(Unpooled.EMPTY_BUFFER, true);
            }
            return;
        }
        CharSequence status = fields.status();
        String code = status == null ? "" : status.toString();
        if (code.startsWith("1") && code.length() == 3) {
            return;
        }
        opening = null;
        if (!code.equals("200")) {
            reset(Http2Error.CANCEL);
            waits.failed(Answers.refusal(code, waits.target.node(), waits.address));
            return;
        }
        Channel under = connection.channel();
        TunnelChannel made = new TunnelChannel(under, this, (InetSocketAddress) under.localAddress(), waits.address);
        carry(made);
        if (waits.isOver()) {
            reset(Http2Error.CANCEL);
            return;
        }
        made.pipeline().addLast(waits.handler);
        under.eventLoop().register(made);
        if (ends) {
            made.received(Unpooled.EMPTY_BUFFER, true);
        }
        waits.made(made);
    }

    /** Nobody waits for the answer any more. */
    void giveUp() {
        opening = null;
        reset(Http2Error.CANCEL);
    }

    @Override
    protected void closed(String trouble) {
        TunnelOpening waits = opening;
        opening = null;
        super.closed(trouble);
        if (waits != null) {
            waits.failed(new ConnectException(Tunnels.TROUBLE + trouble));
        }
    }

    /** Who waits, if the other end has never seen the question: to be asked again elsewhere. */
    @Nullable
    TunnelOpening takeBack() {
        TunnelOpening waits = opening;
        opening = null;
        return waits;
    }
}
