package dev.tulle.proxy.tcp;

import dev.tulle.proxy.upstream.EndpointAccess;
import dev.tulle.proxy.upstream.MetricHandles;
import dev.tulle.proxy.upstream.Way;
import dev.tulle.telemetry.IstioMetrics;
import dev.tulle.telemetry.ServiceLabels;
import dev.tulle.telemetry.WorkloadLabels;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/** An address that is no service's, passed through unchanged: outside the mesh, or a workload's own. */
public final class PassthroughTarget implements TcpTarget {
    private static final ServiceLabels LABELS = new ServiceLabels("PassthroughCluster", "PassthroughCluster", "");
    private static final int CONNECT_TIMEOUT_MILLIS = 10_000;

    private final InetSocketAddress address;
    private final @Nullable Way way;
    private final MetricHandles metrics;
    private final EndpointAccess access;
    private boolean failed;

    /**
     * To an address.
     *
     * @param access who may reach it; released when the connection ends
     */
    public PassthroughTarget(InetSocketAddress address, MetricHandles metrics, EndpointAccess access) {
        this(address, null, metrics, access);
    }

    /** As above, to a workload of another node. */
    public PassthroughTarget(
            InetSocketAddress address, @Nullable Way way, MetricHandles metrics, EndpointAccess access) {
        this.way = way;
        this.address = address;
        this.metrics = metrics;
        this.access = access;
    }

    @Override
    public @Nullable Choice choose() {
        return failed ? null : new Only();
    }

    @Override
    public void unserved(WorkloadLabels source, String flags) {
        IstioMetrics.Connections counted = metrics.connections(source, LABELS, flags);
        counted.opened().increment();
        counted.closed().increment();
    }

    @Override
    public String cluster() {
        return "PassthroughCluster";
    }

    @Override
    public void opened() {
        // Nothing is followed for it.
    }

    @Override
    public void closed() {
        access.release();
    }

    private final class Only implements Choice {
        @Override
        public @Nullable Way way() {
            return way;
        }

        @Override
        public InetSocketAddress address() {
            return address;
        }

        @Override
        public String text() {
            return address.getAddress().getHostAddress() + ":" + address.getPort();
        }

        @Override
        public int connectTimeoutMillis() {
            return CONNECT_TIMEOUT_MILLIS;
        }

        @Override
        public void begin() {
            // Not counted per endpoint.
        }

        @Override
        public void end() {
            // Not counted per endpoint.
        }

        @Override
        public void connectEnded(@Nullable Throwable failure) {
            failed = failure != null;
        }

        @Override
        public EndpointAccess access() {
            return access;
        }

        @Override
        public IstioMetrics.Connections metrics(WorkloadLabels source, String flags) {
            return metrics.connections(source, LABELS, flags);
        }
    }
}
