package dev.tulle.control;

import dev.tulle.control.authority.CertificateCounts;
import dev.tulle.identity.authority.CertificateAuthority;
import dev.tulle.telemetry.Counter;
import dev.tulle.telemetry.Gauge;
import dev.tulle.telemetry.Histogram;
import dev.tulle.telemetry.MetricFamily;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.xds.XdsServerStats;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** The control plane's metrics, under the names that Istio's dashboards ask for. */
final class ControlMetrics {
    private static final String VERSION = "0.1.0";
    private static final Duration CONVERGENCE_BOUND = Duration.ofSeconds(30);

    private final ControlPlane plane;
    private final MetricRegistry registry = new MetricRegistry();
    private final MetricFamily<Counter> pushes =
            registry.counter("pilot_xds_pushes", "Responses sent over xDS.", "type");
    private final Counter rejects = registry.counter("pilot_total_xds_rejects", "Responses that a client refused.")
            .with();
    private final MetricFamily<Counter> triggers =
            registry.counter("pilot_push_triggers", "What made a new state necessary.", "type");
    private final Gauge clients = registry.gauge("pilot_xds", "Clients connected over xDS.", "version")
            .with(VERSION);
    private final Histogram convergence = registry.histogram(
                    "pilot_proxy_convergence_time",
                    "Seconds from a new state until all connected clients had taken it.",
                    new long[] {1, 5, 10, 50, 100, 200, 500, 1000, 3000, 10_000, 30_000},
                    1000)
            .with();
    private final Counter passed = registry.counter("galley_validation_passed", "Applied texts without an error.")
            .with();
    private final Counter failed = registry.counter("galley_validation_failed", "Applied texts with an error.")
            .with();
    private final Map<String, Long> pushesSeen = new HashMap<>();
    private final CertificateMetrics certificates;
    private long rejectsSeen;

    ControlMetrics(ControlPlane plane, CertificateAuthority authority) {
        this.plane = plane;
        this.certificates = new CertificateMetrics(registry, authority);
        registry.gauge("istio_build", "The software of a component.", "component", "tag")
                .with("pilot", VERSION)
                .set(1);
        registry.gauge("pilot_info", "The control plane's software.", "version")
                .with(VERSION)
                .set(1);
        registry.gauge(
                "pilot_services",
                "Services known to the control plane.",
                () -> plane.view().state().services().size());
        registry.gauge(
                "pilot_workloads",
                "Workloads known to the control plane.",
                () -> plane.view().state().workloads().size());
        registry.gauge("pilot_config_problems", "Errors and warnings in force.", () -> plane.view()
                .problems()
                .size());
    }

    CertificateCounts certificates() {
        return certificates;
    }

    void triggered(String type) {
        triggers.with(type).increment();
    }

    void validated(boolean clean) {
        (clean ? passed : failed).increment();
    }

    /** Measures until the clients have a new state; on the owner thread. */
    void updated(long number) {
        long begun = System.nanoTime();
        var measured = plane.awaitAnswers(number, CONVERGENCE_BOUND)
                .thenAccept(answers -> convergence.record((System.nanoTime() - begun) / 1_000_000));
        if (measured.isCompletedExceptionally()) {
            throw new IllegalStateException("a snapshot's convergence cannot be measured");
        }
    }

    /** Everything in Prometheus' text format. */
    synchronized String expose() {
        XdsServerStats stats = plane.xdsStats();
        stats.pushes().forEach((type, count) -> {
            Long seen = pushesSeen.put(type, count);
            pushes.with(type).add(count - (seen == null ? 0 : seen));
        });
        rejects.add(stats.rejects() - rejectsSeen);
        rejectsSeen = stats.rejects();
        clients.set(plane.clients().size());
        return registry.expose();
    }
}
