package dev.tulle.proxy.share;

import dev.tulle.telemetry.Counter;
import dev.tulle.telemetry.MetricFamily;
import dev.tulle.telemetry.MetricRegistry;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/** The shares of all clients. Thread-safe. */
public final class Shares {
    private final Budget budget;
    private final LongSupplier clock;
    private final MetricFamily<Counter> over;
    private final Map<String, Share> known = new ConcurrentHashMap<>();
    private final AtomicInteger connections = new AtomicInteger();
    private final AtomicInteger presumed = new AtomicInteger();
    private final AtomicLong stalled = new AtomicLong();

    /** Nobody has anything yet. */
    public Shares(Budget budget, MetricRegistry registry) {
        this(budget, registry, System::nanoTime);
    }

    Shares(Budget budget, MetricRegistry registry, LongSupplier clock) {
        this.budget = budget;
        this.clock = clock;
        this.over = registry.counter(
                "tulle_proxy_over_share_total",
                "What clients wanted beyond their share of the proxy and did not get, or had beyond the minimum.",
                "workload",
                "what");
        registry.gauge(
                "tulle_proxy_stalled_bytes", "Buffered bytes that wait for peers who do not read.", stalled::get);
        registry.gauge(
                "tulle_proxy_unnamed_connections",
                "Client connections of which it is not known yet whose they are.",
                presumed::get);
        registry.gauge(
                "tulle_proxy_connections_max",
                "Client connections that the limit of open files allows.",
                budget::connections);
    }

    Budget budget() {
        return budget;
    }

    long now() {
        return clock.getAsLong();
    }

    Counter counted(String name, Over what) {
        return over.with(name, what.label());
    }

    /** Takes a connection for a client, also beyond its share; to be given back with {@link #leave}. */
    Share enter(String client) {
        connections.incrementAndGet();
        return known.compute(client, (name, before) -> {
            Share share = before == null ? new Share(name, this) : before;
            share.connections.incrementAndGet();
            return share;
        });
    }

    /** Gives a connection back. */
    void leave(Share share) {
        connections.decrementAndGet();
        known.computeIfPresent(share.name(), (_, now) -> now.connections.decrementAndGet() <= 0 ? null : now);
    }

    /** True when there are more connections than the process can have. */
    boolean isFull() {
        return connections.get() > budget.connections();
    }

    /** True when the client has more connections than its share. */
    boolean isOver(Share share) {
        int named = connections.get() - presumed.get();
        return !budget.allowsConnection(share.connections.get() - 1, named - 1);
    }

    /** One more connection (+1), or one less, of which it is only guessed whose it is: it narrows nobody's share. */
    void presumed(int by) {
        presumed.addAndGet(by);
    }

    /** More bytes of a client are stalled (positive), or fewer. */
    void stalled(Share share, long by) {
        share.stalled.addAndGet(by);
        stalled.addAndGet(by);
    }

    /** True when more of the client's bytes are stalled than what every client may have. */
    boolean isStalledBeyondMinimum(Share share) {
        return budget.isBeyondMinimum(share.stalled.get());
    }

    /** True when more of the client's bytes are stalled than its share. */
    boolean isStalledOver(Share share) {
        return !budget.allowsStalled(share.stalled.get(), stalled.get());
    }
}
