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
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The connections of one loop to one endpoint; the one used last is used next. Loop-confined. */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class EndpointPool {
    /** Callers from which on those are looked for that do not call any more. */
    private static final int LANES = 64;

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

    private final @Nullable Way way;
    private final Lane everybody;
    /** By caller, where connections carry who calls: of workloads of this node, so that there are not many. */
    private final Map<From.Key, Lane> lanes = new HashMap<>(0);

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
            @Nullable Way way,
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
        this.metrics = new MetricHandles(istio, destination, report(settings, way));
        this.directory = outcomes;
        this.outcomes = outcomes.retain(address);
        this.transports = transports;
        this.transport = settings.tls().map(transports::retain).orElse(null);
        this.way = way;
        this.everybody = new Lane(this, limit, null, null);
    }

    private static IstioMetrics.Report report(Cluster settings, @Nullable Way way) {
        return settings.isInbound()
                ? IstioMetrics.Report.INBOUND
                : way == null ? IstioMetrics.Report.LOCAL : IstioMetrics.Report.OUTBOUND;
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
        Lane lane = lane(user);
        Cluster.Protocol spoken = settings.protocol();
        if (spoken == Cluster.Protocol.HTTP2 || (spoken == Cluster.Protocol.AS_CLIENT && http2Client)) {
            return announces()
                    ? lane.single(user, user.ends())
                    : lane.multiplexed().acquire(user);
        }
        return lane.exclusive().acquire(user, fresh);
    }

    /** Connections that carry who calls are that caller's alone. */
    private Lane lane(UpstreamUser user) {
        From from = user.from();
        if (way == null || from == null) {
            return everybody;
        }
        if (lanes.size() >= LANES) {
            // Workloads come and go.
            lanes.values().removeIf(Lane::isUnused);
        }
        From shared = from.shared();
        return lanes.computeIfAbsent(shared.key(), caller -> new Lane(this, limit, way, shared));
    }

    /** Closes an idle connection of some caller, where another one waits at the cluster's bound. */
    void makeRoom() {
        for (Lane lane : lanes.values()) {
            if (lane.exclusive().closeOldest()) {
                return;
            }
        }
    }

    /** How the endpoint is reached; null by its address. */
    public @Nullable Way way() {
        return way;
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

    private int exclusiveIdle() {
        return everybody.exclusive().idleCount()
                + lanes.values().stream()
                        .mapToInt(lane -> lane.exclusive().idleCount())
                        .sum();
    }

    private boolean isAtBound() {
        return exclusiveIdle() == 0 && limit.isFull() && limit.isQueueFull();
    }

    /** The user does not want its connection any more. */
    public void cancel(UpstreamUser user) {
        everybody.cancel(user);
        lanes.values().forEach(lane -> lane.cancel(user));
    }

    /** A connection is idle. */
    public void release(UpstreamConnection connection) {
        // Nothing is lent that carries who calls.
        everybody.release(connection);
    }

    /** The endpoint is not used any more: idle connections close now, others when their request is over. */
    void retire() {
        if (!retired) {
            access.release();
            directory.release(address);
            settings.tls().ifPresent(transports::release);
        }
        retired = true;
        everybody.retire();
        lanes.values().forEach(Lane::retire);
        lender.retire(this);
    }

    boolean isRetired() {
        return retired;
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
        return !retired && transport == null && way == null && maxRequestsPerConnection() <= 0;
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
        return everybody.idleCount()
                + lanes.values().stream().mapToInt(Lane::idleCount).sum();
    }
}
