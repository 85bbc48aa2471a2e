package dev.tulle.proxy.admin;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.tulle.common.LocalApiServer;
import dev.tulle.common.LocalRefusals;
import dev.tulle.common.SocketAccess;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.discovery.ServiceDirectory;
import dev.tulle.xds.XdsClient;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.nio.file.Path;
import java.util.Collection;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What an administrator may ask the proxy, over a Unix socket for root and the mesh's group: {@code status}, {@code
 * ready}, {@code config}, {@code clusters}, {@code stats}, {@code memory}. Nothing can be changed here; a signal ends the
 * proxy. Thread-safe; answers are made on the connections' threads.
 */
public final class AdminApi implements LocalApiServer.Handler, AutoCloseable {
    private final BooleanSupplier ready;
    private final Supplier<String> metrics;
    private final Supplier<String> accessLog;
    private final XdsClient xds;
    private final ServiceDirectory services;
    private final Collection<LoopScope> scopes;
    private final @Nullable Path nodeSocket;
    private final LocalRefusals refusals = new LocalRefusals();
    private final Gson gson = new GsonBuilder()
            .disableHtmlEscaping()
            .registerTypeAdapterFactory(new ModelJson())
            .create();
    private @Nullable LocalApiServer server;

    /**
     * Answers about a proxy.
     *
     * @param ready whether it serves and has heard from the control plane
     * @param metrics in Prometheus' text format
     * @param accessLog why the access log cannot be written, or what is wrong with the edge; empty while nothing is
     * @param nodeSocket where the agent answers; null when there is none
     */
    public AdminApi(
            BooleanSupplier ready,
            Supplier<String> metrics,
            Supplier<String> accessLog,
            XdsClient xds,
            ServiceDirectory services,
            Collection<LoopScope> scopes,
            @Nullable Path nodeSocket) {
        this.ready = ready;
        this.metrics = metrics;
        this.accessLog = accessLog;
        this.xds = xds;
        this.services = services;
        this.scopes = scopes;
        this.nodeSocket = nodeSocket;
    }

    /**
     * Serves the socket.
     *
     * @param group the group that administers the mesh; empty for none
     * @throws IOException when it cannot be bound
     */
    public synchronized void bind(Path socket, String group) throws IOException {
        server = LocalApiServer.start(socket, SocketAccess.members(group), refusals, this);
    }

    @Override
    public void handle(String request, LocalApiServer.Replies replies) throws IOException {
        JsonObject answer = new JsonObject();
        try {
            JsonElement method =
                    JsonParser.parseString(request).getAsJsonObject().get("method");
            answer.add("result", answer(method instanceof JsonPrimitive word ? word.getAsString() : ""));
            answer.addProperty("ok", true);
        } catch (JsonParseException | IllegalStateException | IllegalArgumentException e) {
            JsonObject error = new JsonObject();
            error.addProperty("message", String.valueOf(e.getMessage()));
            answer.addProperty("ok", false);
            answer.add("error", error);
        }
        replies.send(gson.toJson(answer));
    }

    /**
     * One answer.
     *
     * @throws IllegalArgumentException when there is no such method
     */
    public JsonElement answer(String method) {
        return switch (method) {
            case "status" -> status();
            case "config" -> config();
            case "clusters" -> gson.toJsonTree(ClusterReport.of(scopes, KernelOutcomes.ask(nodeSocket)));
            case "stats" -> new JsonPrimitive(metrics.get());
            case "memory" -> memory();
            case "ready" -> new JsonPrimitive(ready.getAsBoolean());
            default ->
                throw new IllegalArgumentException(
                        "method '" + method + "': expected status, config, clusters, stats, memory or ready");
        };
    }

    /** How the proxy is: for {@code tulle status}. */
    private JsonObject status() {
        JsonObject status = new JsonObject();
        JsonArray troubles = new JsonArray();
        if (!xds.status().connected()) {
            troubles.add("the control plane is not reached: what it said last stays in force");
        }
        if (!accessLog.get().isEmpty()) {
            troubles.add(accessLog.get());
        }
        status.add("troubles", troubles);
        status.add("refusals", gson.toJsonTree(refusals.all()));
        return status;
    }

    private JsonObject config() {
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
        return dump;
    }

    private static JsonObject memory() {
        MemoryUsage heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
        JsonObject memory = new JsonObject();
        memory.addProperty("heapUsedBytes", heap.getUsed());
        memory.addProperty("heapCommittedBytes", heap.getCommitted());
        memory.addProperty("heapMaxBytes", heap.getMax());
        memory.addProperty(
                "directUsedBytes",
                io.netty.buffer.PooledByteBufAllocator.DEFAULT.metric().usedDirectMemory());
        return memory;
    }

    /** Removes the socket. Idempotent. */
    @Override
    public synchronized void close() {
        LocalApiServer open = server;
        server = null;
        if (open != null) {
            open.close();
        }
    }
}
