package dev.tulle.telemetry;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Exposition, cardinality caps, Istio's labels and the access log. */
class TelemetryTest {
    private static final AccessLogEntry ENTRY = new AccessLogEntry(
            1_700_000_000_123L,
            "GET",
            "/a\r\nb\"",
            "HTTP/1.1",
            404,
            "NR",
            "route_not_found",
            1,
            2,
            3_000,
            -1,
            "",
            "curl",
            "id",
            "reviews",
            "",
            "",
            "240.240.0.1:80",
            "127.0.0.1:5",
            "",
            "r");

    @Test
    void exposesCountersGaugesAndHistograms() {
        MetricRegistry registry = new MetricRegistry();
        registry.counter("c_total", "Help \\ text.", "k").with("a\"b\\c\nd").add(3);
        registry.gauge("g", "G.", () -> 7);
        Histogram histogram =
                registry.histogram("h", "H.", new long[] {500, 1_000}, 1_000).with();
        histogram.record(400);
        histogram.record(1_000);
        histogram.record(5_000);
        assertEquals("""
                # HELP c_total Help \\\\ text.
                # TYPE c_total counter
                c_total{k="a\\"b\\\\c\\nd"} 3
                # HELP h H.
                # TYPE h histogram
                h_bucket{le="0.5"} 1
                h_bucket{le="1"} 2
                h_bucket{le="+Inf"} 3
                h_sum 6.4
                h_count 3
                # HELP g G.
                # TYPE g gauge
                g 7
                """, registry.expose());
    }

    /** A counter's name has to end in _total; Istio's that do not keep their names and leave the type open. */
    @Test
    void aCounterWithoutItsEndingIsShownAsUntyped() {
        MetricRegistry registry = new MetricRegistry();
        registry.counter("pilot_xds_pushes", "Pushes.").with().increment();
        assertEquals("""
                # HELP pilot_xds_pushes Pushes.
                # TYPE pilot_xds_pushes untyped
                pilot_xds_pushes 1
                """, registry.expose());
    }

    @Test
    void capsSeries() {
        MetricFamily<Counter> family = new MetricRegistry(3).counter("c_total", "C.", "k");
        for (int i = 0; i < 100; i++) {
            family.with("v" + i).increment();
        }
        assertEquals(4, family.size());
        assertEquals(97, family.with(MetricFamily.OVERFLOW).value());
        assertSame(family.with("v0"), family.with("v0"));
        assertSame(family.with("unknown"), family.with(""));
        assertThrows(IllegalArgumentException.class, () -> family.with("a", "b"));
    }

    @Test
    void istioLabelsAreNeverEmpty() {
        MetricRegistry registry = new MetricRegistry();
        new IstioMetrics(registry)
                .requests(new IstioMetrics.Labels(
                        WorkloadLabels.UNKNOWN,
                        WorkloadLabels.named("reviews-v1", "default"),
                        ServiceLabels.ofHost("reviews.default.svc.cluster.local"),
                        "http",
                        503,
                        "UH",
                        IstioMetrics.NO_GRPC))
                .record(1_500, 0, 10);
        String text = registry.expose();
        assertFalse(text.contains("=\"\""), text);
        assertTrue(text.contains("destination_service_name=\"reviews\""), text);
        assertTrue(text.contains("destination_service_namespace=\"default\""), text);
        assertTrue(text.contains("response_code=\"503\"") && text.contains("response_flags=\"UH\""), text);
        assertTrue(text.contains("source_workload=\"unknown\""), text);
        assertFalse(text.contains("grpc_response_status"), text);
    }

    @Test
    void accessLogWritesOneLineEach(@TempDir Path dir) throws Exception {
        Path file = dir.resolve("access.log");
        MetricRegistry registry = new MetricRegistry();
        try (AccessLog log = AccessLog.open(file.toString(), registry)) {
            log.log(ENTRY);
            assertEquals("", log.trouble());
        }
        List<String> lines = Files.readAllLines(file);
        assertEquals(1, lines.size());
        assertEquals(
                "[2023-11-14T22:13:20.123Z] \"GET /a\\x0d\\x0ab\\\" HTTP/1.1\" 404 NR \"route_not_found\" 1 2 3 -"
                        + " \"-\" \"curl\" \"id\" \"reviews\" \"-\" - 240.240.0.1:80 127.0.0.1:5 r -",
                lines.get(0));
    }

    @Test
    void aLogThatCannotBeWrittenSaysSoAndCountsNothingAsWritten(@TempDir Path directory) throws Exception {
        MetricRegistry registry = new MetricRegistry();
        Path file = directory.resolve("missing/log");
        try (AccessLog log = AccessLog.open(file.toString(), registry)) {
            log.log(ENTRY);
            long end = System.nanoTime() + 10_000_000_000L;
            while (log.trouble().isEmpty() && System.nanoTime() < end) {
                Thread.sleep(10);
            }
            assertTrue(log.trouble().startsWith("the access log " + file + " cannot be written: "), log.trouble());
        }
        assertTrue(
                registry.expose().contains("tulle_access_log_lines_total{outcome=\"written\"} 0"), registry.expose());
    }
}
