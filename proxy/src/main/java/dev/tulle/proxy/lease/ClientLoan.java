package dev.tulle.proxy.lease;

import dev.tulle.proxy.upstream.Borrowers;
import dev.tulle.proxy.upstream.UpstreamConnection;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOutboundBuffer;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;

/**
 * A client's connection that the kernel may be given between two requests. When requests that the kernel could have taken
 * keep arriving here, it is given less and less often: after 1, 2, 4 … 64 exchanges; when the client was only faster with
 * its next request than the proxy with giving, it is soon tried again. Loop-confined.
 */
public final class ClientLoan {
    /** In place of a status that nobody remembers. */
    static final int UNKNOWN_CODE = -1;

    private static final int MAX_GAP = 64;
    private static final int PATIENCE = 16;
    private static final long UNKNOWN_PAUSE = TimeUnit.SECONDS.toNanos(1);

    private final Leases leases;
    private final Channel channel;
    private final InetSocketAddress address;
    private final Borrowers borrowers;
    private final RequestTaker taker;

    private long received;
    private long lastTaken;
    private int lastGives;
    private int late;
    private int gap = 1;
    private int skip;
    private boolean given;
    private boolean everGiven;
    private boolean over;

    ClientLoan(Leases leases, Channel channel, Borrowers borrowers, RequestTaker taker) {
        this.leases = leases;
        this.channel = channel;
        this.address = (InetSocketAddress) channel.remoteAddress();
        this.borrowers = borrowers;
        this.taker = taker;
        borrowers.enter();
    }

    /** Of a connection that the kernel never has. */
    ClientLoan(Leases leases, Channel channel) {
        this(leases, channel, new Borrowers(), RequestTaker.NOBODY);
        end();
    }

    Channel channel() {
        return channel;
    }

    /** Notes bytes that were read from the client. */
    public void received(int bytes) {
        received += bytes;
    }

    /** True while the kernel may take requests. */
    public boolean isGiven() {
        return given;
    }

    /**
     * No exchange is under way, and nothing waits: the kernel may have it, if it is time.
     *
     * @param unflushed bytes of the last answer that are going to be flushed next
     */
    public void give(long unflushed) {
        if (given || over || !leases.gives(borrowers)) {
            return;
        }
        if (skip > 0) {
            skip--;
            return;
        }
        ChannelOutboundBuffer unsent = channel.unsafe().outboundBuffer();
        if (unsent == null || unsent.size() > 0 || unflushed > Integer.MAX_VALUE) {
            // A part of the answer waits for a slow reader.
            return;
        }
        given = leases.give(this, channel, received, (int) unflushed);
        everGiven |= given;
    }

    /** The client has spoken (and {@link #received} was not called yet), or is not to be served by the kernel any more: what is under way becomes the proxy's. */
    public void takeBack() {
        if (!given) {
            return;
        }
        given = false;
        ClientInfo info = leases.options().client(channel);
        if (info == null) {
            // None that the kernel knows, and its service's others neither.
            borrowers.refuse(System.nanoTime() + UNKNOWN_PAUSE);
            end();
            return;
        }
        skip = gap(info) - 1;
        UpstreamConnection connection = leases.lent(info.lease());
        if (connection != null && info.state() != LeaseState.POOLED) {
            leases.take(connection, leases.isDraining() ? LeaseState.ANY : LeaseState.BUSY);
        }
    }

    /** After how many exchanges to give it again. */
    private int gap(ClientInfo info) {
        if (info.gives() == lastGives) {
            late++;
            return late < PATIENCE ? 1 : Math.min(late - PATIENCE + 2, MAX_GAP);
        }
        lastGives = info.gives();
        late = 0;
        if (info.sinceNanos() != lastTaken) {
            lastTaken = info.sinceNanos();
            gap = 1;
        } else if (received > 0) {
            // That nothing was there for the very first request says nothing about those after it.
            gap = Math.min(gap * 2, MAX_GAP);
        }
        return gap;
    }

    /**
     * A request of this client, or the rest of its response, becomes the proxy's.
     *
     * @param sinceNanos when the kernel took it
     * @param timeoutMillis its timeout from then on, 0 for none
     * @param code of the response that the client is reading, 0 for none, {@link #UNKNOWN_CODE} if it is not known
     * @param unproven true when the connection must not carry another request
     * @return false when it cannot
     */
    boolean goOn(
            UpstreamConnection from, long sinceNanos, int timeoutMillis, int code, long remaining, boolean unproven) {
        ClientInfo info = leases.options().client(channel);
        if (over || info == null || info.lease() != from.loan()) {
            return false;
        }
        given = false;
        lastTaken = info.sinceNanos();
        TakenRequest request = new TakenRequest(
                info.head(), info.bodyLength(), info.left(), sinceNanos, timeoutMillis, code, remaining, unproven);
        if (!taker.take(from, request)) {
            taker.abandon();
            return false;
        }
        return true;
    }

    /** The programs have gone while the kernel had the connection: what it promised is not to be kept any more. */
    void kernelGone() {
        if (given) {
            given = false;
            taker.abandon();
        }
    }

    /** When the kernel last took a request, as {@link System#nanoTime}; 0 for never. */
    public long lastTakenNanos() {
        if (given) {
            ClientInfo info = leases.options().client(channel);
            return info == null ? 0 : info.sinceNanos();
        }
        return lastTaken;
    }

    /** The connection is about to close: what it has of the kernel goes back. Its socket must still be open. */
    public void leave() {
        if (over) {
            return;
        }
        end();
        if (everGiven) {
            ClientInfo info = leases.options().client(channel);
            UpstreamConnection connection = info == null ? null : leases.lent(info.lease());
            if (connection != null) {
                leases.take(connection, LeaseState.ANY);
            }
        }
    }

    private void end() {
        if (!over) {
            over = true;
            given = false;
            borrowers.leave();
            leases.forget(this, address);
        }
    }
}
