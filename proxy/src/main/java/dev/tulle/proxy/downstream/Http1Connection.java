package dev.tulle.proxy.downstream;

import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.downstream.Http1State.Event;
import dev.tulle.proxy.forward.Exchange;
import dev.tulle.proxy.forward.HttpScope;
import dev.tulle.proxy.forward.ServiceChooser;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http2.Preface;
import dev.tulle.proxy.lease.ClientLoan;
import dev.tulle.proxy.loop.Ends;
import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.loop.QuickAck;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.upstream.UpstreamChannels;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * One HTTP/1.1 connection from a client: finds requests in the bytes, one at a time and in order, and hands each to the
 * {@link Exchange}. Bytes of later requests wait here. One that begins with the preface of HTTP/2 becomes an
 * {@link H2Connection}. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class Http1Connection extends ChannelInboundHandlerAdapter implements HttpClientConnection {
    private final HttpScope scope;
    private final @Nullable OutboundService service;
    private final @Nullable ServiceChooser chooser;
    private @Nullable Connector connector;
    private final Channel channel;
    private final QuickAck quickAck;
    private final Outgoing out;
    private final RequestHead head = new RequestHead();
    private final ClientLoan loan;
    private final Http1Stream stream;
    private final Exchange exchange;
    private final @Nullable Held held;
    private final RequestReader reader;
    private final Http1End end;
    /** Nothing has come yet that tells the version. */
    private boolean undecided = true;

    private long openedNanos;
    private boolean reading;
    private boolean giveDue;

    private Http1Connection(
            HttpScope scope,
            Peer peer,
            Channel channel,
            @Nullable OutboundService service,
            @Nullable ServiceChooser chooser) {
        this.scope = scope;
        this.channel = channel;
        this.quickAck = new QuickAck(channel);
        this.service = service;
        this.chooser = chooser;
        this.out = new Outgoing(channel);
        this.held = LoopShares.of(channel);
        this.stream = new Http1Stream(this, head, scope.upstreams().worker(), out, peer, scope.draining());
        this.exchange = new Exchange(scope, stream, head);
        Requests found = new Requests();
        this.reader = new RequestReader(scope, channel, out, found, head, exchange, held, this::goOn);
        // Only a captured connection has its client on this host, where the kernel can see it.
        this.loan = service == null || peer.edge() || !(channel instanceof SocketChannel)
                ? scope.leases().stranger(channel)
                : scope.leases()
                        .client(
                                channel,
                                scope.upstreams().borrowers(service),
                                new TakenRequests(service, reader, found, head, exchange, () -> end().abort(false)));
        this.end = new Http1End(scope.upstreams().worker().timers(), channel, out, reader, exchange, loan);
    }

    /** A connection to one service, retained until it closes. */
    public static Http1Connection to(OutboundService service, HttpScope scope, Peer peer, Channel channel) {
        return new Http1Connection(scope, peer, channel, service, null);
    }

    /** A connection whose requests name their services. */
    public static Http1Connection choosing(
            ServiceChooser chooser, Connector connector, HttpScope scope, Peer peer, Channel channel) {
        Http1Connection connection = new Http1Connection(scope, peer, channel, null, chooser);
        connection.connector = connector;
        return connection;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        end.idleFromNow();
        if (service != null) {
            service.retain();
        }
        Held place = held;
        if (place != null) {
            place.occupy(this);
        }
    }

    /** The channel is ready, and nothing was received yet. */
    public void ready() {
        giveDue = true;
        give();
    }

    /** Lets the kernel have the connection, together with what is flushed next, if nothing is under way. */
    private void give() {
        if (giveDue
                && !end.hasEnded()
                && reader.is(Http1State.IDLE)
                && reader.waiting().isEmpty()) {
            giveDue = false;
            loan.give(out.unflushed());
        }
    }

    /** What its reader has found. */
    private final class Requests implements RequestReader.Owner {
        @Override
        public void requestBegins() {
            head.reset();
            stream.begin();
            exchange.requestBegins();
        }

        @Override
        public void headIncomplete() {
            end.headSince(exchange.startNanos());
        }

        @Override
        public void headComplete() {
            serve();
        }
    }

    Channel channel() {
        return channel;
    }

    /** True when nothing of the request is still to be read, and what was read of it can be trusted. */
    boolean isRequestComplete() {
        return reader.isRequestComplete();
    }

    /** True while bytes of this connection are being handled: a flush follows at the end of the batch. */
    boolean isReading() {
        return reading;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        reading = true;
        reader.turnBegins();
        ByteBuf in = (ByteBuf) message;
        quickAck.came(in.readableBytes());
        loan.takeBack();
        loan.received(in.readableBytes());
        if (reader.is(Http1State.LINGERING) || reader.is(Http1State.CLOSED)) {
            end.linger(in);
            return;
        }
        ByteBuf all = reader.waiting().takeWith(in, channel.alloc());
        if (!undecided || isHttp1(all)) {
            reader.consume(all);
        }
    }

    /** False when the bytes were taken: they are HTTP/2, or may become it. */
    private boolean isHttp1(ByteBuf first) {
        OutboundService to = service;
        Boolean http2 = to == null ? Boolean.FALSE : Preface.isMeant(first, to.saysHttp2());
        if (http2 == null) {
            reader.waiting().keep(first);
            // All of it has one bound, however slowly it comes.
            openedNanos = openedNanos == 0 ? System.nanoTime() : openedNanos;
            end.headSince(openedNanos);
            return false;
        }
        undecided = false;
        if (http2 && to != null) {
            loan.leave();
            reader.on(Event.CLOSES);
            end.noDeadline();
            ChannelHandlerContext here = channel.pipeline().context(this);
            channel.pipeline().addLast(H2Connection.to(to, scope, stream.peer(), channel));
            channel.pipeline().remove(this);
            to.release();
            // From here on: what is before this may be TLS, which has read these bytes already.
            here.fireChannelRead(first);
        }
        return !http2;
    }

    /** Begins requests that have waited, if nothing is under way. */
    private void goOn() {
        if (reader.is(Http1State.IDLE)
                && !reader.isProcessing()
                && !reader.waiting().isEmpty()) {
            reader.turnBegins();
            reader.consumeWaiting();
            reader.read(!reader.waiting().isFull());
            end.closeIfEnded();
            out.flush();
            exchange.flushUpstream();
        }
    }

    private void serve() {
        OutboundService fixed = service;
        ServiceChooser choose = chooser;
        if (fixed != null) {
            exchange.begin(fixed, 0, null);
        } else if (choose != null) {
            if (head.isConnect()) {
                connect();
            } else {
                exchange.choose(choose);
            }
        }
    }

    private void connect() {
        Connector found = connector;
        if (found == null) {
            exchange.refuse(405, "CONNECT is not served here");
            return;
        }
        new ConnectRequest(found, this, channel, head, exchange, reader, end)
                .begin(scope.upstreams().worker().sink(), out);
    }

    /** The exchange can take body bytes (again). */
    void resumeBody() {
        waitsForEndpoint(0);
        if (reader.isProcessing()) {
            return;
        }
        reader.consumeWaiting();
        if (reader.waiting().isEmpty() || reader.is(Http1State.RESPONSE)) {
            reader.read(!reader.waiting().isFull());
        }
        end.closeIfEnded();
    }

    /** The exchange cannot take body bytes for now: the endpoint does not read. */
    void pauseBody(long unsent) {
        reader.read(false);
        ByteBuf more = reader.waiting().peek();
        waitsForEndpoint(unsent + (more == null ? 0 : more.readableBytes()));
    }

    private void waitsForEndpoint(long bytes) {
        Held place = held;
        if (place != null) {
            place.waitsForEndpoint(bytes);
        }
    }

    @Nullable
    Held held() {
        return held;
    }

    @Override
    public boolean closeIfIdle() {
        if (!reader.is(Http1State.IDLE) || !reader.waiting().isEmpty()) {
            return false;
        }
        loan.takeBack();
        if (!reader.is(Http1State.IDLE)) {
            return false;
        }
        end.close();
        return true;
    }

    @Override
    public void closeStalled() {
        end.close();
    }

    /** What follows the response's head is no HTTP any more: bytes go both ways from now on. */
    void becomeTunnel() {
        reader.on(Event.UPGRADED);
        end.idleFromNow();
        resumeBody();
    }

    /** The exchange is over. */
    void streamDone(boolean keepAlive) {
        if (reader.is(Http1State.CLOSED)) {
            return;
        }
        // What was sent behind a CONNECT in the hope of a tunnel is no request.
        boolean forTunnel = head.isConnect() && !reader.waiting().isEmpty();
        reader.shrink();
        if (!keepAlive || forTunnel) {
            end.afterResponse();
            return;
        }
        reader.on(Event.DONE);
        giveDue = true;
        waitsForEndpoint(0);
        if (!reading) {
            if (!reader.isProcessing()) {
                give();
            }
            out.flush();
        }
        end.idleFromNow();
        if (!reader.isProcessing()) {
            reader.consumeWaiting();
            reader.read(!reader.waiting().isFull());
            end.closeIfEnded();
        }
    }

    @Override
    public void drain() {
        scope.leases().drain();
        loan.takeBack();
        if (reader.is(Http1State.IDLE)) {
            end.close();
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        reading = false;
        if (reader.is(Http1State.TUNNEL)) {
            quickAck.turnOver();
        } else {
            quickAck.turnOver(reader.is(Http1State.BODY) || (reader.is(Http1State.HEAD) && !head.isEmpty()));
        }
        give();
        out.flush();
        exchange.flushUpstream();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
        boolean writable = channel.isWritable();
        Held place = held;
        if (place != null) {
            place.waitsForClient(UpstreamChannels.unsent(channel));
        }
        exchange.downstreamWritability(writable);
        if (writable) {
            goOn();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            end.inputEnded();
            loan.takeBack();
            if (undecided && !reader.waiting().isEmpty()) {
                // The beginning of a preface, and no more.
                undecided = false;
                reader.consumeWaiting();
                out.flush();
            }
            end.closeIfEnded();
        }
    }

    Http1End end() {
        return end;
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        if (Ends.isReset(cause)) {
            exchange.clientReset();
        }
        end.close();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        loan.leave();
        reader.on(Event.CLOSES);
        end.noDeadline();
        reader.waiting().release();
        out.discard();
        exchange.downstreamGone();
        if (service != null) {
            service.release();
        }
    }
}
