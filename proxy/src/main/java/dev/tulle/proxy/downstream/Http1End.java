package dev.tulle.proxy.downstream;

import dev.tulle.proxy.downstream.Http1State.Event;
import dev.tulle.proxy.forward.Exchange;
import dev.tulle.proxy.lease.ClientLoan;
import dev.tulle.proxy.loop.Ends;
import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.loop.TimerWheel;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import java.util.concurrent.TimeUnit;

/**
 * How a client's connection of HTTP/1.1 ends: when its time is over, after its last response, when the client has ended its
 * half, or without ceremony. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class Http1End {
    /** How long a request's head may take. */
    static final long HEAD_TIMEOUT = TimeUnit.SECONDS.toNanos(60);

    private static final long IDLE_TIMEOUT = TimeUnit.HOURS.toNanos(1);
    private static final long LINGER = TimeUnit.SECONDS.toNanos(2);
    private static final int LINGER_BYTES = 1 << 20;

    private final TimerWheel timers;
    private final Channel channel;
    private final Outgoing out;
    private final RequestReader reader;
    private final Exchange exchange;
    private final ClientLoan loan;
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            timeout();
        }
    };

    /** The client has ended its half: what it asked is still answered. */
    private boolean ended;

    private int lingered;

    Http1End(
            TimerWheel timers,
            Channel channel,
            Outgoing out,
            RequestReader reader,
            Exchange exchange,
            ClientLoan loan) {
        this.timers = timers;
        this.channel = channel;
        this.out = out;
        this.reader = reader;
        this.exchange = exchange;
        this.loan = loan;
    }

    // ---- time ----

    void deadline(long nanos) {
        timers.set(timer, nanos);
    }

    /** Nothing is under way, or bytes go through a tunnel: it may be silent for long. */
    void idleFromNow() {
        deadline(System.nanoTime() + IDLE_TIMEOUT);
    }

    /** A head is on its way since then. */
    void headSince(long nanos) {
        deadline(nanos + HEAD_TIMEOUT);
    }

    /** The connection is over, or another handler's. */
    void noDeadline() {
        timers.remove(timer);
    }

    private void timeout() {
        switch (reader.state()) {
            case HEAD -> reader.refuse(408, "the request's head took longer than 60 s");
            case BODY, RESPONSE -> exchange.timeout();
            case TUNNEL -> {
                if (exchange.wasActive()) {
                    idleFromNow();
                } else {
                    close();
                }
            }
            case IDLE -> idleTimeout();
            case LINGERING, CLOSED -> close();
        }
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

    // ---- the client's end ----

    boolean hasEnded() {
        return ended;
    }

    /**
     * The client sends no more. It may still read, as it could of the server without a mesh: requests that are whole are
     * answered in their order. One that has gone altogether resets the connection at the answer's first bytes.
     */
    void inputEnded() {
        ended = true;
    }

    /** Closes when the client has ended its half, and nothing that is whole is left to answer or to send on. */
    void closeIfEnded() {
        if (!ended || !reader.waiting().isEmpty()) {
            return;
        }
        switch (reader.state()) {
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

    // ---- our end ----

    /** Sends what is left and closes; when the client may still be sending, its bytes are read and thrown away first. */
    void afterResponse() {
        loan.leave();
        boolean clean = reader.is(Http1State.RESPONSE) && reader.waiting().isEmpty() && reader.isRequestComplete();
        out.flush();
        if (clean || reader.is(Http1State.TUNNEL)) {
            closeWhenSent();
        } else {
            // A close with unread bytes would be a reset, which can destroy the response on its way.
            reader.on(Event.LINGERS);
            reader.waiting().release();
            Ends.output(channel);
            deadline(System.nanoTime() + LINGER);
            reader.read(true);
        }
    }

    private void closeWhenSent() {
        reader.on(Event.CLOSES);
        Ends.both(channel);
    }

    /** Throws away what comes after the end. */
    void linger(ByteBuf in) {
        lingered += in.readableBytes();
        in.release();
        if (lingered > LINGER_BYTES) {
            close();
        }
    }

    /** Nothing more is sent: after what is on its way. */
    void output() {
        out.flush();
        Ends.output(channel);
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

    void close() {
        loan.leave();
        reader.on(Event.CLOSES);
        channel.close();
    }
}
