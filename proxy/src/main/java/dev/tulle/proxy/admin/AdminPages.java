package dev.tulle.proxy.admin;

import dev.tulle.common.Page;
import dev.tulle.common.PageServer;
import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * Readiness and metrics, which everybody may read, each on a port of its own and served apart from requests: a slow
 * reader of metrics delays nobody. Thread-safe.
 */
public final class AdminPages implements AutoCloseable {
    private final BooleanSupplier ready;
    private final Supplier<String> metrics;
    private final List<PageServer> servers = new ArrayList<>();
    private final List<Integer> ports = new ArrayList<>();

    /**
     * Pages about a proxy.
     *
     * @param metrics in Prometheus' text format
     */
    public AdminPages(BooleanSupplier ready, Supplier<String> metrics) {
        this.ready = ready;
        this.metrics = metrics;
    }

    /** Each port has a server of its own, so that what is done to one is not felt at another. */
    private void serve(String name, String address, int port, Map<String, Page> pages) throws IOException {
        PageServer server = PageServer.start(name, PageServer.Limits.DEFAULT);
        servers.add(server);
        ports.add(server.listen(InetAddress.getByName(address), port, pages));
    }

    /** Serves readiness; -1 leaves it out. */
    public void bindReadiness(String address, int port) throws IOException {
        if (port >= 0) {
            serve("readiness", address, port, Map.of("/healthz/ready", this::readiness));
        }
    }

    /** Serves metrics; -1 leaves them out. */
    public void bindMetrics(String address, int port) throws IOException {
        if (port >= 0) {
            serve(
                    "metrics",
                    address,
                    port,
                    Map.of("/stats/prometheus", this::prometheus, "/metrics", this::prometheus));
        }
    }

    /** The bound ports, in the order in which they were opened. */
    public List<Integer> ports() {
        return List.copyOf(ports);
    }

    private Page.Answer prometheus() {
        return new Page.Answer(200, Page.PROMETHEUS, metrics.get());
    }

    private Page.Answer readiness() {
        return ready.getAsBoolean()
                ? Page.Answer.text("LIVE\n")
                : Page.Answer.unavailable("not ready: the control plane was not reached yet, or the proxy is ending");
    }

    /** Frees the ports. Idempotent. */
    @Override
    public synchronized void close() {
        servers.forEach(PageServer::close);
        servers.clear();
    }
}
