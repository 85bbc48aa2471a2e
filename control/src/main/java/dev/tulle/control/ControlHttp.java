package dev.tulle.control;

import dev.tulle.common.Page;
import dev.tulle.common.PageServer;
import java.io.IOException;
import java.net.InetAddress;
import java.util.Map;

/** Metrics and readiness over HTTP, on the loopback only, for everybody to read. */
final class ControlHttp implements AutoCloseable {
    private final PageServer server;
    private final int port;

    private ControlHttp(PageServer server, int port) {
        this.server = server;
        this.port = port;
    }

    /**
     * Binds and serves.
     *
     * @throws IOException when the port is in use
     */
    static ControlHttp start(int port, ControlPlane plane, ControlMetrics metrics) throws IOException {
        PageServer server = PageServer.start("control-pages", PageServer.Limits.DEFAULT);
        try {
            int bound = server.listen(
                    InetAddress.getLoopbackAddress(),
                    port,
                    Map.of(
                            "/metrics",
                            () -> new Page.Answer(200, Page.PROMETHEUS, metrics.expose()),
                            "/ready",
                            () -> plane.isReady()
                                    ? Page.Answer.text("ready\n")
                                    : Page.Answer.unavailable("waiting for configuration and nodes")));
            return new ControlHttp(server, bound);
        } catch (IOException e) {
            server.close();
            throw new IOException("metrics and readiness: " + e.getMessage(), e);
        }
    }

    int port() {
        return port;
    }

    @Override
    public void close() {
        server.close();
    }
}
