package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.datapath.TcpCount;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.telemetry.WorkloadLabels;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Goal: the kernel's counts of connections become metrics, each once and under its own workloads' labels. */
class TcpMetricsTest {
    private static final String OPENED = "istio_tcp_connections_opened_total";
    private static final String CLOSED = "istio_tcp_connections_closed_total";
    private static final String SENT = "istio_tcp_sent_bytes_total";
    private static final String RECEIVED = "istio_tcp_received_bytes_total";
    private static final Map<Integer, WorkloadLabels> BOTH = Map.of(10, labels("web"), 11, labels("cache"));

    private final List<TcpCount> kernel = new ArrayList<>();
    private boolean services = true;
    private final MetricRegistry registry = new MetricRegistry();
    private final TcpMetrics metrics = new TcpMetrics(new FakeDatapath(), registry);

    private final class FakeDatapath extends CountingDatapath {
        @Override
        public List<TcpCount> tcpCounts() {
            return List.copyOf(kernel);
        }

        @Override
        public void forgetTcpCounts(Collection<TcpCount> counts) {
            kernel.removeAll(counts);
        }

        @Override
        public String serviceOf(int number) {
            return services && number == 7 ? "cache.default.svc.cluster.local" : "";
        }
    }

    private static WorkloadLabels labels(String name) {
        return WorkloadLabels.named(name, "default");
    }

    private static TcpCount count(int source, int destination, long opened, long closed) {
        return new TcpCount(source, destination, 7, opened, closed, 100 * closed, 1_000 * closed);
    }

    /** The sum of a metric's series with all these labels. */
    private long sum(String metric, String... labels) {
        return registry.expose()
                .lines()
                .filter(line -> line.startsWith(metric + "{"))
                .filter(line -> List.of(labels).stream().allMatch(line::contains))
                .mapToLong(line -> (long) Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    private static String from(String workload) {
        return "source_workload=\"" + workload + "\"";
    }

    private static String to(String workload) {
        return "destination_workload=\"" + workload + "\"";
    }

    @Test
    void countsAreAddedOnceAndBytesAreThoseOfTheServersView() {
        metrics.workloads(BOTH);
        kernel.add(count(10, 11, 4, 3));
        metrics.collect();
        metrics.collect();
        String[] who = {
            from("web"),
            to("cache"),
            "destination_service=\"cache.default.svc.cluster.local\"",
            "destination_service_name=\"cache\"",
            "destination_service_namespace=\"default\"",
            "request_protocol=\"tcp\"",
            "reporter=\"source\""
        };
        assertEquals(List.of(4L, 3L), List.of(sum(OPENED, who), sum(CLOSED, who)));
        assertEquals(List.of(300L, 3_000L), List.of(sum(RECEIVED, who), sum(SENT, who)));
        kernel.set(0, count(10, 11, 9, 9));
        metrics.collect();
        assertEquals(List.of(9L, 9L), List.of(sum(OPENED, who), sum(CLOSED, who)));
        assertEquals(List.of(900L, 9_000L), List.of(sum(RECEIVED, who), sum(SENT, who)));
        kernel.add(new TcpCount(11, 10, 0, 1, 1, 5, 6));
        metrics.collect();
        assertEquals(1, sum(OPENED, from("cache"), to("web"), "destination_service=\"unknown\""));
        assertEquals(10, sum(OPENED));
    }

    @Test
    void nothingIsCountedBeforeTheWorkloadsAreKnown() {
        kernel.add(count(10, 11, 4, 4));
        metrics.collect();
        assertEquals(0, sum(OPENED));
        metrics.workloads(BOTH);
        metrics.collect();
        assertEquals(4, sum(OPENED, from("web"), to("cache")));
    }

    @Test
    void whatEndsAfterItsWorkloadHasGoneIsStillIts() {
        metrics.workloads(BOTH);
        kernel.add(count(10, 11, 4, 3));
        metrics.workloads(Map.of(11, labels("cache")));
        assertEquals(List.of(count(10, 11, 4, 3)), kernel, "one is still open");
        kernel.set(0, count(10, 11, 4, 4));
        metrics.collect();
        assertEquals(List.of(4L, 4L), List.of(sum(OPENED, from("web")), sum(CLOSED, from("web"))));
        metrics.workloads(Map.of());
        assertTrue(kernel.isEmpty(), "nobody is left who could count on it");
        assertEquals(4, sum(OPENED));
    }

    @Test
    void pairsOfAGoneWorkloadAreRemovedOnceTheyAreCounted() {
        metrics.workloads(BOTH);
        kernel.add(count(10, 11, 4, 4));
        kernel.add(new TcpCount(0, 0, 0, 2, 2, 1, 1));
        metrics.workloads(Map.of(11, labels("cache")));
        assertEquals(List.of(new TcpCount(0, 0, 0, 2, 2, 1, 1)), kernel, "what there was no room for stays");
        assertEquals(4, sum(CLOSED, from("web"), to("cache")));
        assertEquals(2, sum(CLOSED, from("unknown"), to("unknown"), "destination_service=\"unknown\""));
        // The kernel makes the entry anew.
        kernel.add(count(10, 11, 1, 1));
        metrics.collect();
        assertEquals(5, sum(CLOSED, from("web"), to("cache")));
    }

    @Test
    void aNumberThatIsUsedAgainDoesNotTakeOverCounts() {
        metrics.workloads(BOTH);
        kernel.add(count(10, 11, 4, 4));
        metrics.workloads(Map.of(11, labels("cache")));
        kernel.add(count(10, 11, 1, 1));
        metrics.workloads(Map.of(10, labels("other"), 11, labels("cache")));
        assertEquals(5, sum(OPENED, from("web")), "what came before the number was given to another");
        kernel.set(0, count(10, 11, 3, 3));
        metrics.collect();
        assertEquals(List.of(5L, 2L), List.of(sum(OPENED, from("web")), sum(OPENED, from("other"))));
    }

    @Test
    void countsOfAnEarlierAgentAreNobodysWhoGetsTheNumberLater() {
        kernel.add(count(10, 11, 4, 4));
        kernel.add(count(12, 11, 2, 1));
        metrics.workloads(Map.of(11, labels("cache")));
        assertEquals(List.of(count(12, 11, 2, 1)), kernel, "the other is over");
        assertEquals(5, sum(CLOSED, from("unknown"), to("cache")));
        metrics.workloads(Map.of(10, labels("other"), 11, labels("cache"), 12, labels("third")));
        metrics.collect();
        assertEquals(6, sum(OPENED, from("unknown"), to("cache")));
        assertEquals(6, sum(OPENED));
    }

    @Test
    void aServiceThatIsNotKnownYetIsWaitedFor() {
        services = false;
        kernel.add(count(10, 11, 4, 4));
        metrics.workloads(BOTH);
        metrics.collect();
        assertEquals(0, sum(OPENED));
        services = true;
        metrics.collect();
        assertEquals(4, sum(OPENED, from("web"), "destination_service_name=\"cache\""));
        services = false;
        kernel.set(0, count(10, 11, 5, 5));
        metrics.workloads(Map.of(10, labels("other"), 11, labels("cache")));
        assertEquals(5, sum(OPENED, from("web")), "a number that means another one is waited for by nobody");
    }
}
