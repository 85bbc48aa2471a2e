package dev.tulle.proxy.upstream;

import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.telemetry.IstioMetrics;
import dev.tulle.telemetry.ServiceLabels;
import dev.tulle.telemetry.WorkloadLabels;
import java.util.ArrayList;
import java.util.List;

/**
 * The metric handles of requests to one destination, found by comparing a few references instead of hashing twenty
 * strings. Loop-confined.
 */
public final class MetricHandles {
    private static final int CAPACITY = 64;

    private record Requests(
            WorkloadLabels source,
            WorkloadLabels destination,
            ServiceLabels service,
            int code,
            String flags,
            int grpc,
            IstioMetrics.Requests handle) {}

    private final IstioMetrics istio;
    private final WorkloadDirectory.Entry destination;
    private final IstioMetrics.Report report;
    private final List<Requests> requests = new ArrayList<>(4);

    /** For a destination. */
    public MetricHandles(IstioMetrics istio, WorkloadDirectory.Entry destination) {
        this(istio, destination, IstioMetrics.Report.LOCAL);
    }

    /** For a destination that is reached so. */
    public MetricHandles(IstioMetrics istio, WorkloadDirectory.Entry destination, IstioMetrics.Report report) {
        this.istio = istio;
        this.destination = destination;
        this.report = report;
    }

    /**
     * The handle for a request with this outcome.
     *
     * @param grpc the status of a call of gRPC, -1 when it got none; {@link IstioMetrics#NO_GRPC} for another request
     */
    // References are compared on purpose: labels of one workload are one object until they change, and a miss costs
    // only
    // a look-up.
    @SuppressWarnings("ReferenceEquality")
    public IstioMetrics.Requests requests(
            WorkloadLabels source, ServiceLabels service, int code, String flags, int grpc) {
        WorkloadLabels to = destination.labels();
        for (int i = 0; i < requests.size(); i++) {
            Requests r = requests.get(i);
            if (r.source == source
                    && r.code == code
                    && r.grpc == grpc
                    && r.flags.equals(flags)
                    && r.destination == to
                    && r.service == service) {
                return r.handle;
            }
        }
        IstioMetrics.Requests handle = istio.requests(new IstioMetrics.Labels(
                source, to, service, grpc == IstioMetrics.NO_GRPC ? "http" : "grpc", code, flags, grpc, report));
        if (requests.size() == CAPACITY) {
            requests.clear();
        }
        requests.add(new Requests(source, to, service, code, flags, grpc, handle));
        return handle;
    }

    /** The handle for an opaque connection. */
    public IstioMetrics.Connections connections(WorkloadLabels source, ServiceLabels service, String flags) {
        return istio.connections(new IstioMetrics.Labels(
                source, destination.labels(), service, "tcp", 0, flags, IstioMetrics.NO_GRPC, report));
    }
}
