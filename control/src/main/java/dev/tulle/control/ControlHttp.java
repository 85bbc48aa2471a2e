package dev.tulle.control;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Metrics, readiness and debugging over HTTP, on the loopback only; nothing can be changed here. */
final class ControlHttp implements AutoCloseable {
    private static final String JSON = "application/json";
    private static final String TEXT = "text/plain; charset=utf-8";

    private final HttpServer server;
    private final ExecutorService handlers = Executors.newVirtualThreadPerTaskExecutor();

    /** Makes the body of an answer. */
    @FunctionalInterface
    private interface Page {
        String body();
    }

    private ControlHttp(HttpServer server) {
        this.server = server;
    }

    /**
     * Binds and serves.
     *
     * @throws IOException when the port is in use
     */
    static ControlHttp start(int port, ControlPlane plane, ControlMetrics metrics) throws IOException {
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        HttpServer server;
        try {
            server = HttpServer.create(address, 16);
        } catch (IOException e) {
            throw new IOException("cannot serve metrics on " + address + ": " + e.getMessage(), e);
        }
        ControlHttp http = new ControlHttp(server);
        server.setExecutor(http.handlers);
        http.page("/metrics", "text/plain; version=0.0.4; charset=utf-8", metrics::expose);
        http.page("/debug/syncz", JSON, () -> ControlViews.clients(plane.clients())
                .toString());
        http.page("/debug/configz", JSON, () -> ControlViews.resources(plane.view(), plane.stands(), resource -> true)
                .toString());
        http.page("/debug/config_dump", JSON, () -> RecordJson.of(plane.view().state())
                .toString());
        server.createContext(
                "/ready",
                exchange -> answer(
                        exchange,
                        plane.isReady() ? 200 : 503,
                        TEXT,
                        plane.isReady() ? "ready\n" : "waiting for configuration and nodes\n"));
        server.start();
        return http;
    }

    int port() {
        return server.getAddress().getPort();
    }

    private void page(String path, String type, Page page) {
        server.createContext(path, exchange -> {
            if (!exchange.getRequestMethod().equals("GET")) {
                answer(exchange, 405, TEXT, "expected GET\n");
            } else if (!exchange.getRequestURI().getPath().equals(path)) {
                answer(exchange, 404, TEXT, "nothing here\n");
            } else {
                answer(exchange, 200, type, page.body());
            }
        });
    }

    private static void answer(HttpExchange exchange, int status, String type, String body) throws IOException {
        try (exchange) {
            byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", type);
            exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
            exchange.getResponseBody().write(bytes);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        handlers.shutdownNow();
    }
}
