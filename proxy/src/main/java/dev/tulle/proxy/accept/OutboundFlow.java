package dev.tulle.proxy.accept;

import dev.tulle.common.Ip;
import dev.tulle.model.Listener;
import dev.tulle.model.Maglev;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.ServiceSnapshot;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.downstream.H2Connection;
import dev.tulle.proxy.downstream.Http1Connection;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.tcp.PassthroughTarget;
import dev.tulle.proxy.tcp.ServiceTarget;
import dev.tulle.proxy.tcp.TcpRelay;
import dev.tulle.proxy.tcp.TcpTarget;
import dev.tulle.proxy.transport.ProxyHeader;
import dev.tulle.proxy.upstream.ServiceView;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One client connection from the moment its destination is known: waits (bounded) for the service's configuration and
 * for the client's identity, finds out what is spoken, and hands the connection to HTTP or to the relay. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class OutboundFlow {
    /** The client has more connections than its share, and none that is idle. */
    static final String OVER_SHARE = "client_over_share";

    /** Where no policy asks, a client's name only labels what is counted: it is not worth a long wait. */
    static final long SOURCE_PATIENCE = TimeUnit.MILLISECONDS.toNanos(250);

    private final LoopScope scope;
    private final Channel channel;
    private final InetSocketAddress destination;
    private final OutboundService service;
    private final boolean edge;
    private boolean published;
    private boolean secure;
    private boolean http2;
    private int trustedHops;
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            goOn(true);
        }
    };
    private final long began = System.nanoTime();
    private WorkloadDirectory.Entry source;
    private boolean sourceFound;
    private boolean gone;
    private final EarlyBytes early;

    private OutboundFlow(
            LoopScope scope,
            Channel channel,
            InetSocketAddress destination,
            OutboundService service,
            boolean edge,
            EarlyBytes early) {
        this.scope = scope;
        this.channel = channel;
        this.destination = destination;
        this.service = service;
        this.edge = edge;
        this.source = scope.sources().pending();
        this.early = early;
    }

    /**
     * Begins; the channel must not be reading.
     *
     * @param edge true when the connection enters the mesh here, as opposed to a captured one
     * @param early bytes already received, which now belong to the flow; null for none
     */
    static void begin(
            LoopScope scope, Channel channel, InetSocketAddress destination, boolean edge, @Nullable ByteBuf early) {
        String address = Ip.text(destination.getAddress());
        begin(scope, channel, destination, scope.services().lookup(address, destination.getPort()), edge, early);
    }

    /** Begins with a connection to a published port, whose service is known from the port. */
    static void beginPublished(LoopScope scope, Channel channel, OutboundService service) {
        beginEdge(scope, channel, service, null, false, false);
    }

    /**
     * The same at the mesh's edge.
     *
     * @param asked the client, where it has been asked for already, whether or not it is known yet
     * @param secure true when the client speaks TLS, which is behind this
     * @param http2 true when it was agreed there that it speaks HTTP/2: nothing has to be found out
     */
    static void beginEdge(
            LoopScope scope,
            Channel channel,
            OutboundService service,
            WorkloadDirectory.@Nullable Entry asked,
            boolean secure,
            boolean http2) {
        OutboundFlow flow = new OutboundFlow(
                scope, channel, (InetSocketAddress) channel.localAddress(), service, true, new EarlyBytes(null));
        flow.published = true;
        flow.secure = secure;
        flow.http2 = http2;
        flow.await(asked);
    }

    /** Begins with a tunnel from another node, whose caller is known. */
    static void beginTunnel(LoopScope scope, Channel tunnel, OutboundService service, WorkloadDirectory.Entry source) {
        of(scope, tunnel, service).await(source);
    }

    /** Relays the bytes of one. */
    static void relayTunnel(
            LoopScope scope,
            Channel tunnel,
            OutboundService service,
            WorkloadDirectory.Entry source,
            TcpTarget target) {
        OutboundFlow flow = of(scope, tunnel, service);
        flow.source = source;
        flow.relay(target, null);
    }

    private static OutboundFlow of(LoopScope scope, Channel tunnel, OutboundService service) {
        InetSocketAddress dialled = (InetSocketAddress) tunnel.localAddress();
        return new OutboundFlow(scope, tunnel, dialled, service, false, new EarlyBytes(null));
    }

    private static void begin(
            LoopScope scope,
            Channel channel,
            InetSocketAddress destination,
            OutboundService service,
            boolean edge,
            @Nullable ByteBuf early) {
        OutboundFlow flow = new OutboundFlow(scope, channel, destination, service, edge, new EarlyBytes(early));
        flow.await(null);
    }

    private void await(WorkloadDirectory.@Nullable Entry asked) {
        channel.pipeline().addLast(early);
        scope.worker().timers().set(timer, began + SOURCE_PATIENCE);
        service.whenKnown(() -> scope.onLoop(() -> goOn(false)));
        if (asked == null) {
            ask();
        } else {
            source = asked;
            asked.whenKnown(() -> scope.onLoop(this::named));
        }
        channel.closeFuture().addListener(closed -> {
            if (!gone) {
                gone = true;
                scope.worker().timers().remove(timer);
                early.release();
            }
        });
    }

    private void ask() {
        // Who enters the mesh here has connected to this port, wherever the way goes from here.
        InetSocketAddress connected = edge ? (InetSocketAddress) channel.localAddress() : destination;
        scope.sources().find(channel, connected, entry -> {
            scope.onLoop(() -> {
                if (gone) {
                    // Whoever must know it still waits.
                    source.settle(entry);
                } else {
                    source = entry;
                }
            });
            entry.whenKnown(() -> scope.onLoop(this::named));
        });
    }

    private void named() {
        sourceFound = true;
        if (!gone && counts()) {
            goOn(false);
        }
    }

    /** Counts the connection as its client's, as far as that is known, whatever else is waited for; false when refused. */
    private boolean counts() {
        Held held = LoopShares.of(channel);
        if (held == null || held.belongsTo(source.toString())) {
            return true;
        }
        gone = true;
        scope.worker().timers().remove(timer);
        refuse(OVER_SHARE);
        return false;
    }

    private void goOn(boolean timeout) {
        if (gone) {
            return;
        }
        long waited = System.nanoTime() - began;
        boolean known = service.state() != OutboundService.State.UNKNOWN;
        boolean named = sourceFound || waited >= SOURCE_PATIENCE;
        if (!known && waited < scope.onDemandNanos()) {
            if (timeout && counts()) {
                scope.worker().timers().set(timer, began + scope.onDemandNanos());
            }
            return;
        }
        if (!named) {
            return;
        }
        gone = true;
        scope.worker().timers().remove(timer);
        serve();
    }

    private Peer peer() {
        ProxyHeader.Ends ends = ends();
        return new Peer(
                Sources.text(ends.client()),
                caller(),
                Sources.text(ends.dialled()),
                ends,
                source,
                edge,
                published ? Ip.text(ends.client().getAddress()) : "",
                secure,
                trustedHops);
    }

    /** Who has made the connection, or for whom it was made, and what was dialled. */
    private ProxyHeader.Ends ends() {
        ProxyHeader.Ends announced = AnnouncedPort.of(channel);
        return announced == null
                ? new ProxyHeader.Ends((InetSocketAddress) channel.remoteAddress(), destination)
                : announced;
    }

    private int caller() {
        InetSocketAddress client = ends().client();
        return client == null || client.getAddress() == null ? 0 : Maglev.callerOf(client.getAddress());
    }

    private void serve() {
        if (!channel.isActive()) {
            early.release();
            return;
        }
        if (!counts()) {
            return;
        }
        ServiceSnapshot snapshot = service.snapshot();
        ServiceView view = scope.upstreams().view(service);
        if (snapshot == null || view == null) {
            unknown();
            return;
        }
        switch (snapshot.listener().target()) {
            case Listener.Target.Tcp(var split) -> {
                relay(new ServiceTarget(scope.upstreams(), service, view, split, caller()), early.take());
                early.leave(channel.pipeline());
            }
            case Listener.Target.Http http -> {
                trustedHops = http.trustedHops();
                if (http.detect()) {
                    detect(http);
                } else {
                    http(null);
                    early.leave(channel.pipeline());
                }
            }
            case Listener.Target.Edge _ -> refuse("unknown_service");
        }
    }

    private void detect(Listener.Target.Http http) {
        ProtocolDetector detector = new ProtocolDetector(scope.worker(), (isHttp, first) -> {
            ServiceView view = scope.upstreams().view(service);
            if (isHttp) {
                http(first);
            } else if (view != null && !http.fallback().isEmpty()) {
                var target = new ServiceTarget(scope.upstreams(), service, view, http.fallback(), caller());
                if (first == null && channel.isActive()) {
                    TcpRelay.startSilent(scope.worker(), channel, peer(), target, scope.tcp(), new SlowHttp());
                } else {
                    relay(target, first);
                }
            } else {
                if (first != null) {
                    first.release();
                }
                refuse("not_http");
            }
        });
        channel.pipeline().addLast(detector);
        early.leave(channel.pipeline());
    }

    /** A client of HTTP that has taken longer than the detector waits. */
    private final class SlowHttp implements TcpRelay.Other {
        @Override
        public @Nullable Boolean isIt(ByteBuf first) {
            return ProtocolDetector.isHttp(first);
        }

        @Override
        public void take(ByteBuf first) {
            http(first);
        }
    }

    private void http(@Nullable ByteBuf first) {
        if (!channel.isActive()) {
            if (first != null) {
                first.release();
            }
            return;
        }
        if (http2) {
            channel.pipeline().addLast(H2Connection.to(service, scope.http(), peer(), channel));
            channel.config().setAutoRead(true);
            return;
        }
        Http1Connection connection = Http1Connection.to(service, scope.http(), peer(), channel);
        channel.pipeline().addLast(connection);
        if (first != null) {
            channel.pipeline().fireChannelRead(first).fireChannelReadComplete();
        } else {
            connection.ready();
        }
        channel.config().setAutoRead(true);
    }

    private void relay(TcpTarget target, @Nullable ByteBuf first) {
        TcpRelay.start(scope.worker(), channel, peer(), target, scope.tcp(), first);
    }

    /** The destination is no service of the mesh (or the control plane did not answer in time). */
    private void unknown() {
        UnknownDestination.find(scope, channel, destination, service, this::pass, this::refuse);
    }

    private void pass(PassthroughTarget target) {
        relay(target, early.take());
        early.leave(channel.pipeline());
    }

    private void refuse(String reason) {
        scope.refused().with(reason).increment();
        early.release();
        channel.close();
    }
}
