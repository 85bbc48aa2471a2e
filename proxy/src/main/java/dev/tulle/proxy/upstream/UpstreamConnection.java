package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.ChunkedBody;
import dev.tulle.proxy.http1.Chunks;
import dev.tulle.proxy.http1.ForwardedRequest;
import dev.tulle.proxy.http1.HeadWriter;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.loop.Ends;
import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.loop.QuickAck;
import dev.tulle.proxy.loop.Worker;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import org.jspecify.annotations.Nullable;

/**
 * One connection to an endpoint. Carries one request at a time, and goes back to its pool only when request and response
 * both ended as they should. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class UpstreamConnection extends ChannelInboundHandlerAdapter implements UpstreamStream {
    /** Informational responses to one request before the server is taken for broken. */
    private static final int MAX_INTERIM = 16;

    private enum Framing {
        /** Nobody waits for a response. */
        IDLE,
        HEAD,
        LENGTH,
        CHUNKED,
        UNTIL_CLOSE,
        TUNNEL,
        /** Idle here, but with the lender, who may have requests on it. */
        LENT,
        CLOSED
    }

    /** What a request wants its connection to become. */
    private enum Asked {
        /** Nothing else: HTTP as before. */
        NOTHING,
        /** Another protocol, if the server switches (101). */
        UPGRADE,
        /** A tunnel to somewhere else, if the server agrees (2xx): RFC 9110 section 9.3.6. */
        TUNNEL
    }

    private final Lane lane;
    private final EndpointPool pool;
    private final Worker worker;
    private final Channel channel;
    private final Outgoing out;
    private final ResponseHead head = new ResponseHead();
    private final ChunkedBody chunked = new ChunkedBody();
    private final QuickAck quickAck;

    private Framing framing = Framing.IDLE;
    private long remaining;
    private int interims;
    private boolean toHead;
    private Asked asked = Asked.NOTHING;
    private Switching switching = Switching.NONE;
    private boolean sendsChunks;
    private boolean reusable;
    private int requests;
    private String trouble = "";
    private boolean reset;
    private @Nullable UpstreamUser user;
    private long loan;
    long idleSince;

    UpstreamConnection(Lane lane, Channel channel) {
        this.lane = lane;
        this.pool = lane.pool();
        this.worker = pool.worker();
        this.channel = channel;
        this.quickAck = new QuickAck(channel);
        this.out = new Outgoing(channel);
    }

    /** The channel, for options and addresses. */
    public Channel channel() {
        return channel;
    }

    @Override
    public EndpointPool pool() {
        return pool;
    }

    /** When it became idle, as {@link System#nanoTime}. */
    public long idleSince() {
        return idleSince;
    }

    int requests() {
        return requests;
    }

    boolean isUsable() {
        return framing == Framing.IDLE && channel.isActive();
    }

    @Override
    public void send(UpstreamUser next, ForwardedRequest request) {
        RequestHead sent = request.head();
        adopt(next, sent.isHead());
        switching = Switching.of(sent, worker.random());
        asked = sent.isConnect() ? Asked.TUNNEL : sent.isUpgrade() ? Asked.UPGRADE : Asked.NOTHING;
        sendsChunks = sent.isChunked();
        ByteSink sink = worker.sink();
        HeadWriter.request(sink, request, worker.random(), switching.key());
        out.add(sink, 0);
    }

    @Override
    public void data(ByteBuf piece) {
        if (sendsChunks) {
            Chunks.add(worker.sink(), out, piece);
        } else {
            out.add(piece);
        }
    }

    @Override
    public void end(byte[] trailers) {
        if (sendsChunks) {
            Chunks.end(worker.sink(), out, trailers);
        }
    }

    @Override
    public boolean flush() {
        return out.flush();
    }

    @Override
    public boolean isWritable() {
        return channel.isWritable();
    }

    @Override
    public long unsent() {
        return UpstreamChannels.unsent(channel);
    }

    /**
     * Waits for the response to a request whose head was sent by somebody else; its body is framed by its length.
     *
     * @param isHead true when the response has no body whatever it says
     */
    public void adopt(UpstreamUser next, boolean isHead) {
        user = next;
        toHead = isHead;
        asked = Asked.NOTHING;
        switching = Switching.NONE;
        sendsChunks = false;
        framing = Framing.HEAD;
        interims = 0;
        reusable = true;
        requests++;
        head.reset();
    }

    /**
     * Goes on with a response whose head and beginning the client has already got.
     *
     * @param left bytes of its body to come
     */
    public void resume(UpstreamUser next, long left) {
        user = next;
        framing = Framing.LENGTH;
        remaining = left;
        reusable = true;
        requests++;
    }

    /** The lender has it from now on, under this name, which is not 0. */
    public void lent(long name) {
        loan = name;
        framing = Framing.LENT;
        // So that the lender can still ask about the socket when the server has ended its stream.
        channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    }

    /** It is idle and the proxy's own again; requests may have been served on it. */
    public void recalled() {
        framing = Framing.IDLE;
        requests++;
        channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, false);
    }

    /** Its name with the lender; 0 when it was never lent. */
    public long loan() {
        return loan;
    }

    /** The connection serves again if nothing speaks against it. */
    @Override
    public void finish(boolean requestComplete) {
        user = null;
        if (framing == Framing.IDLE && reusable && requestComplete && channel.isActive()) {
            lane.release(this);
        } else {
            close();
        }
    }

    @Override
    public void abandon() {
        user = null;
        close();
    }

    @Override
    public void endOutput() {
        out.flush();
        Ends.output(channel);
    }

    @Override
    public boolean isTunnel() {
        return framing == Framing.TUNNEL;
    }

    @Override
    public boolean wasReset() {
        return reset;
    }

    @Override
    public void reset() {
        user = null;
        out.flush();
        Ends.reset(channel);
        close();
    }

    @Override
    public void closeWhenSent() {
        user = null;
        if (framing != Framing.CLOSED) {
            framing = Framing.CLOSED;
            out.flush();
            Ends.both(channel);
            lane.closed(this);
        }
    }

    /** Closes it. */
    public void close() {
        if (framing == Framing.LENT) {
            pool.lender().gone(this);
        }
        if (framing != Framing.CLOSED) {
            framing = Framing.CLOSED;
            out.flush();
            channel.close();
            lane.closed(this);
        }
    }

    @Override
    public void read(boolean on) {
        if (channel.config().isAutoRead() != on) {
            channel.config().setAutoRead(on);
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        ByteBuf in = (ByteBuf) message;
        try {
            quickAck.came(in.readableBytes());
            if (framing == Framing.LENT) {
                pool.lender().spoke(this);
            }
            receive(in);
        } finally {
            in.release();
        }
    }

    private void receive(ByteBuf in) {
        while (in.isReadable()) {
            UpstreamUser current = user;
            if (current == null) {
                // Bytes that nobody asked for: the next response on this connection could be a planted one.
                close();
                return;
            }
            switch (framing) {
                case IDLE -> {
                    reusable = false;
                    return;
                }
                case HEAD -> {
                    ParseStatus status = head.read(in);
                    if (status == ParseStatus.NEED_MORE) {
                        return;
                    }
                    if (status.isError()) {
                        malformed("malformed response: " + status.text());
                        return;
                    }
                    headComplete(current, in.readableBytes());
                }
                case LENGTH -> {
                    int n = (int) Math.min(remaining, in.readableBytes());
                    remaining -= n;
                    current.responseData(in.readRetainedSlice(n));
                    if (remaining == 0) {
                        end(current, in);
                    }
                }
                case CHUNKED -> chunks(current, in);
                case UNTIL_CLOSE, TUNNEL -> current.responseData(in.readRetainedSlice(in.readableBytes()));
                case LENT, CLOSED -> {
                    return;
                }
            }
        }
    }

    private void chunks(UpstreamUser current, ByteBuf in) {
        ByteBuf data = chunked.next(in);
        if (data != null) {
            current.responseData(data);
        } else if (chunked.isBroken()) {
            malformed("malformed response: " + ParseStatus.BAD_CHUNK.text());
        } else if (chunked.isComplete()) {
            byte[] trailers = chunked.trailers();
            if (trailers.length > 0) {
                current.responseTrailers(trailers);
            }
            end(current, in);
        }
    }

    private void headComplete(UpstreamUser current, int following) {
        int code = head.code();
        if (code == 101 && (asked != Asked.UPGRADE || !head.isUpgrade())) {
            malformed("101 without having been asked to switch protocols");
            return;
        }
        String fault = switching.fault(head);
        if (fault != null) {
            malformed("malformed response: " + fault);
            return;
        }
        if (code == 101 || (asked == Asked.TUNNEL && code / 100 == 2)) {
            framing = Framing.TUNNEL;
            reusable = false;
            // Each direction ends on its own from now on.
            channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
            current.responseHead(head, following);
            return;
        }
        if (code < 200) {
            if (++interims > MAX_INTERIM) {
                malformed("more than " + MAX_INTERIM + " informational responses");
                return;
            }
            current.interim(head);
            head.reset();
            return;
        }
        reusable &= head.keepsAlive();
        if (head.isBodyless(toHead)) {
            boolean lies = code == 204 && (head.isChunked() || head.contentLength() > 0);
            reusable &= !lies;
            framing = Framing.LENGTH;
            remaining = 0;
        } else if (head.isChunked()) {
            framing = Framing.CHUNKED;
            chunked.reset();
        } else if (head.contentLength() >= 0) {
            framing = Framing.LENGTH;
            remaining = head.contentLength();
        } else {
            framing = Framing.UNTIL_CLOSE;
            reusable = false;
        }
        boolean empty = framing == Framing.LENGTH && remaining == 0;
        if (empty) {
            framing = Framing.IDLE;
            reusable &= following == 0;
        }
        current.responseHead(head, following);
        if (empty && user == current) {
            current.responseEnd();
        }
    }

    private void end(UpstreamUser current, ByteBuf rest) {
        if (user != current) {
            return;
        }
        framing = Framing.IDLE;
        reusable &= !rest.isReadable();
        current.responseEnd();
    }

    private void malformed(String reason) {
        broken(reason, true);
    }

    private void broken(String reason, boolean malformed) {
        UpstreamUser current = user;
        boolean untouched = !malformed && requests > 1 && framing == Framing.HEAD && head.isEmpty() && interims == 0;
        user = null;
        close();
        if (current != null) {
            current.upstreamBroken(reason, malformed, untouched ? UpstreamUser.Seen.HARDLY : UpstreamUser.Seen.PERHAPS);
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        switch (framing) {
            case HEAD -> quickAck.turnOver(!head.isEmpty());
            case LENGTH -> quickAck.turnOver(remaining > 0);
            case CHUNKED, UNTIL_CLOSE -> quickAck.turnOver(true);
            case TUNNEL -> quickAck.turnOver();
            case IDLE, LENT, CLOSED -> quickAck.turnOver(false);
        }
        UpstreamUser current = user;
        if (current != null) {
            current.readComplete();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
        UpstreamUser current = user;
        if (current != null) {
            current.upstreamWritability(channel.isWritable());
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            UpstreamUser current = user;
            if (framing == Framing.TUNNEL && current != null) {
                current.tunnelEnded();
                return;
            }
            if (framing == Framing.LENT) {
                pool.lender().spoke(this);
            }
            // Whoever uses it now hears of the end when the channel has closed.
            channel.close();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        out.discard();
        UpstreamUser current = user;
        if (current != null && framing == Framing.UNTIL_CLOSE && trouble.isEmpty()) {
            framing = Framing.IDLE;
            current.responseEnd();
            current.readComplete();
            close();
            return;
        }
        broken(trouble.isEmpty() ? "the server closed the connection" : trouble, false);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        // After a failed write the answer may still be read; after a failed read the channel closes by itself.
        trouble = cause.getMessage() == null ? cause.toString() : cause.getMessage();
        reset |= Ends.isReset(cause);
        reusable = false;
        if (framing == Framing.TUNNEL) {
            // With half-closes allowed a failed read would look like the end of one half.
            channel.close();
        }
        if (user == null && framing != Framing.LENT) {
            close();
        }
    }
}
