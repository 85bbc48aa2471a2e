package dev.tulle.proxy.upstream;

import dev.tulle.common.Ip;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.Http2Options;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.transport.ClientTransport;
import dev.tulle.proxy.transport.ClientTransports;
import dev.tulle.telemetry.IstioMetrics;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The connections of one loop to one endpoint; the one used last is used next. Loop-confined. */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class EndpointPool {
    private final Worker worker;
    private final String cluster;
    private final InetSocketAddress address;
    private final String addressText;
    private final WorkloadDirectory.Entry destination;
    private final EndpointAccess access;
    private final MetricHandles metrics;
    private final OutcomeDirectory directory;
    private final EndpointOutcomes outcomes;
    private final ClientTransports transports;
    private final @Nullable ClientTransport transport;
    private Endpoint endpoint;
    private Cluster settings;
    private final ConnectionLimit limit;
    private final Lender lender;
    private final Borrowers borrowers;

    private final Multiplexed multiplexed = new Multiplexed(this);
    private final ArrayDeque<UpstreamConnection> idle = new ArrayDeque<>();
    private final List<UpstreamUser> connecting = new ArrayList<>();
    private final TimerWheel.Timer idleTimer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            closeIdle(System.nanoTime());
        }
    };
    private int active;
    private int lent;
    private long taken;
    private long refusedUntil;
    private boolean timed;
    private boolean retired;

    EndpointPool(
            Worker worker,
            Cluster settings,
            Endpoint endpoint,
            ConnectionLimit limit,
            Lender lender,
            Borrowers borrowers,
            WorkloadDirectory.Entry destination,
            EndpointAccess access,
            OutcomeDirectory outcomes,
            ClientTransports transports,
            IstioMetrics istio) {
        this.worker = worker;
        this.cluster = settings.name();
        this.settings = settings;
        this.endpoint = endpoint;
        this.limit = limit;
        this.lender = lender;
        this.borrowers = borrowers;
        this.destination = destination;
        this.access = access;
        this.address = new InetSocketAddress(endpoint.address(), endpoint.port());
        this.addressText = Ip.inBrackets(endpoint.address()) + ":" + endpoint.port();
        this.metrics = new MetricHandles(istio, destination);
        this.directory = outcomes;
        this.outcomes = outcomes.retain(address);
        this.transports = transports;
        this.transport = settings.tls().map(transports::retain).orElse(null);
    }

    /** Takes over changed settings, but for those of TLS; the connections stay. */
    void update(Cluster changedSettings, Endpoint changedEndpoint) {
        settings = changedSettings;
        endpoint = changedEndpoint;
    }

    /** The endpoint. */
    public Endpoint endpoint() {
        return endpoint;
    }

    /** The endpoint's address and port, for people. */
    public String addressText() {
        return addressText;
    }

    /** The endpoint's socket address. */
    public InetSocketAddress address() {
        return address;
    }

    /** The cluster's name. */
    public String cluster() {
        return cluster;
    }

    /** The workload behind the endpoint. */
    public WorkloadDirectory.Entry destination() {
        return destination;
    }

    /** Who may use it for what. */
    public EndpointAccess access() {
        return access;
    }

    /** The metric handles of requests to this endpoint. */
    public MetricHandles metrics() {
        return metrics;
    }

    /** How tries of the proxy ended, on all loops. */
    public EndpointOutcomes outcomes() {
        return outcomes;
    }

    /** Whether connections can be made, as seen on all loops. */
    public Reachability reachability() {
        return outcomes.reachability();
    }

    /** A connect to the endpoint ended without the pool. */
    public void connectEnded(@Nullable Throwable failure) {
        if (failure == null) {
            reachability().connected();
        } else if (failure instanceof SocketException) {
            // Refused, timed out, no way there; anything else, such as no free descriptor, is not the endpoint's fault.
            reachability().failed();
        }
    }

    /**
     * A try ended.
     *
     * @param client whose request it was
     * @param code the response's status, or {@link EndpointOutcomes#NO_RESPONSE}
     */
    public void ended(Channel client, int code) {
        outcomes.ended(code);
        lender.ended(this, client, code);
    }

    /** Requests and opaque connections in flight. */
    public int active() {
        return active;
    }

    /** One more in flight (+1) or one less (-1). */
    public void activeChanged(int by) {
        active += by;
    }

    /** The connect timeout in milliseconds. */
    public int connectTimeoutMillis() {
        return Math.clamp(settings.connectTimeout().toMillis(), 1, Integer.MAX_VALUE);
    }

    /**
     * Gets what carries one request.
     *
     * @param http2Client true when the client speaks HTTP/2
     * @param fresh true to make a new connection in any case
     * @return null when it has to be waited for: the user is called back with it, or with the failure
     */
    public @Nullable UpstreamStream acquire(UpstreamUser user, boolean http2Client, boolean fresh) {
        Cluster.Protocol spoken = settings.protocol();
        if (spoken == Cluster.Protocol.HTTP2 || (spoken == Cluster.Protocol.AS_CLIENT && http2Client)) {
            return multiplexed.acquire(user);
        }
        while (!fresh) {
            UpstreamConnection connection = idle.pollLast();
            if (connection == null) {
                break;
            }
            if (connection.isUsable()) {
                return connection;
            }
        }
        if (limit.isFull()) {
            limit.waiters.add(new ConnectionLimit.Waiter(user, this));
            lender.recall(this);
        } else {
            connect(user);
        }
        return null;
    }

    /** True when a further request could neither connect nor wait. */
    public boolean isOverflowing() {
        return isAtBound() && (!lender.recall(this) || isAtBound());
    }

    private boolean isAtBound() {
        return idle.isEmpty() && limit.isFull() && limit.isQueueFull();
    }

    /** The user does not want its connection any more. */
    public void cancel(UpstreamUser user) {
        multiplexed.cancel(user);
        // Identity on purpose: a user is one object.
        int at = indexOf(user);
        if (at >= 0) {
            connecting.set(at, NOBODY);
        } else {
            limit.waiters.removeIf(waiter -> isSame(waiter.user(), user));
        }
    }

    private int indexOf(UpstreamUser user) {
        for (int i = 0; i < connecting.size(); i++) {
            if (isSame(connecting.get(i), user)) {
                return i;
            }
        }
        return -1;
    }

    // Users have no equality but identity.
    @SuppressWarnings("ReferenceEquality")
    private static boolean isSame(UpstreamUser a, UpstreamUser b) {
        return a == b;
    }

    private void connect(UpstreamUser user) {
        limit.connections++;
        connecting.add(user);
        ConnectAttempt attempt = new ConnectAttempt(user);
        ChannelInitializer<Channel> initializer = new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                UpstreamConnection connection = new UpstreamConnection(EndpointPool.this, channel);
                attempt.connection = connection;
                channel.pipeline().addLast(connection);
            }
        };
        UpstreamChannels.connect(
                worker, address, connectTimeoutMillis(), transport, ClientTransport.Spoken.HTTP1, initializer, attempt);
    }

    private final class ConnectAttempt implements UpstreamChannels.Ended {
        private final UpstreamUser user;
        private @Nullable UpstreamConnection connection;

        ConnectAttempt(UpstreamUser user) {
            this.user = user;
        }

        @Override
        public void ended(@Nullable Channel channel, @Nullable Throwable failure) {
            int at = indexOf(user);
            boolean wanted = at >= 0;
            if (wanted) {
                connecting.remove(at);
            } else {
                connecting.remove(NOBODY);
            }
            UpstreamConnection made = connection;
            connectEnded(failure);
            if (channel != null && made != null) {
                if (wanted) {
                    user.connected(made);
                } else {
                    release(made);
                }
                return;
            }
            limit.connections--;
            serveWaiter();
            if (wanted) {
                user.connectFailed(
                        failure == null || failure.getMessage() == null ? "cancelled" : failure.getMessage());
            }
        }
    }

    /** A connection is idle. */
    public void release(UpstreamConnection connection) {
        if (serves(connection) && !lender.lend(connection)) {
            keep(connection);
        }
    }

    /** True when nobody waited for it and nothing speaks against using it again. */
    private boolean serves(UpstreamConnection connection) {
        int bound = settings.maxRequestsPerConnection();
        if (retired || (bound > 0 && connection.requests() >= bound)) {
            connection.close();
            return false;
        }
        ConnectionLimit.Waiter waiter = limit.waiters.peek();
        if (waiter != null && waiter.pool() == this) {
            limit.waiters.poll();
            waiter.user().connected(connection);
            return false;
        }
        if (waiter != null) {
            // The bound is the cluster's: another endpoint's turn to connect.
            connection.close();
            return false;
        }
        connection.idleSince = System.nanoTime();
        return true;
    }

    private void keep(UpstreamConnection connection) {
        long now = connection.idleSince;
        idle.addLast(connection);
        if (!idleTimer.isSet()) {
            worker.timers().set(idleTimer, now + settings.idleTimeout().toNanos());
        }
    }

    void closed(UpstreamConnection connection) {
        limit.connections--;
        idle.remove(connection);
        serveWaiter();
    }

    private void serveWaiter() {
        if (!limit.isFull()) {
            ConnectionLimit.Waiter waiter = limit.waiters.poll();
            if (waiter != null) {
                waiter.pool().connect(waiter.user());
            }
        }
    }

    private void closeIdle(long now) {
        long bound = settings.idleTimeout().toNanos();
        UpstreamConnection oldest = idle.peekFirst();
        while (oldest != null && now - oldest.idleSince >= bound) {
            idle.pollFirst();
            oldest.close();
            oldest = idle.peekFirst();
        }
        if (oldest != null) {
            worker.timers().set(idleTimer, oldest.idleSince + bound);
        }
    }

    /** The endpoint is not used any more: idle connections close now, others when their request is over. */
    void retire() {
        if (!retired) {
            access.release();
            directory.release(address);
            settings.tls().ifPresent(transports::release);
        }
        retired = true;
        worker.timers().remove(idleTimer);
        multiplexed.retire();
        for (UpstreamConnection connection = idle.pollFirst(); connection != null; connection = idle.pollFirst()) {
            connection.close();
        }
        lender.retire(this);
    }

    Multiplexed multiplexed() {
        return multiplexed;
    }

    Http2Options http2() {
        return settings.http2();
    }

    int maxRequestsPerConnection() {
        return settings.maxRequestsPerConnection();
    }

    Worker worker() {
        return worker;
    }

    Lender lender() {
        return lender;
    }

    /** The clients of the service. */
    public Borrowers borrowers() {
        return borrowers;
    }

    /** TLS to the endpoint; null for none. */
    public @Nullable ClientTransport transport() {
        return transport;
    }

    /** True when a connection of this pool may be lent at all: the kernel knows no TLS, and each bound counts only what the proxy sees. */
    public boolean isLendable() {
        return !retired && transport == null && settings.maxRequestsPerConnection() <= 0;
    }

    /** True when both pools count against the same bound. */
    public boolean sharesLimit(EndpointPool other) {
        return limit == other.limit;
    }

    /** How long a connection may be idle, in nanoseconds. */
    public long idleNanos() {
        return settings.idleTimeout().toNanos();
    }

    /** Says whether any route to this endpoint has a timeout, so that somebody has to watch it. */
    void timed(boolean has) {
        timed = has;
    }

    /** True when some route to this endpoint has a timeout. */
    public boolean isTimed() {
        return timed;
    }

    /** One more connection is lent (+1) or one less (-1). */
    public void lentChanged(int by) {
        lent += by;
    }

    /** The lender could not use a connection of this pool: there is no use in trying before then. */
    public void refused(long untilNanos) {
        refusedUntil = untilNanos;
    }

    /** True while there is no use in trying. */
    public boolean isRefused(long now) {
        return refusedUntil != 0 && now - refusedUntil < 0;
    }

    /** Connections with the lender. */
    public int lentCount() {
        return lent;
    }

    /** A request that the lender had forwarded here became the proxy's. */
    public void requestTaken() {
        taken++;
    }

    /** Requests so far that the lender had forwarded here and that became the proxy's. */
    public long takenCount() {
        return taken;
    }

    /** Idle connections. */
    public int idleCount() {
        return idle.size() + multiplexed.idleCount();
    }

    /** Takes the place of a user who does not wait any more. */
    private static final UpstreamUser NOBODY = new Nobody();
}
