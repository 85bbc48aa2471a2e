package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.datapath.HttpSample;
import dev.tulle.telemetry.AccessLogEntry;
import dev.tulle.telemetry.MetricRegistry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Goal: a request that the kernel forwarded has the same line as one of the proxy, but for what says who it was. */
class SampledRequestsTest {
    private static HttpSample sample(String head, long endNanos) {
        return new HttpSample(
                endNanos,
                12_345_000,
                2_345_000,
                5,
                9_000,
                201,
                head,
                "100.64.3.11:40000",
                "240.240.0.7:9080",
                "100.64.3.10:9080",
                "default/shop",
                "web.default.svc.cluster.local",
                "items",
                "outbound|9080|v1|web.default.svc.cluster.local");
    }

    private static final String HEAD = String.join(
            "\r\n",
            "POST /items/7?token=\"x HTTP/1.1",
            "Host: web:9080",
            "User-AGENT:  test/1 ",
            "X-Request-Id: 42",
            "Authorization: secret",
            "X-Forwarded-For: 1.2.3.4",
            "user-agent: second",
            "",
            "");

    @Test
    void oneLineInTheProxysForm() {
        AccessLogEntry entry = SampledRequests.entry(sample(HEAD, 0), 1_000, SampledRequests.details(1_000));
        assertEquals(
                "[1970-01-01T00:00:01Z] \"POST /items/7?token=\\\"x HTTP/1.1\" 201 - \"via_kernel_sampled_1_in_1000\""
                        + " 5 9000 12 2 \"1.2.3.4\" \"test/1\" \"42\" \"web:9080\" \"100.64.3.10:9080\""
                        + " outbound|9080|v1|web.default.svc.cluster.local 240.240.0.7:9080 100.64.3.11:40000 items"
                        + " default/shop",
                entry.format());
    }

    @Test
    void whatIsMissingIsEmpty() {
        AccessLogEntry entry = SampledRequests.entry(sample("GET / HTTP/1.1\r\nHostess: a\r\n\r\n", 0), 0, "");
        assertEquals("", entry.authority());
        assertEquals("", entry.userAgent());
        AccessLogEntry nothing = SampledRequests.entry(sample("", 0), 0, "");
        assertEquals("", nothing.method());
    }

    @Test
    void writtenAndKeptWithTheTimeOfTheRequest(@TempDir Path dir) throws Exception {
        Path file = dir.resolve("access.log.kernel");
        List<AccessLogEntry> kept = new ArrayList<>();
        long before = System.currentTimeMillis();
        try (SampledRequests requests = new SampledRequests(10, file.toString(), new MetricRegistry(), kept::add)) {
            requests.accept(sample(HEAD, System.nanoTime()));
        }
        long start = kept.getFirst().startMillis();
        assertTrue(start >= before - 14 && start <= System.currentTimeMillis() - 12, start + " of " + before);
        List<String> lines = Files.readAllLines(file);
        assertEquals(List.of(kept.getFirst().format()), lines);
        assertTrue(lines.getFirst().contains("via_kernel_sampled_1_in_10\""), lines.toString());
    }

    @Test
    void neitherEventsNorRequestsPushTheOtherOut() {
        Flows flows = new Flows();
        AccessLogEntry entry = SampledRequests.entry(sample(HEAD, 0), 0, "");
        for (int i = 0; i < Flows.KEPT + 10; i++) {
            flows.add(entry);
        }
        assertEquals(Flows.KEPT, flows.last(5_000).size());
        assertEquals(3, flows.last(3).size());
    }
}
