package dev.tulle.proxy.upstream;

import dev.tulle.common.Ip;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.Http2Options;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.transport.ClientTransport;
import dev.tulle.proxy.transport.ClientTransports;
import dev.tulle.proxy.transport.ProxyHeader;
import dev.tulle.telemetry.IstioMetrics;
import io.netty.channel.Channel;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.util.LinkedHashSet;
import java.util.Set;
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

    private final Multiplexed multiplexed = new Multiplexed(this, null);
    private final Set<Multiplexed> singles = new LinkedHashSet<>(0);
    private final Exclusive exclusive;
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
        this.exclusive = new Exclusive(this, limit);
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
            return announces() ? single(user) : multiplexed.acquire(user);
        }
        return exclusive.acquire(user, fresh);
    }

    /** A connection of HTTP/2 for this request alone, which it then waits for. */
    private @Nullable UpstreamStream single(UpstreamUser user) {
        Multiplexed alone = new Multiplexed(this, user.ends());
        singles.add(alone);
        return alone.acquire(user);
    }

    /** It was connected, or could not be. */
    void ended(Multiplexed single) {
        singles.remove(single);
    }

    /** True when connections begin with a word of whom they are for: then each is for one request. */
    boolean announces() {
        return settings.proxyProtocol() != Cluster.ProxyProtocol.NONE;
    }

    /**
     * What a connection begins with.
     *
     * @param ends for whom it is; null for nobody
     * @return null for nothing
     */
    public byte @Nullable [] header(ProxyHeader.@Nullable Ends ends) {
        return announces() && ends != null ? ProxyHeader.write(settings.proxyProtocol(), ends) : null;
    }

    /** True when a further request could neither connect nor wait. */
    public boolean isOverflowing() {
        return isAtBound() && (!lender.recall(this) || isAtBound());
    }

    private boolean isAtBound() {
        return exclusive.idleCount() == 0 && limit.isFull() && limit.isQueueFull();
    }

    /** The user does not want its connection any more. */
    public void cancel(UpstreamUser user) {
        multiplexed.cancel(user);
        singles.forEach(single -> single.cancel(user));
        exclusive.cancel(user);
    }

    /** A connection is idle. */
    public void release(UpstreamConnection connection) {
        if (exclusive.serves(connection) && !lender.lend(connection)) {
            exclusive.keep(connection);
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
        multiplexed.retire();
        exclusive.retire();
        lender.retire(this);
    }

    /** A connection has closed. */
    void closed(UpstreamConnection connection) {
        exclusive.closed(connection);
    }

    boolean isRetired() {
        return retired;
    }

    Exclusive exclusive() {
        return exclusive;
    }

    Multiplexed multiplexed() {
        return multiplexed;
    }

    Http2Options http2() {
        return settings.http2();
    }

    int maxRequestsPerConnection() {
        return announces() ? 1 : settings.maxRequestsPerConnection();
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
        return !retired && transport == null && maxRequestsPerConnection() <= 0;
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
        return exclusive.idleCount() + multiplexed.idleCount();
    }
}
