package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.Page;
import dev.tulle.common.PageServer;
import java.net.InetAddress;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ProxyMetricsTest {
    @Test
    void whoWantedMoreThanHisShare() throws Exception {
        String text = """
                # TYPE tulle_proxy_over_share_total counter
                tulle_proxy_over_share_total{workload="default/greedy",what="connection_refused"} 12
                tulle_proxy_over_share_total{workload="default/greedy",what="log_line_dropped"} 3
                tulle_proxy_over_share_total{workload="host",what="idle_connection_closed"} 1
                tulle_proxy_connections 4
                """;
        try (PageServer proxy = PageServer.start("proxy", PageServer.Limits.DEFAULT)) {
            int port = proxy.listen(
                    InetAddress.getLoopbackAddress(),
                    0,
                    Map.of("/metrics", () -> new Page.Answer(200, Page.PROMETHEUS, text)));
            assertEquals(
                    "[{\"workload\":\"default/greedy\",\"resource\":\"proxy\",\"text\":\"12 connection refused,"
                            + " 3 log line dropped, since the proxy started\"},{\"workload\":\"host\","
                            + "\"resource\":\"proxy\",\"text\":\"1 idle connection closed, since the proxy started\"}]",
                    ProxyMetrics.overShare(port).toString());
            proxy.close();
            assertTrue(ProxyMetrics.overShare(port).isEmpty());
        }
    }
}
