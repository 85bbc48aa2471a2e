package dev.tulle.proxy.downstream;

import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.forward.Exchange;
import dev.tulle.proxy.forward.HttpScope;
import dev.tulle.proxy.forward.ServiceChooser;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http2.Preface;
import dev.tulle.proxy.lease.ClientLoan;
import dev.tulle.proxy.lease.RequestTaker;
import dev.tulle.proxy.lease.TakenRequest;
import dev.tulle.proxy.loop.Ends;
import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.loop.QuickAck;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.upstream.UpstreamChannels;
import dev.tulle.proxy.upstream.UpstreamConnection;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One HTTP/1.1 connection from a client: finds requests in the bytes, one at a time and in order, and hands each to the
 * {@link Exchange}. Bytes of later requests wait here. One that begins with the preface of HTTP/2 becomes an
 * {@link H2Connection}. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class Http1Connection extends ChannelInboundHandlerAdapter implements HttpClientConnection {
    /** Why a request is refused whose client has large heads beyond its share. */
    static final String LARGE_HEADS = "too many large heads of this client at a time";

    private static final long HEAD_TIMEOUT = TimeUnit.SECONDS.toNanos(60);
    private static final long IDLE_TIMEOUT = TimeUnit.HOURS.toNanos(1);
    private static final long LINGER = TimeUnit.SECONDS.toNanos(2);
    private static final int LINGER_BYTES = 1 << 20;

    private enum State {
        /** Between requests. */
        IDLE,
        HEAD,
        BODY,
        /** The request was read; its response is not over. */
        RESPONSE,
        TUNNEL,
        /** Our side is closed; what still comes is thrown away. */
        LINGERING,
        CLOSED
    }

    private final HttpScope scope;
    private final @Nullable OutboundService service;
    private final @Nullable ServiceChooser chooser;
    private @Nullable Connector connector;
    private final Channel channel;
    private final QuickAck quickAck;
    private final Outgoing out;
    private final RequestHead head = new RequestHead();
    private final RequestBody body = new RequestBody(head);
    private final WaitingBytes waiting = new WaitingBytes();
    private final ClientLoan loan;
    private final Http1Stream stream;
    private final Exchange exchange;
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            timeout();
        }
    };

    private final @Nullable Held held;
    private final RequestTurn turn;
    private State state = State.IDLE;
    /** Nothing has come yet that tells the version. */
    private boolean undecided = true;

    private boolean processing;
    private boolean reading;
    private boolean doubtful;
    private boolean giveDue;
    /** The client has ended its half: what it asked is still answered. */
    private boolean ended;

    private int lingered;

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
        this.turn = new RequestTurn(channel, held, this::goOn);
        this.stream = new Http1Stream(this, head, scope.upstreams().worker(), out, peer, scope.draining());
        this.exchange = new Exchange(scope, stream, head);
        // Only a captured connection has its client on this host, where the kernel can see it.
        this.loan = service == null || peer.edge()
                ? scope.leases().stranger(channel)
                : scope.leases().client(channel, scope.upstreams().borrowers(service), new Taker(service));
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
        deadline(System.nanoTime() + IDLE_TIMEOUT);
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
        if (giveDue && !ended && state == State.IDLE && waiting.isEmpty()) {
            giveDue = false;
            loan.give(out.unflushed());
        }
    }

    /** What the kernel has taken and cannot finish becomes an exchange of this connection. */
    private final class Taker implements RequestTaker {
        private final OutboundService to;

        Taker(OutboundService to) {
            this.to = to;
        }

        @Override
        public boolean take(UpstreamConnection from, TakenRequest request) {
            if (state != State.IDLE) {
                return false;
            }
            begin();
            if (head.read(request.head()) != ParseStatus.COMPLETE) {
                return false;
            }
            if (request.left() > 0) {
                state = State.BODY;
                body.goOn(request.left());
            } else {
                state = State.RESPONSE;
            }
            exchange.take(to, from, request);
            return true;
        }

        @Override
        public void abandon() {
            abort(false);
        }
    }

    Channel channel() {
        return channel;
    }

    /** True when nothing of the request is still to be read, and what was read of it can be trusted. */
    boolean isRequestComplete() {
        return state != State.BODY && !doubtful;
    }

    /** True while bytes of this connection are being handled: a flush follows at the end of the batch. */
    boolean isReading() {
        return reading;
    }

    void deadline(long nanos) {
        scope.upstreams().worker().timers().set(timer, nanos);
    }

    /** Stops or resumes reading. */
    private void read(boolean on) {
        if (channel.config().isAutoRead() != on) {
            channel.config().setAutoRead(on);
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        reading = true;
        turn.begin();
        ByteBuf in = (ByteBuf) message;
        quickAck.came(in.readableBytes());
        loan.takeBack();
        loan.received(in.readableBytes());
        if (state == State.LINGERING || state == State.CLOSED) {
            linger(in);
            return;
        }
        ByteBuf all = waiting.takeWith(in, channel.alloc());
        if (!undecided || isHttp1(all)) {
            consume(all);
        }
    }

    /** False when the bytes were taken: they are HTTP/2, or may become it. */
    private boolean isHttp1(ByteBuf first) {
        OutboundService to = service;
        Boolean http2 = to == null ? Boolean.FALSE : Preface.isIt(first);
        if (http2 == null) {
            waiting.keep(first);
            deadline(System.nanoTime() + HEAD_TIMEOUT);
            return false;
        }
        undecided = false;
        if (http2 && to != null) {
            loan.leave();
            state = State.CLOSED;
            scope.upstreams().worker().timers().remove(timer);
            ChannelHandlerContext here = channel.pipeline().context(this);
            channel.pipeline().addLast(H2Connection.to(to, scope, stream.peer(), channel));
            channel.pipeline().remove(this);
            to.release();
            // From here on: what is before this may be TLS, which has read these bytes already.
            here.fireChannelRead(first);
        }
        return !http2;
    }

    /** Handles bytes; keeps what has to wait. */
    private void consume(ByteBuf in) {
        processing = true;
        turn.busy();
        try {
            process(in);
        } finally {
            processing = false;
            turn.took();
        }
        if (state == State.CLOSED || state == State.LINGERING || !in.isReadable()) {
            in.release();
            return;
        }
        waiting.keep(in);
        if (waiting.isFull() || state == State.BODY) {
            read(false);
        }
    }

    private void process(ByteBuf in) {
        while (true) {
            switch (state) {
                case IDLE -> {
                    if (!in.isReadable() || !mayBegin()) {
                        return;
                    }
                    begin();
                    state = State.HEAD;
                }
                case HEAD -> {
                    ParseStatus status = head.read(in);
                    if (!holdsHead(head.held())) {
                        refuse(431, LARGE_HEADS);
                        return;
                    }
                    if (status == ParseStatus.NEED_MORE) {
                        deadline(exchange.startNanos() + HEAD_TIMEOUT);
                        return;
                    }
                    if (status.isError()) {
                        refuse(status);
                        return;
                    }
                    headComplete();
                    turn.took();
                }
                case BODY -> {
                    if (!exchange.takesBody() || !in.isReadable()) {
                        return;
                    }
                    if (!body(in)) {
                        return;
                    }
                }
                case TUNNEL -> {
                    if (in.isReadable()) {
                        exchange.requestData(in.readRetainedSlice(in.readableBytes()));
                    }
                    return;
                }
                case RESPONSE, LINGERING, CLOSED -> {
                    return;
                }
            }
        }
    }

    /**
     * True when the next request may begin: the client has read the answers to those before it, but for what fits into a
     * socket, and others have had their turn since this connection's, or its client's, began.
     */
    private boolean mayBegin() {
        return (channel.isWritable() || out.flush()) && turn.mayBegin();
    }

    private void begin() {
        head.reset();
        stream.begin();
        exchange.requestBegins();
    }

    /** Begins requests that have waited, if nothing is under way. */
    private void goOn() {
        if (state == State.IDLE && !processing && !waiting.isEmpty()) {
            turn.begin();
            consumeWaiting();
            read(!waiting.isFull());
            closeIfEnded();
            out.flush();
            exchange.flushUpstream();
        }
    }

    private void headComplete() {
        if (head.hasBody()) {
            state = State.BODY;
            body.begin();
        } else {
            state = State.RESPONSE;
        }
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
        read(false);
        found.connect(channel, head.authority(), address -> {
            if (state == State.CLOSED) {
                return;
            }
            if (address == null) {
                exchange.refuse(503, "cannot connect to " + head.authority());
                return;
            }
            out.add(scope.upstreams().worker().sink().put("HTTP/1.1 200 Connection established\r\n\r\n"), 0);
            out.flush();
            // What follows may still be in the hands of the reader: it is handed on once that has put it down.
            state = State.RESPONSE;
            channel.eventLoop().execute(() -> handOver(found, address));
        });
    }

    private void handOver(Connector to, InetSocketAddress address) {
        if (state == State.CLOSED) {
            return;
        }
        ByteBuf early = waiting.take();
        state = State.CLOSED;
        scope.upstreams().worker().timers().remove(timer);
        channel.pipeline().remove(this);
        to.tunnel(channel, address, early);
        if (ended) {
            // The client's end came while we were connecting; whoever has the connection now has not heard of it.
            channel.pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
        }
    }

    /** Hands on a piece of the body; false when it broke. */
    private boolean body(ByteBuf in) {
        ByteBuf data = body.next(in);
        if (data != null) {
            exchange.requestData(data);
        }
        if (body.isBroken()) {
            scope.malformed().increment();
            doubtful = true;
            exchange.requestBroken(ParseStatus.BAD_CHUNK.text());
            return false;
        }
        if (body.isComplete()) {
            requestComplete();
        }
        return true;
    }

    private void requestComplete() {
        if (state == State.BODY) {
            state = State.RESPONSE;
            exchange.requestEnd(body.trailers());
        }
    }

    private void refuse(ParseStatus status) {
        scope.malformed().increment();
        refuse(status.code(), status.text());
    }

    private void refuse(int code, String why) {
        // Where one request was doubtful nothing after it can be trusted: answer and close.
        doubtful = true;
        state = State.RESPONSE;
        exchange.refuse(code, why);
    }

    /** False when the client may not have so many bytes of heads. */
    private boolean holdsHead(int bytes) {
        Held place = held;
        return place == null || place.holdsHead(bytes);
    }

    /** The exchange can take body bytes (again). */
    void resumeBody() {
        waitsForEndpoint(0);
        if (processing) {
            return;
        }
        consumeWaiting();
        if (waiting.isEmpty() || state == State.RESPONSE) {
            read(!waiting.isFull());
        }
        closeIfEnded();
    }

    /** The exchange cannot take body bytes for now: the endpoint does not read. */
    void pauseBody(long unsent) {
        read(false);
        ByteBuf more = waiting.peek();
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
        if (state != State.IDLE || !waiting.isEmpty()) {
            return false;
        }
        loan.takeBack();
        if (state != State.IDLE) {
            return false;
        }
        close();
        return true;
    }

    @Override
    public void closeStalled() {
        close();
    }

    private void consumeWaiting() {
        ByteBuf bytes = waiting.take();
        if (bytes != null) {
            consume(bytes);
        }
    }

    /** What follows the response's head is no HTTP any more: bytes go both ways from now on. */
    void becomeTunnel() {
        state = State.TUNNEL;
        deadline(System.nanoTime() + IDLE_TIMEOUT);
        resumeBody();
    }

    /** The exchange is over. */
    void streamDone(boolean keepAlive) {
        if (state == State.CLOSED) {
            return;
        }
        // What was sent behind a CONNECT in the hope of a tunnel is no request.
        boolean forTunnel = head.isConnect() && !waiting.isEmpty();
        head.shrink();
        var _ = holdsHead(0);
        if (!keepAlive || forTunnel) {
            closeAfterResponse();
            return;
        }
        state = State.IDLE;
        giveDue = true;
        waitsForEndpoint(0);
        if (!reading) {
            if (!processing) {
                give();
            }
            out.flush();
        }
        deadline(System.nanoTime() + IDLE_TIMEOUT);
        if (!processing) {
            consumeWaiting();
            read(!waiting.isFull());
            closeIfEnded();
        }
    }

    /** Sends what is left and closes; when the client may still be sending, its bytes are read and thrown away first. */
    private void closeAfterResponse() {
        loan.leave();
        boolean clean = state == State.RESPONSE && waiting.isEmpty() && !doubtful;
        out.flush();
        if (clean || state == State.TUNNEL) {
            closeWhenSent();
        } else {
            // A close with unread bytes would be a reset, which can destroy the response on its way.
            state = State.LINGERING;
            waiting.release();
            Ends.output(channel);
            deadline(System.nanoTime() + LINGER);
            read(true);
        }
    }

    private void closeWhenSent() {
        state = State.CLOSED;
        Ends.both(channel);
    }

    private void linger(ByteBuf in) {
        lingered += in.readableBytes();
        in.release();
        if (lingered > LINGER_BYTES) {
            close();
        }
    }

    /**
     * Closes without ceremony: the response could not be completed.
     *
     * @param reset true when an orderly end would be taken for that of the response
     */
    void abort(boolean reset) {
        out.flush();
        if (reset) {
            Ends.reset(channel);
        }
        close();
    }

    private void close() {
        loan.leave();
        state = State.CLOSED;
        channel.close();
    }

    /** No request has come for long; but the kernel may have taken some. */
    private void idleTimeout() {
        long used = loan.lastTakenNanos();
        if (used != 0 && System.nanoTime() - used < IDLE_TIMEOUT) {
            deadline(used + IDLE_TIMEOUT);
        } else {
            close();
        }
    }

    private void timeout() {
        switch (state) {
            case HEAD -> {
                doubtful = true;
                state = State.RESPONSE;
                exchange.refuse(408, "the request's head took longer than 60 s");
            }
            case BODY, RESPONSE -> exchange.timeout();
            case TUNNEL -> {
                if (exchange.wasActive()) {
                    deadline(System.nanoTime() + IDLE_TIMEOUT);
                } else {
                    close();
                }
            }
            case IDLE -> idleTimeout();
            case LINGERING, CLOSED -> close();
        }
    }

    @Override
    public void drain() {
        scope.leases().drain();
        loan.takeBack();
        if (state == State.IDLE) {
            close();
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        reading = false;
        if (state == State.TUNNEL) {
            quickAck.turnOver();
        } else {
            quickAck.turnOver(state == State.BODY || (state == State.HEAD && !head.isEmpty()));
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
            inputEnded();
        }
    }

    /**
     * The client sends no more. It may still read, as it could of the server without a mesh: requests that are whole are
     * answered in their order. One that has gone altogether resets the connection at the answer's first bytes.
     */
    private void inputEnded() {
        ended = true;
        loan.takeBack();
        if (undecided && !waiting.isEmpty()) {
            // The beginning of a preface, and no more.
            undecided = false;
            consumeWaiting();
            out.flush();
        }
        closeIfEnded();
    }

    /** Nothing that is whole is left to answer, or to send on through a tunnel. */
    private void closeIfEnded() {
        if (!ended || !waiting.isEmpty()) {
            return;
        }
        switch (state) {
            case IDLE -> {
                loan.leave();
                out.flush();
                closeWhenSent();
            }
            case HEAD, BODY -> close();
            case TUNNEL -> exchange.clientEnded();
            case RESPONSE, LINGERING, CLOSED -> {
                // An answer is under way, or nobody is there any more.
            }
        }
    }

    /** The server sends nothing more through a tunnel: after what is on its way, neither do we. */
    void endOutput() {
        out.flush();
        Ends.output(channel);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        if (Ends.isReset(cause)) {
            exchange.clientReset();
        }
        close();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        loan.leave();
        state = State.CLOSED;
        scope.upstreams().worker().timers().remove(timer);
        waiting.release();
        out.discard();
        exchange.downstreamGone();
        if (service != null) {
            service.release();
        }
    }
}
