package dev.tulle.proxy.downstream;

import dev.tulle.proxy.downstream.Http1State.Event;
import dev.tulle.proxy.forward.Exchange;
import dev.tulle.proxy.forward.HttpScope;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.share.Held;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import org.jspecify.annotations.Nullable;

/**
 * Finds the requests of a client in its bytes, one at a time and in order, and hands them to the exchange. Bytes of later
 * requests wait here. Loop-confined.
 */
final class RequestReader {
    /** Why a request is refused whose client has large heads beyond its share. */
    static final String LARGE_HEADS = "too many large heads of this client at a time";

    /** Who has the connection. */
    interface Owner {
        /** The first byte of a request is there. */
        void requestBegins();

        /** The beginning of a head is there, and not its end. */
        void headIncomplete();

        /** A head is there, and tells whether a body follows. */
        void headComplete();
    }

    private final HttpScope scope;
    private final Channel channel;
    private final Outgoing out;
    private final Owner owner;
    private final RequestHead head;
    private final Exchange exchange;
    private final @Nullable Held held;
    private final RequestBody body;
    private final WaitingBytes waiting = new WaitingBytes();
    private final RequestTurn turn;
    private Http1State state = Http1State.IDLE;
    private boolean processing;
    private boolean doubtful;

    /**
     * Of a connection.
     *
     * @param head where the head of each request is read to
     * @param held its client's place; null for none
     * @param next goes on with what had to wait for others' turn
     */
    RequestReader(
            HttpScope scope,
            Channel channel,
            Outgoing out,
            Owner owner,
            RequestHead head,
            Exchange exchange,
            @Nullable Held held,
            Runnable next) {
        this.scope = scope;
        this.channel = channel;
        this.out = out;
        this.owner = owner;
        this.head = head;
        this.exchange = exchange;
        this.held = held;
        this.body = new RequestBody(head);
        this.turn = new RequestTurn(channel, held, next);
    }

    /** Where the connection is. */
    Http1State state() {
        return state;
    }

    boolean is(Http1State one) {
        return state == one;
    }

    /**
     * Something happened.
     *
     * @throws IllegalStateException when it cannot happen where the connection is; which is closed then, as nobody knows
     *     what its bytes mean
     */
    // Whether the close succeeds is not asked.
    @SuppressWarnings("FutureReturnValueIgnored")
    void on(Event event) {
        Http1State next = state.after(event);
        if (next == null) {
            channel.close();
            throw new IllegalStateException(event + " where a connection is " + state);
        }
        state = next;
    }

    /** Bytes that cannot be handled yet. */
    WaitingBytes waiting() {
        return waiting;
    }

    /** True while bytes are being handled. */
    boolean isProcessing() {
        return processing;
    }

    /** True when nothing of the request is still to be read, and what was read of it can be trusted. */
    boolean isRequestComplete() {
        return state != Http1State.BODY && !doubtful;
    }

    /** The connection may be read again, or its loop has had others' turn. */
    void turnBegins() {
        turn.begin();
    }

    /** A request whose head was read, and sent, by the kernel; so many bytes of its body are still to come. */
    void goOn(long left) {
        on(Event.REQUEST_BEGINS);
        if (left > 0) {
            on(Event.HEAD_BEFORE_BODY);
            body.goOn(left);
        } else {
            on(Event.HEAD_ALONE);
        }
    }

    /** Handles bytes; keeps what has to wait. */
    void consume(ByteBuf in) {
        processing = true;
        turn.busy();
        try {
            process(in);
        } finally {
            processing = false;
            turn.took();
        }
        if (state == Http1State.CLOSED || state == Http1State.LINGERING || !in.isReadable()) {
            in.release();
            return;
        }
        waiting.keep(in);
        if (waiting.isFull() || state == Http1State.BODY) {
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
                    owner.requestBegins();
                    on(Event.REQUEST_BEGINS);
                }
                case HEAD -> {
                    ParseStatus status = head.read(in);
                    if (!holdsHead(head.held())) {
                        refuse(431, LARGE_HEADS);
                        return;
                    }
                    if (status == ParseStatus.NEED_MORE) {
                        owner.headIncomplete();
                        return;
                    }
                    if (status.isError()) {
                        refuse(status);
                        return;
                    }
                    if (head.hasBody()) {
                        on(Event.HEAD_BEFORE_BODY);
                        body.begin();
                    } else {
                        on(Event.HEAD_ALONE);
                    }
                    owner.headComplete();
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
        if (state == Http1State.BODY) {
            on(Event.BODY_ENDS);
            exchange.requestEnd(body.trailers());
        }
    }

    private void refuse(ParseStatus status) {
        scope.malformed().increment();
        refuse(status.code(), status.text());
    }

    /** Answers in place of a server, and nothing after it is read. */
    void refuse(int code, String why) {
        // Where one request was doubtful nothing after it can be trusted: answer and close.
        doubtful = true;
        on(Event.ANSWERED_EARLY);
        exchange.refuse(code, why);
    }

    /** False when the client may not have so many bytes of heads. */
    private boolean holdsHead(int bytes) {
        Held place = held;
        return place == null || place.holdsHead(bytes);
    }

    /** Handles what has waited. */
    void consumeWaiting() {
        ByteBuf bytes = waiting.take();
        if (bytes != null) {
            consume(bytes);
        }
    }

    /** Stops or resumes reading. */
    void read(boolean on) {
        if (channel.config().isAutoRead() != on) {
            channel.config().setAutoRead(on);
        }
    }

    /** The request is over: what its head took beyond the usual is given back. */
    void shrink() {
        head.shrink();
        var _ = holdsHead(0);
    }
}
