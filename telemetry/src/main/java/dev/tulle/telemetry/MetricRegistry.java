package dev.tulle.telemetry;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.LongSupplier;

/**
 * The metrics of one role, and their exposition in Prometheus' text format. Any thread. Asking twice for the same name
 * gives the same family.
 */
public final class MetricRegistry {
    /** Series per family before further ones share the overflow series. */
    public static final int DEFAULT_SERIES_CAP = 10_000;

    private final int seriesCap;
    private final Map<String, MetricFamily<?>> families = new ConcurrentSkipListMap<>();

    private record Sampled(String help, LongSupplier value) {}

    private final Map<String, Sampled> sampled = new ConcurrentSkipListMap<>();

    /** A registry with the default cap. */
    public MetricRegistry() {
        this(DEFAULT_SERIES_CAP);
    }

    /**
     * A registry.
     *
     * @param seriesCap series per family, 1 or more
     */
    public MetricRegistry(int seriesCap) {
        this.seriesCap = seriesCap;
    }

    /** A family of counters; by convention the name ends in {@code _total}. */
    public MetricFamily<Counter> counter(String name, String help, String... labels) {
        return family(new MetricFamily<>(name, help, "counter", List.of(labels), seriesCap, Counter::new), "counter");
    }

    /** A family of gauges. */
    public MetricFamily<Gauge> gauge(String name, String help, String... labels) {
        return family(new MetricFamily<>(name, help, "gauge", List.of(labels), seriesCap, Gauge::new), "gauge");
    }

    /** A gauge without labels whose value is asked for at each exposition. */
    public void gauge(String name, String help, LongSupplier value) {
        sampled.put(name, new Sampled(help, value));
    }

    /**
     * A family of histograms.
     *
     * @param bounds upper bounds in the raw unit, ascending, without infinity
     * @param scale raw units per exposed unit
     */
    public MetricFamily<Histogram> histogram(String name, String help, long[] bounds, double scale, String... labels) {
        long[] copy = bounds.clone();
        return family(
                new MetricFamily<>(
                        name, help, "histogram", List.of(labels), seriesCap, () -> new Histogram(copy, scale)),
                "histogram");
    }

    // The cast is checked by the type word: each word goes with one class of series.
    @SuppressWarnings("unchecked")
    private <M> MetricFamily<M> family(MetricFamily<M> fresh, String type) {
        MetricFamily<?> known = families.putIfAbsent(fresh.name(), fresh);
        if (known == null) {
            return fresh;
        }
        if (!known.type().equals(type) || !known.labels().equals(fresh.labels())) {
            throw new IllegalArgumentException(fresh.name() + ": already a " + known.type() + " with labels "
                    + known.labels() + ", asked for a " + type + " with " + fresh.labels());
        }
        return (MetricFamily<M>) known;
    }

    /** The whole registry in Prometheus' text format, version 0.0.4. */
    public String expose() {
        StringBuilder out = new StringBuilder(1 << 14);
        try {
            expose(out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toString();
    }

    /**
     * Writes the whole registry in Prometheus' text format.
     *
     * @throws IOException when the target fails
     */
    public void expose(Appendable out) throws IOException {
        for (MetricFamily<?> family : families.values()) {
            PrometheusText.write(out, family);
        }
        for (Map.Entry<String, Sampled> entry : sampled.entrySet()) {
            PrometheusText.head(out, entry.getKey(), entry.getValue().help, "gauge");
            out.append(entry.getKey())
                    .append(' ')
                    .append(Long.toString(entry.getValue().value.getAsLong()))
                    .append('\n');
        }
    }
}
