package dev.tulle.proxy.hbone;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.model.Http2Options;
import dev.tulle.proxy.http2.FrameCodec;
import dev.tulle.proxy.http2.FramedConnection;
import dev.tulle.proxy.identity.Credentials;
import dev.tulle.proxy.loop.Worker;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.AbstractHttp2ConnectionHandlerBuilder;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The caller's end of one connection to a node, under one identity: its streams are tunnels. The window of the whole is
 * always open, those of the streams are not, so that who does not read holds back nobody else. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class TunnelConnection extends FramedConnection<OutboundStream> {
    /** Tunnels of one connection, as ztunnel has it. */
    static final int MAX_STREAMS = 100;

    /** Bytes that the other end may send on one tunnel before they are read. */
    static final int STREAM_WINDOW = 256 << 10;

    /** The same for a whole connection, between two updates. */
    static final int CONNECTION_WINDOW = 16 << 20;

    /** Fields of an answer; it has next to none. */
    static final int MAX_FIELDS = 8 << 10;

    private static final float UPDATE_RATIO = 0.5f;

    /** A node that has been silent for 10 s is asked whether it lives, and has 20 s to say so. */
    private static final Http2Options SIGNS_OF_LIFE =
            new Http2Options(0, Duration.ofSeconds(10), Duration.ofSeconds(20));

    private final Channel channel;
    private final Worker worker;
    private final NodeTunnels owner;
    private final Credentials under;
    private final SpiffeId peer;
    private boolean retired;
    private String trouble = "the node has closed the connection";
    long idleSince = System.nanoTime();

    private TunnelConnection(
            Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings, Builder from) {
        super(from.codec, decoder, encoder, settings);
        this.channel = from.channel;
        this.worker = from.worker;
        this.owner = from.owner;
        this.under = from.under;
        this.peer = from.peer;
    }

    static TunnelConnection of(Channel channel, Worker worker, NodeTunnels owner, Credentials under, SpiffeId peer) {
        return new Builder(channel, worker, owner, under, peer).build();
    }

    private static final class Builder extends AbstractHttp2ConnectionHandlerBuilder<TunnelConnection, Builder> {
        private final Channel channel;
        private final Worker worker;
        private final NodeTunnels owner;
        private final Credentials under;
        private final SpiffeId peer;
        private final FrameCodec codec = FrameCodec.client(MAX_FIELDS, UPDATE_RATIO);

        Builder(Channel channel, Worker worker, NodeTunnels owner, Credentials under, SpiffeId peer) {
            this.channel = channel;
            this.worker = worker;
            this.owner = owner;
            this.under = under;
            this.peer = peer;
            codec.connection().local().maxActiveStreams(MAX_STREAMS);
            // The other end may end any number of tunnels.
            decoderEnforceMaxRstFramesPerWindow(0, 0);
            codec(codec.decoder(), codec.encoder());
            initialSettings(Http2Settings.defaultSettings()
                    .pushEnabled(false)
                    .initialWindowSize(STREAM_WINDOW)
                    .maxHeaderListSize(MAX_FIELDS));
            gracefulShutdownTimeoutMillis(NO_LIMIT);
        }

        @Override
        protected TunnelConnection build() {
            return super.build();
        }

        @Override
        protected TunnelConnection build(
                Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings) {
            return new TunnelConnection(decoder, encoder, settings, this);
        }
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) throws Exception {
        super.handlerAdded(added);
        widen(connection(), CONNECTION_WINDOW);
        keepAlive(worker, SIGNS_OF_LIFE);
    }

    Channel channel() {
        return channel;
    }

    Worker worker() {
        return worker;
    }

    /** Who the other end has shown to be. */
    SpiffeId peer() {
        return peer;
    }

    /** With what it was made. */
    Credentials under() {
        return under;
    }

    int active() {
        return connection().numActiveStreams();
    }

    /** True when it takes another tunnel to this target. */
    boolean isUsable(TunnelTarget target) {
        return channel.isActive()
                && !retired
                && !connection().goAwayReceived()
                && !connection().goAwaySent()
                && active() < MAX_STREAMS
                && connection().local().canOpenStream()
                && target.identities().contains(peer);
    }

    /** Asks for a tunnel; false when there can be no more on this connection. */
    boolean open(TunnelOpening opening) {
        int id = connection().local().incrementAndGetNextStreamId();
        if (id < 0) {
            retire();
            return false;
        }
        Http2Headers fields = Asking.fields(opening.from, opening.address);
        encoder().writeHeaders(context(), id, fields, 0, false, context().newPromise());
        Http2Stream made = connection().stream(id);
        if (made == null) {
            return false;
        }
        OutboundStream by = new OutboundStream(this, opening);
        bind(made, by);
        by.opened(made);
        if (!isReading()) {
            flush();
        }
        return true;
    }

    /** Takes no further tunnels, and closes after the last. */
    void retire() {
        retired = true;
        if (active() == 0) {
            channel.close();
        }
    }

    /** Ends at once, with all tunnels. */
    void end(String why) {
        trouble = why;
        closeNow();
    }

    /** Nobody asks this end for anything. */
    @Override
    protected void begins(Http2Stream stream, Http2Headers fields, boolean ends) {
        reset(stream.id(), Http2Error.REFUSED_STREAM);
    }

    @Override
    protected void closed(Http2Stream stream, @Nullable OutboundStream known) {
        if (known != null) {
            boolean never = connection().goAwayReceived()
                    && stream.id() > connection().local().lastStreamKnownByPeer();
            TunnelOpening again = never ? known.takeBack() : null;
            known.closed(never ? "the node is going away" : trouble);
            if (again != null) {
                owner.open(again);
            }
        }
        if (active() == 0) {
            idleSince = System.nanoTime();
            if (retired || connection().goAwayReceived()) {
                channel.close();
            }
        }
        owner.freed();
    }

    @Override
    protected void goingAway(int last) {
        retire();
    }

    @Override
    protected void dead() {
        trouble = "the node gave no sign of life";
        super.dead();
    }

    @Override
    public void channelInactive(ChannelHandlerContext from) throws Exception {
        owner.closed(this);
        super.channelInactive(from);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext from, Throwable cause) throws Exception {
        trouble = cause.getMessage() == null ? cause.toString() : cause.getMessage();
        super.exceptionCaught(from, cause);
    }
}
