package dev.tulle.telemetry;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * One metric name with its series, one per combination of label values. Resolve a series once with {@link #with} and
 * keep it: looking it up hashes all values. Beyond the cap on series, further combinations share one whose label values
 * are all {@value #OVERFLOW}, so that hostile or careless values cannot exhaust memory. Any thread.
 *
 * @param <M> {@link Counter}, {@link Gauge} or {@link Histogram}
 */
public final class MetricFamily<M> {
    /** The label value of the series that stands for those beyond the cap. */
    public static final String OVERFLOW = "overflow";

    /** In place of a value: the series does not have this label. */
    static final String ABSENT = "\0";

    private final String name;
    private final String help;
    private final String type;
    private final List<String> labels;
    private final int cap;
    private final Supplier<M> make;
    private final Map<List<String>, M> series = new ConcurrentHashMap<>();

    MetricFamily(String name, String help, String type, List<String> labels, int cap, Supplier<M> make) {
        this.name = name;
        this.help = help;
        this.type = type;
        this.labels = List.copyOf(labels);
        this.cap = cap;
        this.make = make;
    }

    /**
     * The series with these label values, made when it is new.
     *
     * @param values one per label, in the order of the labels; empty values count as {@code unknown}
     */
    public M with(String... values) {
        return with(Arrays.asList(values));
    }

    /** As {@link #with(String...)}. */
    public M with(List<String> values) {
        if (values.size() != labels.size()) {
            throw new IllegalArgumentException(
                    name + ": got " + values.size() + " label values, expected " + labels.size() + " for " + labels);
        }
        M known = series.get(values);
        if (known != null) {
            return known;
        }
        List<String> key = values.stream().map(v -> v.isEmpty() ? "unknown" : v).toList();
        if (series.size() >= cap && !series.containsKey(key)) {
            key = Collections.nCopies(labels.size(), OVERFLOW);
        }
        return series.computeIfAbsent(key, k -> make.get());
    }

    String name() {
        return name;
    }

    String help() {
        return help;
    }

    String type() {
        return type;
    }

    List<String> labels() {
        return labels;
    }

    /** Series that exist. */
    public int size() {
        return series.size();
    }

    void forEach(BiConsumer<List<String>, M> action) {
        series.forEach(action);
    }
}
