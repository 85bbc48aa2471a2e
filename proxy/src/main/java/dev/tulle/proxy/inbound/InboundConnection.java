package dev.tulle.proxy.inbound;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.model.Http2Options;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.downstream.HttpClientConnection;
import dev.tulle.proxy.hbone.InboundStream;
import dev.tulle.proxy.http2.FrameCodec;
import dev.tulle.proxy.http2.FramedConnection;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.http2.AbstractHttp2ConnectionHandlerBuilder;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The target's end of one connection of another node, which speaks for one identity: its streams are tunnels. The bounds of
 * what it may do are here. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class InboundConnection extends FramedConnection<InboundStream> implements HttpClientConnection {
    /** Tunnels at a time; nodes of Istio open another connection after a hundred. */
    static final int MAX_STREAMS = 100;

    /** Bytes that the caller may send on one tunnel before the workload has read them. */
    static final int STREAM_WINDOW = 256 << 10;

    /** The same for the whole connection, between two updates. */
    static final int CONNECTION_WINDOW = 16 << 20;

    /** Fields of a question. */
    static final int MAX_FIELDS = 16 << 10;

    private static final float UPDATE_RATIO = 0.5f;
    /** Each may be a caller that has gone away: far above what callers do, far below what a loop can do. */
    private static final int MAX_RESETS = 20_000;

    private static final int RESET_SECONDS = 10;
    private static final int MAX_EMPTY_FRAMES = 2;

    /** The name of the PING whose answer says that the caller has heard that the connection is going. */
    private static final long LEAVING = 2;

    private static final long HEARS = TimeUnit.SECONDS.toNanos(5);
    private static final long IDLE_TIMEOUT = TimeUnit.HOURS.toNanos(1);

    /** A caller whose node is gone is found out about. */
    private static final Http2Options SIGNS_OF_LIFE =
            new Http2Options(0, Duration.ofSeconds(30), Duration.ofSeconds(20));

    private final InboundScope scope;
    private final LoopScope loop;
    private final Channel channel;
    private final SpiffeId peer;
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
    private boolean leaving;
    private boolean left;
    private String trouble = "the caller's node has closed the connection";

    private InboundConnection(
            Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings, Builder from) {
        super(from.codec, decoder, encoder, settings);
        this.scope = from.scope;
        this.loop = from.loop;
        this.channel = from.channel;
        this.peer = from.peer;
    }

    static InboundConnection of(InboundScope scope, LoopScope loop, Channel channel, SpiffeId peer) {
        return new Builder(scope, loop, channel, peer).build();
    }

    private static final class Builder extends AbstractHttp2ConnectionHandlerBuilder<InboundConnection, Builder> {
        private final InboundScope scope;
        private final LoopScope loop;
        private final Channel channel;
        private final SpiffeId peer;
        private final FrameCodec codec = FrameCodec.tunnels(MAX_FIELDS, UPDATE_RATIO, MAX_RESETS, RESET_SECONDS);

        Builder(InboundScope scope, LoopScope loop, Channel channel, SpiffeId peer) {
            this.scope = scope;
            this.loop = loop;
            this.channel = channel;
            this.peer = peer;
            initialSettings(Http2Settings.defaultSettings()
                    .maxConcurrentStreams(MAX_STREAMS)
                    .initialWindowSize(STREAM_WINDOW)
                    .maxHeaderListSize(MAX_FIELDS));
            decoderEnforceMaxConsecutiveEmptyDataFrames(MAX_EMPTY_FRAMES);
            decoderEnforceMaxRstFramesPerWindow(MAX_RESETS, RESET_SECONDS);
            codec(codec.decoder(), codec.encoder());
            gracefulShutdownTimeoutMillis(NO_LIMIT);
        }

        @Override
        protected InboundConnection build() {
            return super.build();
        }

        @Override
        protected InboundConnection build(
                Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings) {
            return new InboundConnection(decoder, encoder, settings, this);
        }
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) throws Exception {
        Held held = LoopShares.of(channel);
        if (held != null) {
            held.occupy(this);
        }
        super.handlerAdded(added);
        widen(connection(), CONNECTION_WINDOW);
        keepAlive(loop.worker(), SIGNS_OF_LIFE);
        whenIdle();
    }

    private void whenIdle() {
        loop.worker().timers().set(idle, System.nanoTime() + IDLE_TIMEOUT);
    }

    InboundScope scope() {
        return scope;
    }

    LoopScope loop() {
        return loop;
    }

    Channel channel() {
        return channel;
    }

    /** Who calls. */
    SpiffeId peer() {
        return peer;
    }

    @Override
    protected void begins(Http2Stream stream, Http2Headers fields, boolean ends) {
        InboundStream begun = InboundStream.of(this, stream, loop.worker());
        bind(stream, begun);
        touch(begun);
        loop.worker().timers().remove(idle);
        if (ends) {
            // It says nothing and never will.
            begun.refuse(dev.tulle.proxy.hbone.Answers.BAD_REQUEST);
        } else {
            InboundFlow.begin(this, begun, fields);
        }
    }

    @Override
    protected void closed(Http2Stream stream, @Nullable InboundStream known) {
        if (known != null) {
            known.closed(trouble);
        }
        if (connection().numActiveStreams() == 0 && channel.isActive()) {
            whenIdle();
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext from) throws Exception {
        super.channelReadComplete(from);
        flush(from);
    }

    @Override
    public void channelInactive(ChannelHandlerContext from) throws Exception {
        loop.worker().timers().remove(idle);
        loop.worker().timers().remove(lastCall);
        super.channelInactive(from);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext from, Object event) throws Exception {
        super.userEventTriggered(from, event);
        if (event instanceof ChannelInputShutdownEvent || event instanceof SslCloseCompletionEvent) {
            // Nothing more can be asked, and what is under way cannot end in order.
            from.close();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext from, Throwable cause) throws Exception {
        trouble = cause.getMessage() == null ? cause.toString() : cause.getMessage();
        super.exceptionCaught(from, cause);
    }

    @Override
    protected void dead() {
        trouble = "the caller's node gave no sign of life";
        super.dead();
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
        closeNow();
    }

    /** Says twice that it goes, as a connection of requests does; closes after the last tunnel. */
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
        loop.worker().timers().set(lastCall, System.nanoTime() + HEARS);
        flush();
    }

    @Override
    protected void answered(long ping) {
        if (ping == LEAVING) {
            leave();
        }
    }

    private void leave() {
        loop.worker().timers().remove(lastCall);
        if (!left && channel.isActive()) {
            left = true;
            goAway(
                    context(),
                    connection().remote().lastStreamCreated(),
                    Http2Error.NO_ERROR.code(),
                    Unpooled.EMPTY_BUFFER,
                    context().newPromise());
            channel.close();
        }
    }

    @Override
    public void drain() {
        retire();
    }
}
