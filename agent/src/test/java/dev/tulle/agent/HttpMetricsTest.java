package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.datapath.HttpCount;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.telemetry.WorkloadLabels;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Goal: the kernel's counts become metrics, each request once and under its own workloads' labels. */
class HttpMetricsTest {
    private final List<HttpCount> kernel = new ArrayList<>();
    private boolean services = true;
    private final MetricRegistry registry = new MetricRegistry();
    private final HttpMetrics metrics = new HttpMetrics(new FakeDatapath(), registry);

    private final class FakeDatapath extends CountingDatapath {
        @Override
        public List<HttpCount> httpCounts() {
            return List.copyOf(kernel);
        }

        @Override
        public void forgetHttpCounts(Set<Integer> workloads) {
            kernel.removeIf(count -> !workloads.contains(count.source()) && !workloads.contains(count.destination()));
        }

        @Override
        public String serviceOf(int number) {
            return services && number == 7 ? "reviews.default.svc.cluster.local" : "";
        }
    }

    private static HttpCount count(int source, int destination, int code, long requests) {
        List<Long> buckets = new ArrayList<>(Collections.nCopies(20, 0L));
        buckets.set(1, requests);
        return new HttpCount(
                7, source, destination, code, requests, 10 * requests, 25 * requests, 800_000 * requests, buckets);
    }

    private void has(String line) {
        String text = registry.expose();
        assertTrue(text.lines().anyMatch(one -> matches(one, line)), line + "\n" + text);
    }

    /** All the words of a description are in the line. */
    private static boolean matches(String line, String words) {
        for (String word : words.split(" ")) {
            if (!line.contains(word)) {
                return false;
            }
        }
        return true;
    }

    private static WorkloadLabels labels(String name) {
        return WorkloadLabels.named(name, "default");
    }

    @Test
    void countsAreAddedOnce() {
        metrics.workloads(Map.of(10, labels("web"), 11, labels("reviews-v1")));
        kernel.add(count(10, 11, 200, 4));
        metrics.collect();
        metrics.collect();
        String who = "source_workload=\"web\" destination_workload=\"reviews-v1\" destination_service_name=\"reviews\"";
        has("istio_requests_total " + who + " response_code=\"200\" } 4");
        has("istio_request_duration_milliseconds_bucket " + who + " le=\"0.5\" } 0");
        has("istio_request_duration_milliseconds_bucket " + who + " le=\"1\" } 4");
        has("istio_request_duration_milliseconds_sum " + who + " 3.2");
        has("istio_response_bytes_sum " + who + " } 100");
        has("istio_request_bytes_count " + who + " } 4");
        kernel.set(0, count(10, 11, 200, 9));
        // A second pool of the same pair counts with it.
        kernel.add(count(10, 11, 200, 2));
        assertEquals(Map.of("reviews.default.svc.cluster.local", 11L), metrics.byService());
        has("istio_requests_total " + who + " } 11");
    }

    @Test
    void nothingIsCountedBeforeTheWorkloadsAreKnown() {
        kernel.add(count(10, 11, 200, 4));
        metrics.collect();
        assertEquals(Map.of(), metrics.byService());
        metrics.workloads(Map.of(10, labels("web"), 11, labels("reviews-v1")));
        metrics.collect();
        has("istio_requests_total source_workload=\"web\" destination_workload=\"reviews-v1\" } 4");
    }

    @Test
    void aNumberThatIsUsedAgainDoesNotTakeOverCounts() {
        metrics.workloads(Map.of(10, labels("web"), 11, labels("reviews-v1")));
        kernel.add(count(10, 11, 200, 4));
        metrics.workloads(Map.of(10, labels("other"), 11, labels("reviews-v1")));
        kernel.set(0, count(10, 11, 200, 5));
        metrics.collect();
        has("istio_requests_total source_workload=\"web\" } 4");
        has("istio_requests_total source_workload=\"other\" } 1");
        metrics.workloads(Map.of(12, labels("third")));
        assertEquals(List.of(), kernel, "nobody is left who could count on it");
        kernel.add(count(12, 10, 503, 3));
        metrics.collect();
        has(
                "istio_requests_total source_workload=\"third\" destination_workload=\"unknown\" response_code=\"503\" } 3");
        has("istio_requests_total source_workload=\"web\" } 4");
    }

    @Test
    void countsOfAnEarlierAgentAreNobodysWhoGetsTheNumberLater() {
        kernel.add(count(10, 11, 200, 4));
        metrics.workloads(Map.of(11, labels("reviews-v1")));
        metrics.workloads(Map.of(10, labels("other"), 11, labels("reviews-v1")));
        metrics.collect();
        has("istio_requests_total source_workload=\"unknown\" destination_workload=\"reviews-v1\" } 4");
        assertFalse(registry.expose().contains("other"), registry::expose);
    }

    @Test
    void aServiceThatIsNotKnownYetIsWaitedFor() {
        services = false;
        kernel.add(count(10, 11, 200, 4));
        metrics.workloads(Map.of(10, labels("web"), 11, labels("reviews-v1")));
        assertEquals(Map.of(), metrics.byService());
        services = true;
        assertEquals(Map.of("reviews.default.svc.cluster.local", 4L), metrics.byService());
    }
}
