package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.MessageHead;
import dev.tulle.proxy.loop.Worker;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.AbstractHttp2ConnectionHandlerBuilder;
import io.netty.handler.codec.http2.DefaultHttp2Connection;
import io.netty.handler.codec.http2.DefaultHttp2LocalFlowController;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2EventAdapter;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import java.io.IOException;
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
final class H2UpstreamConnection extends Http2ConnectionHandler {
    /** Bytes that a server may send on one stream before its client has read them. */
    static final int STREAM_WINDOW = 64 << 10;

    private static final int MAX_STREAMS = 100;
    private static final long NO_LIMIT = -1;
    private static final float UPDATE_RATIO = 0.5f;

    private final EndpointPool pool;
    private final Channel channel;
    private final Http2Connection.PropertyKey key;
    private final List<H2UpstreamStream> touched = new ArrayList<>();
    private @Nullable ChannelHandlerContext context;
    private boolean reading;
    private boolean retired;
    private int requests;
    private String trouble = "the server closed the connection";
    long idleSince = System.nanoTime();

    private H2UpstreamConnection(
            Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings, Builder from) {
        super(decoder, encoder, settings);
        this.pool = from.pool;
        this.channel = from.channel;
        this.key = connection().newKey();
        connection().addListener(new Http2ConnectionAdapter() {
            @Override
            public void onStreamClosed(Http2Stream stream) {
                closed(stream);
            }
        });
        decoder.frameListener(new Frames());
    }

    static H2UpstreamConnection of(EndpointPool pool, Channel channel) {
        return new Builder(pool, channel).build();
    }

    private static final class Builder extends AbstractHttp2ConnectionHandlerBuilder<H2UpstreamConnection, Builder> {
        private final EndpointPool pool;
        private final Channel channel;

        Builder(EndpointPool pool, Channel channel) {
            this.pool = pool;
            this.channel = channel;
            Http2Connection connection = new DefaultHttp2Connection(false, 0);
            connection.local().flowController(new DefaultHttp2LocalFlowController(connection, UPDATE_RATIO, true));
            // Until the server has said how many it takes, and where it sets no bound.
            connection.local().maxActiveStreams(MAX_STREAMS);
            connection(connection);
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

    @Override
    public void handlerAdded(ChannelHandlerContext added) throws Exception {
        context = added;
        super.handlerAdded(added);
    }

    EndpointPool pool() {
        return pool;
    }

    Worker worker() {
        return pool.worker();
    }

    ChannelHandlerContext context() {
        ChannelHandlerContext here = context;
        if (here == null) {
            throw new IllegalStateException("not in a pipeline");
        }
        return here;
    }

    boolean isReading() {
        return reading;
    }

    /** True when it takes a further request. */
    boolean isUsable(int maxRequests) {
        return channel.isActive()
                && !retired
                && !connection().goAwayReceived()
                && !connection().goAwaySent()
                && (maxRequests <= 0 || requests < maxRequests)
                && connection().local().canOpenStream();
    }

    int active() {
        return connection().numActiveStreams();
    }

    /** A place for a request, which counts from {@link #open} on. */
    H2UpstreamStream stream() {
        requests++;
        return new H2UpstreamStream(this);
    }

    /**
     * Opens a stream with a request's head.
     *
     * @return null when there can be none any more
     */
    @Nullable
    Http2Stream open(H2UpstreamStream by, Http2Headers fields, boolean ends) {
        int id = connection().local().incrementAndGetNextStreamId();
        if (id < 0 || !channel.isActive()) {
            // No more numbers, or nobody there.
            retire();
            return null;
        }
        encoder().writeHeaders(context(), id, fields, 0, ends, context().newPromise());
        Http2Stream made = connection().stream(id);
        if (made != null) {
            made.setProperty(key, by);
        }
        return made;
    }

    /** Takes no further requests, and closes after those under way. */
    void retire() {
        retired = true;
        if (active() == 0) {
            channel.close();
        }
    }

    void consumed(Http2Stream stream, int bytes) {
        try {
            if (bytes > 0 && connection().local().flowController().consumeBytes(stream, bytes) && !reading) {
                flush();
            }
        } catch (Http2Exception e) {
            onError(context(), true, e);
        }
    }

    void flush() {
        flush(context());
    }

    void reset(Http2Stream stream, Http2Error why) {
        resetStream(context(), stream.id(), why.code(), context().newPromise());
        if (!reading) {
            flush();
        }
    }

    private final class Frames extends Http2EventAdapter {
        @Override
        public void onHeadersRead(ChannelHandlerContext from, int id, Http2Headers fields, int padding, boolean ends) {
            H2UpstreamStream known = at(id);
            if (known != null) {
                touched(known);
                known.head(fields, ends);
            }
        }

        @Override
        public void onHeadersRead(
                ChannelHandlerContext from,
                int id,
                Http2Headers fields,
                int dependency,
                short weight,
                boolean exclusive,
                int padding,
                boolean ends) {
            onHeadersRead(from, id, fields, padding, ends);
        }

        @Override
        public int onDataRead(ChannelHandlerContext from, int id, ByteBuf data, int padding, boolean ends) {
            H2UpstreamStream known = at(id);
            if (known == null) {
                return data.readableBytes() + padding;
            }
            touched(known);
            return known.data(data, ends) + padding;
        }

        @Override
        public void onRstStreamRead(ChannelHandlerContext from, int id, long code) {
            H2UpstreamStream known = at(id);
            if (known != null) {
                known.wasReset(code);
            }
        }
    }

    private @Nullable H2UpstreamStream at(int id) {
        Http2Stream stream = connection().stream(id);
        return stream == null ? null : stream.getProperty(key);
    }

    private void touched(H2UpstreamStream stream) {
        if (!touched.contains(stream)) {
            touched.add(stream);
        }
    }

    private void closed(Http2Stream stream) {
        H2UpstreamStream known = stream.removeProperty(key);
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
        pool.multiplexed().freed();
    }

    @Override
    public void channelRead(ChannelHandlerContext from, Object message) throws Exception {
        reading = true;
        super.channelRead(from, message);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext from) throws Exception {
        reading = false;
        super.channelReadComplete(from);
        while (!touched.isEmpty()) {
            touched.removeLast().readComplete();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext from) throws Exception {
        super.channelInactive(from);
        pool.multiplexed().closed(this);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext from, Throwable cause) throws Exception {
        trouble = cause.getMessage() == null ? cause.toString() : cause.getMessage();
        if (cause instanceof IOException) {
            from.close();
        } else {
            super.exceptionCaught(from, cause);
        }
    }
}
