package dev.tulle.proxy.lease;

import dev.tulle.telemetry.Counter;
import dev.tulle.telemetry.MetricFamily;
import dev.tulle.telemetry.MetricRegistry;
import java.util.concurrent.atomic.AtomicInteger;

/** What the proxy counts of kernel HTTP; requests that the kernel forwards whole are counted there. Thread-safe. */
public final class LeaseMetrics {
    private final Counter given;
    private final Counter accepted;
    private final Counter refused;
    private final MetricFamily<Counter> taken;
    private final Counter lost;
    private final AtomicInteger lent = new AtomicInteger();

    /** Registers them. */
    public LeaseMetrics(MetricRegistry registry) {
        given = registry.counter(
                        "tulle_proxy_kernel_given_total", "Times that a client connection was given to the kernel.")
                .with();
        MetricFamily<Counter> offers = registry.counter(
                "tulle_proxy_kernel_offers_total", "Connections to endpoints offered to the kernel.", "result");
        accepted = offers.with("accepted");
        refused = offers.with("refused");
        taken = registry.counter(
                "tulle_proxy_kernel_taken_total",
                "Connections to endpoints that became the proxy's again, by what was going on on them.",
                "state");
        lost = registry.counter(
                        "tulle_proxy_kernel_lost_total",
                        "Requests forwarded by the kernel to a server that closed the connection without an answer.")
                .with();
        registry.gauge("tulle_proxy_kernel_leases", "Connections to endpoints that the kernel has.", lent::get);
    }

    void given() {
        given.increment();
    }

    void offered(boolean was) {
        (was ? accepted : refused).increment();
    }

    void lent(int by) {
        lent.addAndGet(by);
    }

    void taken(LeaseState from) {
        taken.with(from.name().toLowerCase(java.util.Locale.ROOT)).increment();
    }

    void lost() {
        lost.increment();
    }
}
