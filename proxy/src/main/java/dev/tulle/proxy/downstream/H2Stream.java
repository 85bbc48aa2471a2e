package dev.tulle.proxy.downstream;

import dev.tulle.proxy.forward.Exchange;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http1.Trailers;
import dev.tulle.proxy.http2.GrpcStatus;
import dev.tulle.proxy.http2.ReceivedHeads;
import dev.tulle.proxy.http2.SentHeads;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.stream.Peer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Stream;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One request of a client of HTTP/2 and its response. What comes of the body while the endpoint takes none waits here, and
 * the stream's window, which is not given back meanwhile, bounds it. Loop-confined.
 */
// A failed write reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class H2Stream implements Downstream {
    /** Bytes that may wait for the client before its server is not read from any more. */
    private static final int QUEUE = 64 << 10;

    /** How long a server has for the end of a response that the client has got whole. */
    private static final long PATIENCE_SECONDS = 10;

    private final H2Connection connection;
    private final Http2Stream stream;
    private final RequestHead head = new RequestHead();
    private final Exchange exchange;
    private final ArrayDeque<ByteBuf> pending = new ArrayDeque<>(0);
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            exchange.timeout();
        }
    };

    private ParseStatus status = ParseStatus.NEED_MORE;
    private byte[] requestTrailers = Trailers.NONE;
    private byte[] trailers = Trailers.NONE;
    private int unconsumed;
    private int queued;
    private int queuedTold;
    private @Nullable ChannelPromise ending;
    private int waiting;
    private boolean begun;
    /** The client has ended its half. */
    private boolean ended;
    /** The exchange knows that. */
    private boolean endTold;

    private boolean tunnel;
    private boolean headSent;
    private boolean endSent;
    private boolean over;
    private boolean gone;

    H2Stream(H2Connection connection, Http2Stream stream) {
        this.connection = connection;
        this.stream = stream;
        this.exchange = new Exchange(connection.scope(), this, head);
    }

    // ---- from the client ----

    /** The head has come; {@link #begin} follows when it is this request's turn. */
    void head(Http2Headers fields, boolean ends) {
        exchange.requestBegins();
        status = ReceivedHeads.request(connection.worker().sink(), fields, ends, head);
        ended = ends;
        endTold = ends || !head.hasBody();
    }

    /** Decides on the request. */
    void begin() {
        if (over) {
            return;
        }
        begun = true;
        if (status.isError()) {
            connection.scope().malformed().increment();
            exchange.refuse(status.code(), status.text());
            return;
        }
        connection.touched(this);
        exchange.begin(connection.service(), 0, null);
        passOn();
    }

    /**
     * A piece of the body, or of a tunnel.
     *
     * @return how many of its bytes were taken: for the others there is no room in the window
     */
    int data(ByteBuf in, boolean ends) {
        int n = in.readableBytes();
        if (over) {
            return n;
        }
        ended = ends;
        if (n > 0) {
            pending.add(in.retain());
            unconsumed += n;
        }
        // It is consumed with what came before it, if at all.
        passOn();
        return 0;
    }

    /** True when the client has ended its half. */
    boolean hasEnded() {
        return ended;
    }

    /** The request's trailers, and its end. */
    void trailers(Http2Headers fields) {
        if (over) {
            return;
        }
        byte[] lines = ReceivedHeads.trailers(fields);
        if (lines == null) {
            connection.scope().malformed().increment();
            exchange.requestBroken("the trailers are malformed");
            return;
        }
        requestTrailers = lines;
        ended = true;
        passOn();
    }

    /** Hands on what waits, as far as it is taken. */
    private void passOn() {
        if (!begun || over) {
            return;
        }
        while (!pending.isEmpty() && takes()) {
            ByteBuf next = pending.poll();
            if (next != null) {
                exchange.requestData(next);
            }
        }
        connection.touched(this);
        if (pending.isEmpty() && ended) {
            tellEnd();
        }
        if (pending.isEmpty() && (takes() || (endTold && !head.isConnect()))) {
            consumeAll();
        }
        tellWaiting();
    }

    /** True when bytes go on. Behind a CONNECT that is not answered yet they belong to nobody. */
    private boolean takes() {
        return (tunnel || !head.isConnect()) && exchange.takesBody();
    }

    private void tellWaiting() {
        if (unconsumed != waiting) {
            int before = waiting;
            waiting = unconsumed;
            connection.waitsForEndpoint(waiting - before);
        }
    }

    private void tellEnd() {
        if (tunnel) {
            exchange.clientEnded();
        } else if (!endTold && exchange.takesBody()) {
            endTold = true;
            exchange.requestEnd(requestTrailers);
        }
    }

    private void consumeAll() {
        int n = unconsumed;
        unconsumed = 0;
        if (!gone) {
            connection.consumed(stream, n);
        }
    }

    void flushUpstream() {
        exchange.flushUpstream();
    }

    /** Both ends have ended the stream, or one has reset it, or the connection is gone. */
    void closed() {
        gone = true;
        if (!over && endSent) {
            // The client has all; the server has still to say so.
            connection.worker().loop().schedule(this::leave, PATIENCE_SECONDS, TimeUnit.SECONDS);
        } else {
            leave();
        }
    }

    private void leave() {
        if (!over) {
            exchange.downstreamGone();
            over();
        }
    }

    private void over() {
        over = true;
        connection.worker().timers().remove(timer);
        pending.forEach(ByteBuf::release);
        pending.clear();
        consumeAll();
        tellWaiting();
    }

    // ---- to the client ----

    @Override
    public Peer peer() {
        return connection.peer();
    }

    @Override
    public Channel channel() {
        return connection.channel();
    }

    @Override
    public @Nullable Held held() {
        return connection.held();
    }

    @Override
    public boolean isReading() {
        return connection.isReading();
    }

    @Override
    public void deadline(long nanos) {
        connection.worker().timers().set(timer, nanos);
    }

    @Override
    public void resumeBody() {
        passOn();
    }

    /** What comes from now on waits, and its window with it. */
    @Override
    public void pauseBody(long unsent) {
        // Nothing else to stop: the other streams of the connection go on.
    }

    private ChannelHandlerContext context() {
        return connection.context();
    }

    private void send(Http2Headers fields, boolean ends) {
        endSent |= ends;
        if (!gone) {
            ChannelPromise sent = context().newPromise();
            if (ends) {
                ending = sent;
            }
            connection.encoder().writeHeaders(context(), stream.id(), fields, 0, ends, sent);
        }
    }

    private void send(ByteBuf data, boolean ends) {
        endSent |= ends;
        if (gone) {
            data.release();
            return;
        }
        int n = data.readableBytes();
        ChannelPromise sent = context().newPromise();
        if (ends) {
            ending = sent;
        }
        if (n > 0) {
            queued += n;
            sent.addListener(result -> sent(n));
        }
        connection.encoder().writeData(context(), stream.id(), data, 0, ends, sent);
        tellQueued();
    }

    /** Bytes are in the socket, or thrown away with the stream. */
    private void sent(int n) {
        boolean was = isWritable();
        queued -= n;
        tellQueued();
        if (!was && isWritable() && !gone) {
            // Not while frames are being written.
            connection.worker().loop().execute(() -> exchange.downstreamWritability(true));
        }
    }

    /** What Netty says of a stream counts what waits on all others of the connection as well. */
    private boolean isWritable() {
        return gone || queued < QUEUE;
    }

    private void tellQueued() {
        int now = queued < QUEUE ? 0 : queued;
        if (now != queuedTold) {
            int before = queuedTold;
            queuedTold = now;
            connection.waitsForClient(now - before);
        }
    }

    @Override
    public void interim(ResponseHead interim) {
        if (interim.code() != 100 || head.expectsContinue()) {
            send(SentHeads.response(interim, head.isHead(), HeaderProgram.NONE), false);
        }
    }

    @Override
    public void head(ResponseHead answer, boolean becomesTunnel, int following, HeaderProgram changes) {
        boolean bodyless = answer.isBodyless(head.isHead()) || (answer.contentLength() == 0 && !answer.isChunked());
        headSent = true;
        send(SentHeads.response(answer, head.isHead(), changes), bodyless && !becomesTunnel);
        if (becomesTunnel) {
            tunnel = true;
            passOn();
        }
    }

    @Override
    public void headPassed() {
        throw new IllegalStateException("the kernel takes no request of HTTP/2");
    }

    @Override
    public void data(ByteBuf piece) {
        if (endSent) {
            piece.release();
        } else {
            send(piece, false);
        }
    }

    @Override
    public void trailers(byte[] lines) {
        trailers = lines;
    }

    @Override
    public void end() {
        if (endSent) {
            return;
        }
        if (trailers.length > 0) {
            send(SentHeads.trailers(trailers), true);
        } else {
            send(Unpooled.EMPTY_BUFFER, true);
        }
    }

    @Override
    public void local(int code, byte[] body, String location, HeaderProgram changes, boolean refused) {
        headSent = true;
        if (head.isGrpc()) {
            send(SentHeads.with(GrpcStatus.answer(code, body), changes), true);
            return;
        }
        boolean bodyless = body.length == 0 || head.isHead() || code == 204 || code == 304;
        send(SentHeads.local(code, body.length, location, changes), bodyless);
        if (!bodyless) {
            send(Unpooled.wrappedBuffer(body), true);
        }
    }

    @Override
    public boolean flush() {
        if (!connection.isReading()) {
            connection.flush();
        }
        return isWritable();
    }

    /** A client that still sends is told that nobody reads (RFC 9113 section 8.1). */
    @Override
    public void done() {
        if (over) {
            return;
        }
        over();
        if (!gone && !endSent) {
            connection.reset(stream.id(), headSent ? Http2Error.INTERNAL_ERROR : Http2Error.CANCEL);
        } else if (!gone && !ended) {
            // Behind the end of the answer, which may still wait for the client's window.
            ChannelPromise end = ending;
            if (end != null) {
                end.addListener(sent -> {
                    if (!gone) {
                        connection.reset(stream.id(), Http2Error.NO_ERROR);
                    }
                });
            }
        }
        if (!connection.isReading()) {
            connection.flush();
        }
    }

    @Override
    public void abort() {
        fail(Http2Error.INTERNAL_ERROR);
    }

    @Override
    public void endOutput() {
        if (!endSent) {
            send(Unpooled.EMPTY_BUFFER, true);
            flush();
        }
    }

    @Override
    public void reset() {
        fail(Http2Error.CONNECT_ERROR);
    }

    private void fail(Http2Error why) {
        if (!over) {
            over();
            if (!gone) {
                connection.reset(stream.id(), why);
            }
        }
    }
}
