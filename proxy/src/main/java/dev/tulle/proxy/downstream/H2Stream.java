package dev.tulle.proxy.downstream;

import dev.tulle.proxy.forward.Exchange;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http1.Trailers;
import dev.tulle.proxy.http2.FramedStream;
import dev.tulle.proxy.http2.ReceivedHeads;
import dev.tulle.proxy.http2.SentHeads;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.WaitingPieces;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.stream.Peer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Stream;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One request of a client of HTTP/2 and its response. What comes of the body while the endpoint takes none waits here, and
 * the stream's window, which is not given back meanwhile, bounds it. Loop-confined.
 */
final class H2Stream extends FramedStream implements Downstream {
    /** How long a server has for the end of a response that the client has got whole. */
    private static final long PATIENCE_SECONDS = 10;

    private static final long TUNNEL_IDLE = TimeUnit.HOURS.toNanos(1);

    private final H2Connection connection;
    private final RequestHead head = new RequestHead();
    private final Exchange exchange;
    private final WaitingPieces pending = new WaitingPieces();
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            timeout();
        }
    };

    private ParseStatus status = ParseStatus.NEED_MORE;
    private byte[] requestTrailers = Trailers.NONE;
    private byte[] trailers = Trailers.NONE;
    private int owedTold;
    private int queuedTold;
    private int headTold;
    private boolean headFits = true;
    private boolean begun;
    /** The client has ended its half. */
    private boolean ended;
    /** The exchange knows that. */
    private boolean endTold;

    private boolean tunnel;
    private boolean headSent;
    private boolean over;

    H2Stream(H2Connection connection, Http2Stream stream) {
        super(connection, connection.worker());
        open(stream);
        this.connection = connection;
        this.exchange = new Exchange(connection.scope(), this, head);
    }

    // ---- from the client ----

    /** The request's head has come; {@link #begin} follows when it is its turn. */
    void requested(Http2Headers fields, boolean ends) {
        exchange.requestBegins();
        status = ReceivedHeads.request(worker().sink(), fields, ends, head);
        ended = ends;
        endTold = ends || !head.hasBody();
        headTold = head.held();
        headFits = connection.holdsHeads(headTold);
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
        if (!headFits) {
            exchange.refuse(431, RequestReader.LARGE_HEADS);
            return;
        }
        exchange.begin(connection.service(), 0, null);
        passOn();
    }

    /** A piece of the body, or of a tunnel; it is consumed with what came before it, if at all. */
    @Override
    protected int data(ByteBuf in, boolean ends) {
        int n = in.readableBytes();
        if (over) {
            return n;
        }
        ended = ends;
        if (n > 0) {
            owe(n);
            if (begun && pending.isEmpty() && takes()) {
                exchange.requestData(in.retain());
            } else {
                pending.add(connection.channel().alloc(), in);
            }
        }
        passOn();
        return 0;
    }

    /** True when the client has ended its half. */
    boolean hasEnded() {
        return ended;
    }

    /** The request's trailers, and its end. */
    @Override
    protected void head(Http2Headers fields, boolean ends) {
        if (ended) {
            reset(Http2Error.STREAM_CLOSED);
            return;
        }
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
        if (pending.isEmpty() && ended) {
            tellEnd();
        }
        if (pending.isEmpty() && (takes() || (endTold && !head.asksForTunnel()))) {
            consumeAll();
        }
        tellWaiting();
    }

    /** True when bytes go on. Behind a request for a tunnel that is not answered yet they belong to nobody. */
    private boolean takes() {
        return (tunnel || !head.asksForTunnel()) && exchange.takesBody();
    }

    private void tellWaiting() {
        int before = owedTold;
        owedTold = owed();
        if (owedTold != before) {
            connection.waitsForEndpoint(owedTold - before);
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

    @Override
    protected void batchOver() {
        exchange.flushUpstream();
    }

    /** Both ends have ended the stream, or one has reset it, or the connection is gone. */
    // Whether it comes to leaving is not asked.
    @SuppressWarnings("FutureReturnValueIgnored")
    void closed() {
        gone();
        if (tunnel && ended && isEndSent()) {
            // Both ends in order: what has not gone on yet still does.
            return;
        }
        if (!over && !tunnel && isEndSent()) {
            // The client has all; the server has still to say so.
            worker().loop().schedule(this::leave, PATIENCE_SECONDS, TimeUnit.SECONDS);
        } else {
            leave();
        }
    }

    private void leave() {
        if (!over) {
            if (tunnel) {
                // Not the end of a half, which the server would take it for.
                exchange.clientReset();
            }
            exchange.downstreamGone();
            over();
        }
    }

    private void over() {
        over = true;
        var _ = connection.holdsHeads(-headTold);
        headTold = 0;
        worker().timers().remove(timer);
        pending.release();
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
        if (!tunnel) {
            worker().timers().set(timer, nanos);
        }
    }

    /** What bounds a request does not bound what it has become: that ends when it has stood still for long. */
    private void timeout() {
        if (!tunnel) {
            exchange.timeout();
        } else if (exchange.wasActive()) {
            worker().timers().set(timer, System.nanoTime() + TUNNEL_IDLE);
        } else {
            reset(Http2Error.CANCEL);
            leave();
        }
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

    @Override
    protected void roomAgain() {
        exchange.downstreamWritability(true);
    }

    @Override
    protected void queuedChanged() {
        int before = queuedTold;
        queuedTold = hasRoom() ? 0 : queued();
        if (queuedTold != before) {
            connection.waitsForClient(queuedTold - before);
        }
    }

    @Override
    public void interim(ResponseHead interim) {
        if (interim.code() != 100 || head.expectsContinue()) {
            send(SentHeads.response(fields(), interim, HeaderProgram.NONE), false);
        }
    }

    @Override
    public void head(ResponseHead answer, boolean becomesTunnel, int following, HeaderProgram changes) {
        boolean bodyless = answer.isBodyless(head.isHead()) || (answer.contentLength() == 0 && !answer.isChunked());
        headSent = true;
        send(SentHeads.response(fields(), answer, changes), bodyless && !becomesTunnel);
        if (becomesTunnel) {
            tunnel = true;
            worker().timers().set(timer, System.nanoTime() + TUNNEL_IDLE);
            passOn();
        }
    }

    @Override
    public void headPassed() {
        throw new IllegalStateException("the kernel takes no request of HTTP/2");
    }

    @Override
    public void data(ByteBuf piece) {
        if (isEndSent()) {
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
        sendEnd(trailers);
    }

    @Override
    public void local(int code, int grpc, byte[] body, String location, HeaderProgram changes, boolean refused) {
        headSent = true;
        if (head.isGrpc()) {
            send(SentHeads.grpc(fields(), grpc, body, changes), true);
            return;
        }
        boolean bodyless = body.length == 0 || head.isHead() || code == 204 || code == 304;
        send(SentHeads.local(fields(), code, body.length, location, changes), bodyless);
        if (!bodyless) {
            send(Unpooled.wrappedBuffer(body), true);
        }
    }

    @Override
    public boolean flush() {
        return flushStream();
    }

    /** A client that still sends is told that nobody reads (RFC 9113 section 8.1). */
    @Override
    public void done() {
        if (over) {
            return;
        }
        over();
        if (!isEndSent()) {
            reset(headSent ? Http2Error.INTERNAL_ERROR : Http2Error.CANCEL);
        } else if (!ended) {
            resetAfterEnd(Http2Error.NO_ERROR);
        }
        flushStream();
    }

    @Override
    public void abort() {
        fail(Http2Error.INTERNAL_ERROR);
    }

    @Override
    public void endOutput() {
        sendEnd(Trailers.NONE);
        flush();
    }

    @Override
    public void reset() {
        fail(head.isConnect() ? Http2Error.CONNECT_ERROR : Http2Error.CANCEL);
    }

    private void fail(Http2Error why) {
        if (!over) {
            over();
            reset(why);
        }
    }
}
