package dev.tulle.telemetry;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Proves that counts of several processes are added up series by series, and gauges are not. */
class MetricTextTest {
    private static MetricRegistry process(long requests, long open) {
        MetricRegistry registry = new MetricRegistry();
        registry.counter("requests_total", "Requests.", "code").with("200").add(requests);
        registry.histogram("seconds", "Durations.", new long[] {10, 20}, 10)
                .with()
                .record(requests);
        registry.gauge("open", "Open.", () -> open);
        return registry;
    }

    @Test
    void countersAndHistogramsAddUpAndGaugesAreOnesOwn() {
        MetricRegistry other = process(15, 7);
        other.counter("requests_total", "Requests.", "code").with("503").add(2);
        other.counter("only_there_total", "There.").with().add(4);
        String sum = MetricText.sum(process(5, 3).expose(), List.of(other.expose()));
        assertEquals("""
                # HELP requests_total Requests.
                # TYPE requests_total counter
                requests_total{code="200"} 20
                requests_total{code="503"} 2
                # HELP seconds Durations.
                # TYPE seconds histogram
                seconds_bucket{le="1"} 1
                seconds_bucket{le="2"} 2
                seconds_bucket{le="+Inf"} 2
                seconds_sum 2
                seconds_count 2
                # HELP open Open.
                # TYPE open gauge
                open 3
                # HELP only_there_total There.
                # TYPE only_there_total counter
                only_there_total 4
                """, sum);
        assertEquals(process(5, 3).expose(), MetricText.sum(process(5, 3).expose(), List.of()));
    }

    @Test
    void whatCannotBeAddedUpIsLeftOut() {
        String own = process(5, 3).expose();
        for (String odd : List.of(
                "# HELP requests_total",
                "#  ",
                "# TYPE x",
                "requests_total{code=\"200\"} NaN",
                "requests_total{code=\"200\"} 1e999999999",
                "requests_total{code=\"200\"} " + "9".repeat(1_000),
                "requests_total")) {
            String sum = MetricText.sum(own, List.of("# TYPE requests_total counter\n" + odd + "\n"));
            assertEquals(MetricText.sum(own, List.of("")), sum, odd);
        }
    }
}
