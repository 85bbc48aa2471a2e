package dev.tulle.telemetry;

import dev.tulle.it.fuzz.Cost;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Metrics of another proxy process, added to one's own: whatever they are, the own families stay. */
public final class MetricTextFuzz {
    private static final String OWN = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"y\"} 3\n";

    private MetricTextFuzz() {}

    /** One text. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 200_000, 1_000, () -> {
            String other = new String(data, StandardCharsets.UTF_8);
            String sum = MetricText.sum(OWN, List.of(other));
            Cost.must(sum.contains("a_total{x=\"y\"} "), "an own series is lost");
        });
    }

    /** Families of each kind. */
    public static List<byte[]> seeds() {
        return List.of(
                        OWN,
                        "# TYPE g gauge\ng 1.5e3\n",
                        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n",
                        "a_total{x=\"y\"} NaN\na_total{x=\"\\\"}\"} 9\n\n#\n")
                .stream()
                .map(text -> text.getBytes(StandardCharsets.UTF_8))
                .toList();
    }
}
