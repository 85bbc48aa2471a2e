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
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * This process's end of a hand-over: through its two sockets in the hand-over directory the next process takes the
 * listening sockets, makes this one retire, and asks for its metrics while it drains. Thread-safe.
 */
public final class HandOver implements AutoCloseable {
    static final String SERVING = "serving";
    static final String STARTING = "starting";
    static final String DRAINING = "draining";

    /** A process that ends while its counts are read is read again, so often. */
    private static final int ATTEMPTS = 5;

    private static final Duration HEIR_PATIENCE = Duration.ofSeconds(10);

    private static final System.Logger LOG = System.getLogger(HandOver.class.getName());

    private final Path directory;
    private final Runnable retire;
    private final Supplier<String> metrics;
    private final LongSupplier connections;
    private final Map<Long, String> inherited = new HashMap<>();
    private volatile String state = STARTING;
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
        api = LocalApiServer.start(
                Predecessor.own(directory, Predecessor.API), (request, replies) -> replies.send(reply(request)));
    }

    /** The answer to a line: a result, or why there is none. */
    String reply(String request) {
        JsonObject answer = new JsonObject();
        try {
            JsonObject asked = JsonParser.parseString(request).getAsJsonObject();
            answer.add("result", answer(asked.get("method").getAsString(), asked.getAsJsonObject("params")));
        } catch (RuntimeException e) {
            answer.addProperty("error", String.valueOf(e.getMessage()));
        }
        return answer.toString();
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
                state = DRAINING;
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
        for (int attempt = 1; ; attempt++) {
            Set<Long> counted;
            synchronized (inherited) {
                counted = Set.copyOf(inherited.keySet());
            }
            List<String> living = new ArrayList<>();
            boolean all = !state.equals(SERVING) || readLiving(counted, living);
            synchronized (inherited) {
                // Who ended meanwhile has left its counts here: they would be missing or there twice.
                if ((all && counted.equals(inherited.keySet())) || attempt == ATTEMPTS) {
                    return MetricText.sum(ownMetrics(), living);
                }
            }
        }
    }

    /** False when a process did not answer: it may just be ending. */
    private boolean readLiving(Set<Long> counted, List<String> living) {
        boolean all = true;
        try {
            for (Predecessor other : Predecessor.all(directory)) {
                if (other.isServing() || counted.contains(other.pid())) {
                    continue;
                }
                try {
                    living.add(other.metrics());
                } catch (IOException e) {
                    LOG.log(System.Logger.Level.DEBUG, "metrics of a draining proxy: " + e.getMessage());
                    all = false;
                }
            }
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "draining proxies: " + e.getMessage());
            return false;
        }
        return all;
    }

    /** Leaves this process's last counts to the one that serves, and ends the conversation. */
    @Override
    public void close() {
        try {
            Optional<Predecessor> heir = state.equals(SERVING) ? Optional.empty() : heir();
            if (heir.isPresent()) {
                heir.get().bequeath(ProcessHandle.current().pid(), ownMetrics());
            }
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "the last metrics could not be handed over: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
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

    /** Who serves. While one process takes over from another, none does for a moment: that moment is waited for. */
    private Optional<Predecessor> heir() throws IOException, InterruptedException {
        long deadline = System.nanoTime() + HEIR_PATIENCE.toNanos();
        while (true) {
            List<Predecessor> others = Predecessor.all(directory);
            Optional<Predecessor> heir =
                    others.stream().filter(Predecessor::isServing).findFirst();
            if (heir.isPresent()
                    || others.stream().noneMatch(Predecessor::isStarting)
                    || System.nanoTime() > deadline) {
                return heir;
            }
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }
}
