package dev.tulle.proxy.admin;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.common.Page;
import dev.tulle.common.PageServer;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.discovery.ServiceDirectory;
import dev.tulle.xds.XdsClient;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The administrator's pages, readiness and metrics, each on a port of its own and served apart from requests: a slow
 * reader of metrics delays nobody. Thread-safe.
 */
public final class AdminPages implements AutoCloseable {
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
    private final List<PageServer> servers = new ArrayList<>();
    private final List<Integer> ports = new ArrayList<>();

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

    /** Each port has a server of its own, so that what is done to one is not felt at another. */
    private void serve(String name, String address, int port, Map<String, Page> pages) throws IOException {
        PageServer server = PageServer.start(name, PageServer.Limits.DEFAULT);
        servers.add(server);
        ports.add(server.listen(InetAddress.getByName(address), port, pages));
    }

    /** Serves the administrator's pages; -1 leaves them out. */
    public void bindAdmin(String address, int port) throws IOException {
        if (port < 0) {
            return;
        }
        String all = "/ready /stats /stats/prometheus /config_dump /clusters /memory, POST /quitquitquit\n";
        serve(
                "admin",
                address,
                port,
                Map.of(
                        "/ready", this::readiness,
                        "/stats", () -> Page.Answer.text(metrics.get()),
                        "/stats/prometheus", this::prometheus,
                        "/config_dump", () -> json(configDump()),
                        "/clusters", () -> json(gson.toJson(ClusterReport.of(scopes, KernelOutcomes.ask(nodeSocket)))),
                        "/memory", () -> json(memory()),
                        "/quitquitquit", new Quit(),
                        "/", () -> Page.Answer.text(all)));
    }

    /** Ends the proxy. */
    private final class Quit implements Page {
        @Override
        public String method() {
            return "POST";
        }

        @Override
        public Answer make() {
            quit.run();
            return Answer.text("OK\n");
        }
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

    private static Page.Answer json(String body) {
        return new Page.Answer(200, Page.JSON, body);
    }

    private Page.Answer readiness() {
        return ready.getAsBoolean()
                ? Page.Answer.text("LIVE\n")
                : Page.Answer.unavailable("not ready: the control plane was not reached yet, or the proxy is ending");
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

    /** Frees the ports. Idempotent. */
    @Override
    public synchronized void close() {
        servers.forEach(PageServer::close);
        servers.clear();
    }
}
