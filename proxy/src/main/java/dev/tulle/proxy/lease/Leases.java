package dev.tulle.proxy.lease;

import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.Borrowers;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.Lender;
import dev.tulle.proxy.upstream.UpstreamConnection;
import io.netty.channel.Channel;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.collection.LongObjectHashMap;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The connections to endpoints that the kernel has from one loop, and the client connections that it may use them for.
 * Whatever the kernel cannot finish comes back through here: the state that a connection was taken from says what has to
 * be done, and only that, because kernel and proxy agree on it by one compare-and-swap. Loop-confined.
 */
public final class Leases implements Lender {
    private static final long SILENCE = TimeUnit.SECONDS.toNanos(10);
    private static final long PAUSE_AFTER_REFUSAL = TimeUnit.MILLISECONDS.toNanos(250);

    private final Worker worker;
    private final HttpOptions options;
    private final int loop;
    private final LeaseMetrics metrics;
    private final LongObjectHashMap<UpstreamConnection> lent = new LongObjectHashMap<>();
    private final Map<InetSocketAddress, ClientLoan> clients = new HashMap<>();
    private final LeaseSweep sweep;
    private final TimerWheel.Timer silence = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            silent = false;
        }
    };
    private boolean answered;
    private boolean silent;
    private boolean draining;
    private boolean keeping;
    private long names;
    private long deafUntil;

    /**
     * Without any.
     *
     * @param loop number of the loop, of which there is no other on this host
     */
    public Leases(Worker worker, HttpOptions options, int loop, LeaseMetrics metrics) {
        this.worker = worker;
        this.options = options;
        this.loop = loop;
        this.metrics = metrics;
        this.sweep = new LeaseSweep(worker, this);
    }

    // ---- clients ----

    /** A captured connection of a client to a service whose clients these are. */
    public ClientLoan client(Channel channel, Borrowers borrowers, RequestTaker taker) {
        return new ClientLoan(this, channel, borrowers, taker);
    }

    /** A connection of a client that the kernel never has. */
    public ClientLoan stranger(Channel channel) {
        return new ClientLoan(this, channel);
    }

    /** True when a connection may be given to the kernel. */
    boolean gives(Borrowers borrowers) {
        return !silent && !draining && !borrowers.isRefused(System.nanoTime());
    }

    boolean give(ClientLoan client, Channel channel, long consumed, int after) {
        if (!options.give(channel, consumed, loop, after)) {
            if (channel.isActive()) {
                nobodyAnswers();
            }
            return false;
        }
        answered = true;
        metrics.given();
        clients.put((InetSocketAddress) channel.remoteAddress(), client);
        return true;
    }

    void forget(ClientLoan client, InetSocketAddress address) {
        clients.remove(address, client);
    }

    boolean isClient(InetSocketAddress address) {
        return clients.containsKey(address);
    }

    HttpOptions options() {
        return options;
    }

    /** The lent connection of this name; null for none. */
    @Nullable
    UpstreamConnection lent(long name) {
        return name == 0 ? null : lent.get(name);
    }

    /** No program answers: what was given to the kernel is closed, and nothing is asked for a while. */
    void nobodyAnswers() {
        silent = true;
        worker.timers().set(silence, System.nanoTime() + SILENCE);
        if (answered) {
            answered = false;
            for (UpstreamConnection connection : connections()) {
                remove(connection);
                connection.close();
            }
            List.copyOf(clients.values()).forEach(ClientLoan::kernelGone);
        }
    }

    // ---- connections to endpoints ----

    @Override
    public boolean lend(UpstreamConnection idle) {
        EndpointPool pool = idle.pool();
        if (!answered
                || draining
                || keeping
                || !pool.isLendable()
                || pool.lentCount() >= pool.borrowers().count()
                || pool.isRefused(idle.idleSince())) {
            return false;
        }
        long name = (long) loop << 32 | (++names & 0xffff_ffffL);
        LeaseInfo info = options.offer(idle.channel(), name, loop) ? options.lease(idle.channel()) : null;
        boolean accepted = info != null && info.cookie() == name;
        metrics.offered(accepted);
        if (info != null && !accepted && info.renew()) {
            idle.close();
            return true;
        }
        if (!accepted) {
            pool.refused(idle.idleSince() + PAUSE_AFTER_REFUSAL);
            return false;
        }
        idle.lent(name);
        lent.put(name, idle);
        pool.lentChanged(1);
        metrics.lent(1);
        sweep.arm(pool.isTimed(), lent.size());
        return true;
    }

    /** All lent connections, in a list of the caller's. */
    List<UpstreamConnection> connections() {
        return new ArrayList<>(lent.values());
    }

    boolean isEmpty() {
        return lent.isEmpty();
    }

    private void remove(UpstreamConnection connection) {
        if (lent.remove(connection.loan()) != null) {
            connection.pool().lentChanged(-1);
            metrics.lent(-1);
        }
        connection.recalled();
    }

    @Override
    public void gone(UpstreamConnection connection) {
        remove(connection);
    }

    @Override
    public void spoke(UpstreamConnection connection) {
        take(connection, LeaseState.ANY, true);
    }

    /** Takes a connection back if it is in one of these states; true when it is the proxy's now. */
    boolean take(UpstreamConnection connection, int states) {
        return take(connection, states, false);
    }

    private boolean take(UpstreamConnection connection, int states, boolean spoke) {
        options.take(connection.channel(), states);
        LeaseInfo info = options.lease(connection.channel());
        if (info == null || info.cookie() != connection.loan()) {
            remove(connection);
            reset(connection);
            return true;
        }
        if (info.state() != LeaseState.PROXY && !spoke) {
            return false;
        }
        remove(connection);
        metrics.taken(info.taken());
        switch (info.taken()) {
            case POOLED, HELD -> {
                if (spoke || info.unproven() || info.renew()) {
                    // Bytes that nobody asked for, or the end of an idle connection; or not fit for a next request.
                    connection.close();
                } else {
                    connection.pool().release(connection);
                }
            }
            case SENT, ANSWER, BODY -> goOn(connection, info);
            case PROXY -> connection.close();
        }
        return true;
    }

    /** Its request, or the rest of its response, becomes the proxy's. */
    private void goOn(UpstreamConnection connection, LeaseInfo info) {
        ClientLoan client = clients.get(info.client());
        boolean answered = info.taken() == LeaseState.ANSWER;
        connection.pool().requestTaken();
        if (client == null
                || !client.goOn(
                        connection,
                        info.sinceNanos(),
                        info.timeoutMillis(),
                        answered ? info.code() : 0,
                        answered ? info.remaining() : 0,
                        info.unproven())) {
            // The client has gone, and nobody is there to read the answer.
            connection.close();
        }
    }

    /** The connection was reset, and the kernel has forgotten it; the client's record still says what was going on. */
    private void reset(UpstreamConnection connection) {
        for (ClientLoan client : List.copyOf(clients.values())) {
            ClientInfo info = options.client(client.channel());
            if (info != null && info.lease() == connection.loan()) {
                if ((info.taken().bit() & LeaseState.BUSY) != 0) {
                    connection.pool().requestTaken();
                    metrics.taken(info.taken());
                    int code = info.taken() == LeaseState.ANSWER ? ClientLoan.UNKNOWN_CODE : 0;
                    if (client.goOn(connection, info.sinceNanos(), 0, code, 1, false)) {
                        // The news of the reset is still to come, and comes to the exchange.
                        return;
                    }
                }
                break;
            }
        }
        connection.close();
    }

    /** Gives up a connection that nobody has used for long, unless somebody uses it now. */
    void expire(UpstreamConnection connection) {
        options.take(connection.channel(), LeaseState.POOLED.bit());
        LeaseInfo info = options.lease(connection.channel());
        if (info != null && info.state() == LeaseState.PROXY && info.taken() == LeaseState.POOLED) {
            remove(connection);
            connection.close();
        }
    }

    /** Counts a request whose server has gone without an answer. */
    public void lost() {
        metrics.lost();
    }

    @Override
    public boolean recall(EndpointPool pool) {
        if (lent.isEmpty()) {
            return false;
        }
        // Not to be lent again at once: somebody waits for it here.
        keeping = true;
        try {
            for (UpstreamConnection connection : connections()) {
                if (connection.pool().sharesLimit(pool) && take(connection, LeaseState.POOLED.bit())) {
                    return true;
                }
            }
            for (UpstreamConnection connection : connections()) {
                if (connection.pool().sharesLimit(pool) && take(connection, LeaseState.HELD.bit())) {
                    return true;
                }
            }
            return false;
        } finally {
            keeping = false;
        }
    }

    // Pools have no equality but identity.
    @SuppressWarnings("ReferenceEquality")
    @Override
    public void retire(EndpointPool pool) {
        for (UpstreamConnection connection : connections()) {
            if (connection.pool() == pool) {
                take(connection, LeaseState.UNUSED);
            }
        }
    }

    @Override
    public void ended(EndpointPool pool, Channel client, int code) {
        if (!(client instanceof SocketChannel)) {
            // A tunnel has no socket, which says nothing about the kernel.
            return;
        }
        long now = System.nanoTime();
        if (deafUntil != 0 && now - deafUntil < 0) {
            return;
        }
        boolean heard = options.outcome(client, pool.address(), code);
        deafUntil = heard || !client.isActive() ? 0 : now + SILENCE;
    }

    /** Nothing is given or lent any more, and what is unused comes back; requests under way go on. */
    public void drain() {
        if (draining) {
            return;
        }
        draining = true;
        takeUnused();
    }

    /** While draining: takes back what has become unused since. */
    public void takeUnused() {
        for (UpstreamConnection connection : connections()) {
            take(connection, LeaseState.UNUSED);
        }
    }

    boolean isDraining() {
        return draining;
    }

    /** How many lent connections of each pool some client has now; asks the kernel for each. */
    public Map<EndpointPool, Integer> held() {
        Map<EndpointPool, Integer> held = new HashMap<>();
        for (UpstreamConnection connection : connections()) {
            LeaseInfo info = options.lease(connection.channel());
            if (info != null && info.state() != LeaseState.POOLED) {
                held.merge(connection.pool(), 1, Integer::sum);
            }
        }
        return held;
    }
}
