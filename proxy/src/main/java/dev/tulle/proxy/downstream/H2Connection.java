package dev.tulle.proxy.downstream;

import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.forward.HttpScope;
import dev.tulle.proxy.http1.MessageHead;
import dev.tulle.proxy.http2.FrameCodec;
import dev.tulle.proxy.http2.FramedConnection;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.stream.Peer;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.http2.AbstractHttp2ConnectionHandlerBuilder;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One HTTP/2 connection from a client (RFC 9113), by prior knowledge: each of its streams is an {@link H2Stream}. The
 * bounds of what a client may do are here. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class H2Connection extends FramedConnection<H2Stream> implements HttpClientConnection {
    /** Requests of one client at a time. */
    static final int MAX_STREAMS = 100;

    /** Bytes that a client may send on one stream before they are taken. */
    static final int STREAM_WINDOW = 256 << 10;

    /** The same for all of a connection's streams together. */
    static final int CONNECTION_WINDOW = 1 << 20;

    private static final int MAX_RESETS = 200;
    private static final int RESET_SECONDS = 30;
    private static final int MAX_EMPTY_FRAMES = 2;
    /** The name of the PING whose answer says that the client has heard that the connection is going. */
    private static final long LEAVING = 2;

    /** How long a client has for that answer. */
    private static final long HEARS = TimeUnit.SECONDS.toNanos(5);

    private static final long IDLE_TIMEOUT = TimeUnit.HOURS.toNanos(1);

    private final HttpScope scope;
    private final Peer peer;
    private final OutboundService service;
    private final Channel channel;
    private final @Nullable Held held;
    private final RequestTurn turn;
    private final ArrayDeque<H2Stream> waiting = new ArrayDeque<>(0);
    private final TimerWheel.Timer idle = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            if (connection().numActiveStreams() == 0) {
                retire();
            }
        }
    };
    private final TimerWheel.Timer lastCall = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            leave();
        }
    };
    private final HeadDeadline headDeadline;
    private int unfinished;
    private final StreamOrder order = new StreamOrder();
    private long waitForClient;
    private long waitForEndpoints;
    private long heads;
    private boolean leaving;
    private boolean left;

    private H2Connection(
            Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings, Builder from) {
        super(from.codec, decoder, encoder, settings);
        this.scope = from.scope;
        this.peer = from.peer;
        this.service = from.service;
        this.channel = from.channel;
        this.held = LoopShares.of(channel);
        this.turn = new RequestTurn(channel, held, this::goOn);
        this.headDeadline = new HeadDeadline(worker().timers(), () -> calm("a head took longer than 60 s"));
    }

    /** A connection to one service, retained until it closes. */
    public static H2Connection to(OutboundService service, HttpScope scope, Peer peer, Channel channel) {
        return new Builder(service, scope, peer, channel).build();
    }

    private static final class Builder extends AbstractHttp2ConnectionHandlerBuilder<H2Connection, Builder> {
        private final OutboundService service;
        private final HttpScope scope;
        private final Peer peer;
        private final Channel channel;
        private final FrameCodec codec = FrameCodec.server(MessageHead.MAX_HEAD, MAX_RESETS, RESET_SECONDS);

        Builder(OutboundService service, HttpScope scope, Peer peer, Channel channel) {
            this.service = service;
            this.scope = scope;
            this.peer = peer;
            this.channel = channel;
            initialSettings(Http2Settings.defaultSettings()
                    .maxConcurrentStreams(MAX_STREAMS)
                    .initialWindowSize(STREAM_WINDOW)
                    .maxHeaderListSize(MessageHead.MAX_HEAD)
                    .connectProtocolEnabled(true));
            decoderEnforceMaxConsecutiveEmptyDataFrames(MAX_EMPTY_FRAMES);
            decoderEnforceMaxRstFramesPerWindow(MAX_RESETS, RESET_SECONDS);
            codec(codec.decoder(), codec.encoder());
            gracefulShutdownTimeoutMillis(NO_LIMIT);
        }

        @Override
        protected H2Connection build() {
            return super.build();
        }

        @Override
        protected H2Connection build(
                Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings) {
            return new H2Connection(decoder, encoder, settings, this);
        }
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) throws Exception {
        service.retain();
        Held place = held;
        if (place != null) {
            place.occupy(this);
        }
        super.handlerAdded(added);
        Http2Stream whole = connection().connectionStream();
        int more = CONNECTION_WINDOW - connection().local().flowController().initialWindowSize(whole);
        connection().local().flowController().incrementWindowSize(whole, more);
        if (peer.edge()) {
            // Of a captured client that is gone the kernel tells; one that stands still may do so.
            keepAlive(worker(), scope.edge());
        }
        whenIdle();
    }

    private void whenIdle() {
        worker().timers().set(idle, System.nanoTime() + IDLE_TIMEOUT);
    }

    Worker worker() {
        return scope.upstreams().worker();
    }

    HttpScope scope() {
        return scope;
    }

    Peer peer() {
        return peer;
    }

    OutboundService service() {
        return service;
    }

    Channel channel() {
        return channel;
    }

    @Nullable
    Held held() {
        return held;
    }

    /** So many more bytes of a stream wait for the client, or, below 0, fewer. */
    void waitsForClient(long more) {
        waitForClient += more;
        Held place = held;
        if (place != null) {
            place.waitsForClient(waitForClient);
        }
    }

    /** So many more bytes of a stream wait for its endpoint, or, below 0, fewer. */
    void waitsForEndpoint(long more) {
        waitForEndpoints += more;
        Held place = held;
        if (place != null) {
            place.waitsForEndpoint(waitForEndpoints);
        }
    }

    /** So many more bytes are held for heads, or, below 0, fewer; false when these are more than the client may have. */
    boolean holdsHeads(long more) {
        heads += more;
        Held place = held;
        return place == null || place.holdsHead(heads);
    }

    /** What has begun and is not whole counts as its client's. */
    @Override
    protected void unfinished(int bytes) {
        boolean fits = holdsHeads(bytes - unfinished);
        unfinished = bytes;
        headDeadline.look(channel.isActive() && isAmidHead(), framesBegun());
        if (!fits) {
            calm(RequestReader.LARGE_HEADS);
        }
    }

    @Override
    protected void reset(int id, Http2Error why) {
        order.reset(id);
        super.reset(id, why);
    }

    @Override
    protected void begins(Http2Stream stream, Http2Headers fields, boolean ends) {
        order.opened(stream.id());
        H2Stream begun = new H2Stream(this, stream);
        bind(stream, begun);
        touch(begun);
        worker().timers().remove(idle);
        begun.requested(fields, ends);
        if (waiting.isEmpty() && turn.mayBegin()) {
            begun.begin();
            turn.took();
        } else {
            waiting.add(begun);
        }
    }

    /**
     * A head for a stream that is closed, or that was passed over, breaks the connection, as its fields have changed the
     * state of the compression for nothing (RFC 9113 sections 5.1 and 5.1.1), unless the client has not heard yet that we
     * have reset it.
     */
    @Override
    protected void onStreamError(
            ChannelHandlerContext from, boolean outbound, Throwable cause, Http2Exception.StreamException error) {
        int id = error.streamId();
        boolean head = error.error() == Http2Error.STREAM_CLOSED
                && String.valueOf(error.getMessage()).startsWith("Received HEADERS frame for an unknown stream");
        if (head && !outbound && !order.wasReset(id)) {
            Http2Error why = order.wasPassedOver(id) ? Http2Error.PROTOCOL_ERROR : Http2Error.STREAM_CLOSED;
            onConnectionError(from, false, cause, Http2Exception.connectionError(why, "a head for stream %d", id));
            return;
        }
        order.reset(id);
        H2Stream known = at(id);
        boolean window = String.valueOf(error.getMessage()).startsWith("Received WINDOW_UPDATE");
        if (!outbound && known != null && known.hasEnded() && error.error() == Http2Error.PROTOCOL_ERROR && !window) {
            // A head, and whatever is wrong with it, it comes after the end.
            // By the encoder, which counts it: else any number of requests could be taken back in this way.
            encoder().writeRstStream(from, id, Http2Error.STREAM_CLOSED.code(), from.newPromise());
            return;
        }
        super.onStreamError(from, outbound, cause, error);
    }

    @Override
    protected void closed(Http2Stream stream, @Nullable H2Stream known) {
        if (known != null) {
            waiting.remove(known);
            known.closed();
        }
        if (connection().numActiveStreams() == 0 && channel.isActive()) {
            whenIdle();
        }
    }

    /** Begins requests that have waited for their turn. */
    private void goOn() {
        turn.begin();
        turn.busy();
        while (!waiting.isEmpty() && turn.mayBegin()) {
            H2Stream next = waiting.poll();
            if (next != null) {
                next.begin();
                next.batchOver();
                turn.took();
            }
        }
        flush();
    }

    @Override
    public void channelRead(ChannelHandlerContext from, Object message) throws Exception {
        if (!isReading()) {
            turn.begin();
        }
        turn.busy();
        super.channelRead(from, message);
        turn.took();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext from) throws Exception {
        super.channelReadComplete(from);
        flush(from);
    }

    @Override
    public void channelInactive(ChannelHandlerContext from) throws Exception {
        worker().timers().remove(idle);
        worker().timers().remove(lastCall);
        super.channelInactive(from);
        service.release();
    }

    /** A client that sends no more asks nothing more and reads nothing more. */
    @Override
    public void userEventTriggered(ChannelHandlerContext from, Object event) throws Exception {
        super.userEventTriggered(from, event);
        if (event instanceof ChannelInputShutdownEvent) {
            from.close();
        }
    }

    @Override
    public boolean closeIfIdle() {
        if (connection().numActiveStreams() > 0) {
            return false;
        }
        channel.close();
        return true;
    }

    @Override
    public void closeStalled() {
        // Not by the pipeline's end: that would wait for what is under way.
        closeNow();
    }

    /**
     * Says twice that it goes (RFC 9113 section 6.8): first without a bound, so that nothing that the client has sent
     * meanwhile is lost, then, when it has read that, how far requests were taken. Closes after the last of them.
     */
    @Override
    public void retire() {
        if (leaving || !channel.isActive()) {
            return;
        }
        leaving = true;
        goAway(
                context(),
                Integer.MAX_VALUE,
                Http2Error.NO_ERROR.code(),
                Unpooled.EMPTY_BUFFER,
                context().newPromise());
        ping(LEAVING);
        worker().timers().set(lastCall, System.nanoTime() + HEARS);
        flush();
    }

    @Override
    protected void answered(long ping) {
        if (ping == LEAVING) {
            leave();
        }
    }

    /** From now on further requests are not taken, which the client hears. */
    private void leave() {
        worker().timers().remove(lastCall);
        if (!left && channel.isActive()) {
            left = true;
            int last = connection().remote().lastStreamCreated();
            goAway(
                    context(),
                    last,
                    Http2Error.NO_ERROR.code(),
                    Unpooled.EMPTY_BUFFER,
                    context().newPromise());
            channel.close();
        }
    }

    @Override
    public void drain() {
        scope.leases().drain();
        retire();
    }
}
