package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.MessageHead;
import dev.tulle.proxy.http2.FrameCodec;
import dev.tulle.proxy.http2.FramedConnection;
import dev.tulle.proxy.loop.Worker;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.AbstractHttp2ConnectionHandlerBuilder;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One HTTP/2 connection to an endpoint (RFC 9113), by prior knowledge; its streams are requests of many clients. The window
 * of the whole connection is always open: what bounds is the window of each stream, so that a client who does not read
 * holds back nobody else. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class H2UpstreamConnection extends FramedConnection<H2UpstreamStream> {
    /** Bytes that a server may send on one stream before its client has read them. */
    static final int STREAM_WINDOW = 64 << 10;

    private static final int MAX_STREAMS = 100;
    private static final float UPDATE_RATIO = 0.5f;

    private final Lane lane;
    private final EndpointPool pool;
    private final Channel channel;
    /** Who waits for the server's settings; null when they are there. */
    private @Nullable List<Runnable> unsettled = new ArrayList<>(0);

    private boolean connects;
    private boolean retired;
    private int requests;
    private String trouble = "the server closed the connection";
    long idleSince = System.nanoTime();

    private H2UpstreamConnection(
            Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings, Builder from) {
        super(from.codec, decoder, encoder, settings);
        this.lane = from.lane;
        this.pool = lane.pool();
        this.channel = from.channel;
    }

    static H2UpstreamConnection of(Lane lane, Channel channel) {
        return new Builder(lane, channel).build();
    }

    private static final class Builder extends AbstractHttp2ConnectionHandlerBuilder<H2UpstreamConnection, Builder> {
        private final Lane lane;
        private final Channel channel;
        private final FrameCodec codec = FrameCodec.client(MessageHead.MAX_HEAD, UPDATE_RATIO);

        Builder(Lane lane, Channel channel) {
            this.lane = lane;
            this.channel = channel;
            // Until the server has said how many it takes, and where it sets no bound.
            codec.connection().local().maxActiveStreams(MAX_STREAMS);
            // A server may end any number of streams without having read them.
            decoderEnforceMaxRstFramesPerWindow(0, 0);
            codec(codec.decoder(), codec.encoder());
            initialSettings(Http2Settings.defaultSettings()
                    .pushEnabled(false)
                    .initialWindowSize(STREAM_WINDOW)
                    .maxHeaderListSize(MessageHead.MAX_HEAD));
            gracefulShutdownTimeoutMillis(NO_LIMIT);
        }

        @Override
        protected H2UpstreamConnection build() {
            return super.build();
        }

        @Override
        protected H2UpstreamConnection build(
                Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings) {
            return new H2UpstreamConnection(decoder, encoder, settings, this);
        }
    }

    EndpointPool pool() {
        return pool;
    }

    Worker worker() {
        return pool.worker();
    }

    /** True when it takes a further request. */
    boolean isUsable(int maxRequests, int maxStreams) {
        return channel.isActive()
                && !retired
                && !connection().goAwayReceived()
                && !connection().goAwaySent()
                && (maxRequests <= 0 || requests < maxRequests)
                && (maxStreams <= 0 || active() < maxStreams)
                && connection().local().canOpenStream();
    }

    /** True when a request has had a place. */
    boolean isTaken() {
        return requests > 0;
    }

    int active() {
        return connection().numActiveStreams();
    }

    /** It is connected. */
    void begin() {
        keepAlive(pool.worker(), pool.http2());
    }

    /** A place for a request, which counts from {@link #open} on. */
    H2UpstreamStream stream() {
        requests++;
        return new H2UpstreamStream(this);
    }

    /**
     * Opens a stream, on which a request's head follows.
     *
     * @return null when there can be none any more
     */
    @Nullable
    Http2Stream open(H2UpstreamStream by) {
        int id = connection().local().incrementAndGetNextStreamId();
        if (id < 0 || !channel.isActive()) {
            // No more numbers, or nobody there.
            retire();
            return null;
        }
        return create(id, by);
    }

    /** A place was given back without a request: after the last one no stream ends that would close this. */
    void unused() {
        int most = pool.maxRequestsPerConnection();
        if (active() == 0 && most > 0 && requests >= most) {
            channel.close();
        }
    }

    /** Takes no further requests, and closes after those under way. */
    void retire() {
        retired = true;
        if (active() == 0) {
            channel.close();
        }
    }

    /** A stream that nobody has asked for: pushes are refused. */
    @Override
    protected void begins(Http2Stream stream, Http2Headers fields, boolean ends) {
        reset(stream.id(), Http2Error.CANCEL);
    }

    @Override
    protected void closed(Http2Stream stream, @Nullable H2UpstreamStream known) {
        if (known != null) {
            Http2Connection.Endpoint<?> mine = connection().local();
            boolean never = connection().goAwayReceived() && stream.id() > mine.lastStreamKnownByPeer();
            known.closed(never ? "the server is going away" : trouble, never);
        }
        if (active() == 0) {
            idleSince = System.nanoTime();
            int most = pool.maxRequestsPerConnection();
            if (retired || connection().goAwayReceived() || (most > 0 && requests >= most)) {
                channel.close();
            }
        }
        lane.multiplexed().freed();
    }

    /** True when the server has said how it is to be spoken to, or never will. */
    boolean isSettled() {
        return unsettled == null;
    }

    /** Calls back once it has. */
    void whenSettled(Runnable then) {
        List<Runnable> all = unsettled;
        if (all == null) {
            then.run();
        } else {
            all.add(then);
        }
    }

    /** True when streams can be asked to carry another protocol (RFC 8441). */
    boolean takesExtendedConnect() {
        return connects;
    }

    @Override
    protected void settled(Http2Settings settings) {
        connects |= Boolean.TRUE.equals(settings.connectProtocolEnabled());
        settle();
    }

    private void settle() {
        List<Runnable> all = unsettled;
        unsettled = null;
        if (all != null) {
            all.forEach(Runnable::run);
        }
    }

    /** Nobody asks anything more of it, and nobody waits for an answer: there is no use in keeping it. */
    @Override
    protected void goingAway(int last) {
        if (active() == 0) {
            channel.close();
        }
    }

    @Override
    protected void dead() {
        trouble = "the server gave no sign of life";
        super.dead();
    }

    @Override
    public void channelInactive(ChannelHandlerContext from) throws Exception {
        super.channelInactive(from);
        settle();
        lane.multiplexed().closed(this);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext from, Throwable cause) throws Exception {
        trouble = cause.getMessage() == null ? cause.toString() : cause.getMessage();
        super.exceptionCaught(from, cause);
    }
}
