package dev.tulle.proxy.admin;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.discovery.ServiceDirectory;
import dev.tulle.xds.XdsClient;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The administrator's pages, readiness and metrics, each on a port of its own, served by two threads that never touch an
 * event loop's work: a slow reader of metrics delays no request. Thread-safe.
 */
public final class AdminPages implements AutoCloseable {
    private static final String TEXT = "text/plain; charset=utf-8";
    private static final String JSON = "application/json";
    private static final String PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

    /** What a page answers. */
    private record Page(int status, String type, String body) {}

    /** Makes a page. */
    @FunctionalInterface
    private interface Source {
        Page page();
    }

    private final BooleanSupplier ready;
    private final Supplier<String> metrics;
    private final XdsClient xds;
    private final ServiceDirectory services;
    private final Collection<LoopScope> scopes;
    private final @Nullable Path nodeSocket;
    private final Runnable quit;
    private final Gson gson = new GsonBuilder()
            .setPrettyPrinting()
            .disableHtmlEscaping()
            .registerTypeAdapterFactory(new ModelJson())
            .create();
    private final ExecutorService threads = Executors.newFixedThreadPool(
            2, Thread.ofPlatform().name("admin-", 0).daemon().factory());
    private final List<HttpServer> servers = new ArrayList<>();

    /**
     * Pages about a proxy.
     *
     * @param metrics in Prometheus' text format
     * @param nodeSocket where the agent answers; null when there is none
     * @param quit asks the proxy to end
     */
    public AdminPages(
            BooleanSupplier ready,
            Supplier<String> metrics,
            XdsClient xds,
            ServiceDirectory services,
            Collection<LoopScope> scopes,
            @Nullable Path nodeSocket,
            Runnable quit) {
        this.ready = ready;
        this.metrics = metrics;
        this.xds = xds;
        this.services = services;
        this.scopes = scopes;
        this.nodeSocket = nodeSocket;
        this.quit = quit;
    }

    private HttpServer open(String address, int port) throws IOException {
        HttpServer server;
        try {
            server = HttpServer.create(new InetSocketAddress(address, port), 64);
        } catch (IOException e) {
            throw new IOException("cannot listen on " + address + ":" + port + ": " + e.getMessage(), e);
        }
        server.setExecutor(threads);
        servers.add(server);
        return server;
    }

    /** Serves the administrator's pages; -1 leaves them out. */
    public void bindAdmin(String address, int port) throws IOException {
        if (port < 0) {
            return;
        }
        HttpServer server = open(address, port);
        page(server, "/ready", this::readiness);
        page(server, "/stats", () -> new Page(200, TEXT, metrics.get()));
        page(server, "/stats/prometheus", () -> new Page(200, PROMETHEUS, metrics.get()));
        page(server, "/config_dump", () -> new Page(200, JSON, configDump()));
        page(
                server,
                "/clusters",
                () -> new Page(200, JSON, gson.toJson(ClusterReport.of(scopes, KernelOutcomes.ask(nodeSocket)))));
        page(server, "/memory", () -> new Page(200, JSON, memory()));
        server.createContext("/quitquitquit", exchange -> {
            boolean post = exchange.getRequestMethod().equals("POST");
            answer(exchange, post ? new Page(200, TEXT, "OK\n") : new Page(405, TEXT, "POST is required\n"));
            if (post) {
                quit.run();
            }
        });
        page(
                server,
                "/",
                () -> new Page(
                        200,
                        TEXT,
                        "/ready /stats /stats/prometheus /config_dump /clusters /memory, POST /quitquitquit\n"));
        server.start();
    }

    /** Serves readiness; -1 leaves it out. */
    public void bindReadiness(String address, int port) throws IOException {
        if (port >= 0) {
            HttpServer server = open(address, port);
            page(server, "/healthz/ready", this::readiness);
            server.start();
        }
    }

    /** Serves metrics; -1 leaves them out. */
    public void bindMetrics(String address, int port) throws IOException {
        if (port >= 0) {
            HttpServer server = open(address, port);
            page(server, "/stats/prometheus", () -> new Page(200, PROMETHEUS, metrics.get()));
            page(server, "/metrics", () -> new Page(200, PROMETHEUS, metrics.get()));
            server.start();
        }
    }

    /** The bound ports, in the order in which they were opened. */
    public List<Integer> ports() {
        return servers.stream().map(server -> server.getAddress().getPort()).toList();
    }

    private Page readiness() {
        return ready.getAsBoolean()
                ? new Page(200, TEXT, "LIVE\n")
                : new Page(503, TEXT, "not ready: the control plane was not reached yet, or the proxy is ending\n");
    }

    private String configDump() {
        JsonObject dump = new JsonObject();
        dump.add("xds", gson.toJsonTree(xds.status()));
        JsonArray all = new JsonArray();
        services.services().forEach(service -> {
            JsonObject one = new JsonObject();
            one.addProperty("name", service.name());
            one.addProperty("state", service.state().name());
            var snapshot = service.snapshot();
            if (snapshot != null) {
                one.add("listener", gson.toJsonTree(snapshot.listener()));
                var routes = snapshot.routes();
                if (routes != null) {
                    one.add("routes", gson.toJsonTree(routes.source()));
                }
                one.add("clusters", gson.toJsonTree(snapshot.clusters()));
            }
            all.add(one);
        });
        dump.add("services", all);
        return gson.toJson(dump);
    }

    private String memory() {
        MemoryUsage heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
        JsonObject memory = new JsonObject();
        memory.addProperty("heapUsedBytes", heap.getUsed());
        memory.addProperty("heapCommittedBytes", heap.getCommitted());
        memory.addProperty("heapMaxBytes", heap.getMax());
        memory.addProperty(
                "directUsedBytes",
                io.netty.buffer.PooledByteBufAllocator.DEFAULT.metric().usedDirectMemory());
        return gson.toJson(memory);
    }

    private static void page(HttpServer server, String path, Source source) {
        server.createContext(path, exchange -> {
            boolean here =
                    path.equals("/") || exchange.getRequestURI().getPath().equals(path);
            boolean get = exchange.getRequestMethod().equals("GET")
                    || exchange.getRequestMethod().equals("HEAD");
            Page page;
            if (!here) {
                page = new Page(404, TEXT, "no such page\n");
            } else if (!get) {
                page = new Page(405, TEXT, "GET is required\n");
            } else {
                page = source.page();
            }
            answer(exchange, page);
        });
    }

    private static void answer(HttpExchange exchange, Page page) throws IOException {
        try (exchange) {
            byte[] body = page.body.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("content-type", page.type);
            boolean head = exchange.getRequestMethod().equals("HEAD");
            exchange.sendResponseHeaders(page.status, head || body.length == 0 ? -1 : body.length);
            if (!head) {
                exchange.getResponseBody().write(body);
            }
        }
    }

    /** Frees the ports. Idempotent. */
    @Override
    public synchronized void close() {
        servers.forEach(server -> server.stop(0));
        servers.clear();
        threads.shutdownNow();
    }
}
