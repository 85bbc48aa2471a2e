package dev.tulle.cli.role;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.cli.client.Json;
import dev.tulle.common.LocalApiProgress;
import dev.tulle.common.LocalApiServer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/**
 * What `tulle up` can be asked for while it runs: {@code upgrade} with the role {@code proxy} (answers when the new
 * processes serve: the gateway's, where there is one, is replaced as well) or {@code agent} (answers, then ends for the next version). Thread-safe.
 */
final class UpgradeApi implements AutoCloseable {
    /** How long a caller is told that its request is being worked on: longer than a new proxy may take to serve. */
    private static final Duration PROGRESS = Duration.ofMinutes(2);

    private final ProxySupervisor proxy;
    private final GatewayChild gateway;
    private final StopSignal stop;
    private final LocalApiServer server;
    private volatile boolean startsNew;

    // The server answers only once the constructor is done with all that answers need.
    @SuppressWarnings("this-escape")
    private UpgradeApi(Path socket, ProxySupervisor proxy, GatewayChild gateway, StopSignal stop) throws IOException {
        this.proxy = proxy;
        this.gateway = gateway;
        this.stop = stop;
        this.server = LocalApiServer.start(socket, this::handle);
    }

    /**
     * Serves the socket.
     *
     * @throws IOException when it cannot be made
     */
    static UpgradeApi start(Path socket, ProxySupervisor proxy, GatewayChild gateway, StopSignal stop)
            throws IOException {
        return new UpgradeApi(socket, proxy, gateway, stop);
    }

    /** Whether the process ends because another version is to follow. */
    boolean startsNew() {
        return startsNew;
    }

    private void handle(String request, LocalApiServer.Replies replies) throws IOException {
        JsonObject answer = new JsonObject();
        boolean end = false;
        try {
            JsonObject asked = JsonParser.parseString(request).getAsJsonObject();
            String role = Json.text(Json.object(asked, "params"), "role");
            JsonObject result = new JsonObject();
            try (LocalApiProgress _ = LocalApiProgress.begin(replies, Json.bool(asked, "progress"), PROGRESS)) {
                switch (role) {
                    case "proxy" -> {
                        result.addProperty("pid", proxy.upgrade());
                        gateway.upgrade();
                    }
                    case "agent" -> {
                        result.addProperty("pid", ProcessHandle.current().pid());
                        end = true;
                    }
                    default -> throw new IOException("'" + role + "' cannot be upgraded; expected proxy or agent");
                }
            }
            answer.addProperty("ok", true);
            answer.add("result", result);
        } catch (IOException | JsonParseException | IllegalStateException e) {
            answer.addProperty("ok", false);
            answer.add("error", Json.of("code", "failed", "message", String.valueOf(e.getMessage())));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            answer.addProperty("ok", false);
            answer.add("error", Json.of("code", "unavailable", "message", "the mesh is ending"));
        }
        replies.send(answer.toString());
        if (end) {
            startsNew = true;
            stop.request();
        }
    }

    /** Stops answering. Idempotent. */
    @Override
    public void close() {
        server.close();
    }
}
