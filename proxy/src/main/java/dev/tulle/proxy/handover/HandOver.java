package dev.tulle.proxy.handover;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.LocalApiServer;
import dev.tulle.telemetry.MetricText;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * This process's end of a hand-over: through its two sockets in the hand-over directory the next process takes the
 * listening sockets, makes this one retire, and asks for its metrics while it drains. Thread-safe.
 */
public final class HandOver implements AutoCloseable {
    static final String SERVING = "serving";

    private static final System.Logger LOG = System.getLogger(HandOver.class.getName());

    private final Path directory;
    private final Runnable retire;
    private final Supplier<String> metrics;
    private final LongSupplier connections;
    private final Map<Long, String> inherited = new HashMap<>();
    private volatile String state = "starting";
    private @Nullable LocalApiServer api;
    private @Nullable Channel sockets;

    /**
     * Not open yet.
     *
     * @param directory one per mesh, in which only the proxy's user may write
     * @param retire stops accepting and frees the ports; returns when that is done
     * @param metrics this process's own, in Prometheus' text format
     * @param connections how many are open
     */
    public HandOver(Path directory, Runnable retire, Supplier<String> metrics, LongSupplier connections) {
        this.directory = directory;
        this.retire = retire;
        this.metrics = metrics;
        this.connections = connections;
    }

    /**
     * Answers from now on.
     *
     * @param listening the sockets to pass on
     * @throws IOException when the sockets cannot be made
     */
    public void open(EventLoopGroup group, Supplier<List<Channel>> listening) throws IOException {
        Path descriptors = Predecessor.own(directory, Predecessor.SOCKETS);
        Files.deleteIfExists(descriptors);
        sockets = PassedSockets.offer(group, descriptors, listening);
        api = LocalApiServer.start(Predecessor.own(directory, Predecessor.API), "rw-------", (request, replies) -> {
            JsonObject answer = new JsonObject();
            try {
                JsonObject asked = JsonParser.parseString(request).getAsJsonObject();
                answer.add("result", answer(asked.get("method").getAsString(), asked.getAsJsonObject("params")));
            } catch (RuntimeException e) {
                answer.addProperty("error", String.valueOf(e.getMessage()));
            }
            replies.send(answer.toString());
        });
    }

    private JsonObject answer(String method, JsonObject params) {
        JsonObject result = new JsonObject();
        switch (method) {
            case "status" -> {
                result.addProperty("pid", ProcessHandle.current().pid());
                result.addProperty("state", state);
                result.addProperty("connections", connections.getAsLong());
            }
            case "retire" -> {
                state = "draining";
                retire.run();
            }
            case "metrics" -> result.addProperty("text", ownMetrics());
            case "inherit" -> {
                synchronized (inherited) {
                    inherited.put(
                            params.get("pid").getAsLong(), params.get("text").getAsString());
                }
            }
            default -> throw new IllegalArgumentException("no method " + method);
        }
        return result;
    }

    /** From now on this process is the one that the next takes over from. */
    public void serving() {
        state = SERVING;
    }

    private String ownMetrics() {
        synchronized (inherited) {
            return MetricText.sum(metrics.get(), inherited.values());
        }
    }

    /** The metrics of the mesh's proxy: of this process, of those before it that still drain, and of those that ended. */
    public String metrics() {
        List<String> living = new ArrayList<>();
        if (state.equals(SERVING)) {
            try {
                for (Predecessor other : Predecessor.all(directory)) {
                    boolean counted;
                    synchronized (inherited) {
                        counted = inherited.containsKey(other.pid());
                    }
                    if (!other.isServing() && !counted) {
                        living.add(other.metrics());
                    }
                }
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "metrics of a draining proxy: " + e.getMessage());
            }
        }
        return MetricText.sum(ownMetrics(), living);
    }

    /** Leaves this process's last counts to the one that serves, and ends the conversation. */
    @Override
    public void close() {
        try {
            var heir = Predecessor.serving(directory);
            if (heir.isPresent() && !state.equals(SERVING)) {
                heir.get().bequeath(ProcessHandle.current().pid(), ownMetrics());
            }
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "the last metrics could not be handed over: " + e.getMessage());
        }
        LocalApiServer server = api;
        if (server != null) {
            server.close();
        }
        Channel offered = sockets;
        if (offered != null) {
            offered.close().awaitUninterruptibly();
        }
        try {
            Files.deleteIfExists(Predecessor.own(directory, Predecessor.SOCKETS));
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "close", e);
        }
    }
}
