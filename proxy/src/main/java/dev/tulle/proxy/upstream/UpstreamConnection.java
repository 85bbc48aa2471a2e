package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.Chunks;
import dev.tulle.proxy.http1.ForwardedRequest;
import dev.tulle.proxy.http1.HeadWriter;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.loop.Ends;
import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.loop.QuickAck;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.UpstreamState.Event;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.ChannelInputShutdownEvent;

/**
 * One connection to an endpoint. Carries one request at a time, and goes back to its pool only when request and response
 * both ended as they should. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class UpstreamConnection extends ChannelInboundHandlerAdapter implements UpstreamStream {
    private final Lane lane;
    private final EndpointPool pool;
    private final Worker worker;
    private final Channel channel;
    private final Outgoing out;
    private final QuickAck quickAck;
    private final Answers answers = new Answers();
    private final AnswerReader reader = new AnswerReader(answers);
    private boolean sendsChunks;
    private int requests;
    private String trouble = "";
    private boolean reset;
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
        return reader.is(UpstreamState.IDLE) && channel.isActive();
    }

    // ---- the request ----

    @Override
    public void send(UpstreamUser next, ForwardedRequest request) {
        RequestHead sent = request.head();
        Switching switching = Switching.of(sent, worker.random());
        AnswerReader.Asked asked = sent.isConnect()
                ? AnswerReader.Asked.TUNNEL
                : sent.isUpgrade() ? AnswerReader.Asked.UPGRADE : AnswerReader.Asked.NOTHING;
        begin(next, sent.isHead(), asked, switching);
        sendsChunks = sent.isChunked();
        ByteSink sink = worker.sink();
        HeadWriter.request(sink, request, worker.random(), switching.key());
        out.add(sink, 0);
    }

    private void begin(UpstreamUser next, boolean isHead, AnswerReader.Asked asked, Switching switching) {
        reader.begin(next, isHead, asked, switching);
        requests++;
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

    // ---- the lender ----

    /**
     * Waits for the response to a request whose head was sent by somebody else; its body is framed by its length.
     *
     * @param isHead true when the response has no body whatever it says
     */
    public void adopt(UpstreamUser next, boolean isHead) {
        sendsChunks = false;
        begin(next, isHead, AnswerReader.Asked.NOTHING, Switching.NONE);
    }

    /**
     * Goes on with a response whose head and beginning the client has already got.
     *
     * @param left bytes of its body to come
     */
    public void resume(UpstreamUser next, long left) {
        reader.goOn(next, left);
        requests++;
    }

    /** The lender has it from now on, under this name, which is not 0. */
    public void lent(long name) {
        loan = name;
        reader.on(Event.LENT);
        // So that the lender can still ask about the socket when the server has ended its stream.
        channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    }

    /** It is idle and the proxy's own again; requests may have been served on it. */
    public void recalled() {
        reader.on(Event.RECALLED);
        requests++;
        channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, false);
    }

    /** Its name with the lender; 0 when it was never lent. */
    public long loan() {
        return loan;
    }

    // ---- its end ----

    /** The connection serves again if nothing speaks against it. */
    @Override
    public void finish(boolean requestComplete) {
        reader.leave();
        if (reader.isReusable() && requestComplete && channel.isActive()) {
            lane.release(this);
        } else {
            close();
        }
    }

    @Override
    public void abandon() {
        reader.leave();
        close();
    }

    @Override
    public void endOutput() {
        out.flush();
        Ends.output(channel);
    }

    @Override
    public boolean isTunnel() {
        return reader.is(UpstreamState.TUNNEL);
    }

    @Override
    public boolean wasReset() {
        return reset;
    }

    @Override
    public void reset() {
        reader.leave();
        out.flush();
        Ends.reset(channel);
        close();
    }

    @Override
    public void closeWhenSent() {
        reader.leave();
        if (!reader.is(UpstreamState.CLOSED)) {
            reader.on(Event.CLOSES);
            out.flush();
            Ends.both(channel);
            lane.closed(this);
        }
    }

    /** Closes it. */
    public void close() {
        if (reader.is(UpstreamState.LENT)) {
            pool.lender().gone(this);
        }
        if (!reader.is(UpstreamState.CLOSED)) {
            reader.on(Event.CLOSES);
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
            if (reader.is(UpstreamState.LENT)) {
                pool.lender().spoke(this);
            }
            reader.read(in);
        } finally {
            in.release();
        }
    }

    /** What its reader has to tell. */
    private final class Answers implements AnswerReader.Owner {
        @Override
        public void unasked() {
            close();
        }

        @Override
        public void switched() {
            channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
        }

        @Override
        public void broken(String reason, boolean malformed) {
            UpstreamUser current = reader.user();
            boolean untouched = !malformed && requests > 1 && reader.isUntouched();
            reader.leave();
            close();
            if (current != null) {
                current.upstreamBroken(
                        reason, malformed, untouched ? UpstreamUser.Seen.HARDLY : UpstreamUser.Seen.PERHAPS);
            }
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        if (isTunnel()) {
            quickAck.turnOver();
        } else {
            quickAck.turnOver(reader.isWithin());
        }
        UpstreamUser current = reader.user();
        if (current != null) {
            current.readComplete();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
        UpstreamUser current = reader.user();
        if (current != null) {
            current.upstreamWritability(channel.isWritable());
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            UpstreamUser current = reader.user();
            if (reader.is(UpstreamState.TUNNEL) && current != null) {
                current.tunnelEnded();
                return;
            }
            if (reader.is(UpstreamState.LENT)) {
                pool.lender().spoke(this);
            }
            // Whoever uses it now hears of the end when the channel has closed.
            channel.close();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        out.discard();
        UpstreamUser current = reader.user();
        if (current != null && reader.is(UpstreamState.UNTIL_CLOSE) && trouble.isEmpty()) {
            reader.on(Event.ENDS);
            current.responseEnd();
            current.readComplete();
            close();
            return;
        }
        answers.broken(trouble.isEmpty() ? "the server closed the connection" : trouble, false);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        // After a failed write the answer may still be read; after a failed read the channel closes by itself.
        trouble = cause.getMessage() == null ? cause.toString() : cause.getMessage();
        reset |= Ends.isReset(cause);
        reader.spoil();
        if (reader.is(UpstreamState.TUNNEL)) {
            // With half-closes allowed a failed read would look like the end of one half.
            channel.close();
        }
        if (reader.user() == null && !reader.is(UpstreamState.LENT)) {
            close();
        }
    }
}
