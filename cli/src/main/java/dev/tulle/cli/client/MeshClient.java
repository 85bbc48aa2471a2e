package dev.tulle.cli.client;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.common.LocalApiClient;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * Calls to one role of a running mesh over its local socket. Not thread-safe; calls block, but only for a while: a role
 * that says nothing (stopped, or overloaded) is not waited for.
 */
public final class MeshClient implements AutoCloseable {
    /** How long a role may say nothing. One that begins to work on a request tells so, and again every two seconds. */
    private static final Duration SILENCE = Duration.ofSeconds(7);

    /** How long a role may take to let a client in: one that is stopped does so until its queue is full. */
    private static final Duration CONNECT = Duration.ofSeconds(2);

    private final String role;
    private final Path socket;
    private final LocalApiClient connection;
    private final Duration silence;

    private MeshClient(String role, Path socket, LocalApiClient connection, Duration silence) {
        this.role = role;
        this.socket = socket;
        this.connection = connection;
        this.silence = silence;
    }

    /**
     * Connects to the control plane.
     *
     * @throws CommandFailure with status 3 when it cannot be reached
     */
    public static MeshClient control(MeshPlace place) {
        return connect("control plane", place.controlSocket(), SILENCE);
    }

    /** As {@link #control(MeshPlace)}, with another bound on the time that it says nothing. */
    public static MeshClient control(MeshPlace place, Duration silence) {
        return connect("control plane", place.controlSocket(), silence);
    }

    /** As {@link #proxy(MeshPlace)}, with another bound on the time that it says nothing. */
    public static MeshClient proxy(MeshPlace place, Duration silence) {
        return connect("proxy", place.proxySocket(), silence);
    }

    /** Connects to the gateway, as the others. */
    public static MeshClient gateway(MeshPlace place, Duration silence) {
        return connect("gateway", place.gatewaySocket(), silence);
    }

    /** As {@link #agent(MeshPlace)}, with another bound on the time that it says nothing. */
    public static MeshClient agent(MeshPlace place, Duration silence) {
        return connect("agent", place.agentSocket(), silence);
    }

    /**
     * Connects to the node agent.
     *
     * @throws CommandFailure with status 3 when it cannot be reached
     */
    public static MeshClient agent(MeshPlace place) {
        return connect("agent", place.agentSocket(), SILENCE);
    }

    /**
     * Connects to the proxy.
     *
     * @throws CommandFailure with status 3 when it cannot be reached
     */
    public static MeshClient proxy(MeshPlace place) {
        return connect("proxy", place.proxySocket(), SILENCE);
    }

    /**
     * Connects to `tulle up` itself.
     *
     * @throws CommandFailure with status 3 when it cannot be reached
     */
    public static MeshClient up(MeshPlace place) {
        return connect("mesh", place.runDirectory().resolve("up.sock"), SILENCE);
    }

    private static MeshClient connect(String role, Path socket, Duration silence) {
        try {
            LocalApiClient connection = LocalApiClient.connect(socket, CONNECT);
            return new MeshClient(role, socket, connection, CommandStart.less(silence));
        } catch (IOException e) {
            String why;
            // Where the folder may not be looked into it neither exists nor does not.
            if (Files.notExists(socket)) {
                why = "nothing serves " + socket
                        + "; start the mesh with 'tulle up', or name it with --mesh or --run-dir";
            } else if (e instanceof AccessDeniedException || !Files.isWritable(socket)) {
                why = "no permission for " + socket + "; run this command as root, or as a member of the mesh's group";
            } else {
                why = "nobody answers on " + socket + "; the mesh was stopped, hangs, or is starting again";
            }
            throw new CommandFailure(CommandFailure.UNREACHABLE, "cannot reach the " + role + ": " + why);
        }
    }

    /**
     * Sends one request and returns its result.
     *
     * @throws CommandFailure with status 1 when the role says no, 3 when the connection broke
     */
    public JsonElement call(String method, JsonObject params) {
        JsonObject request = new JsonObject();
        request.addProperty("method", method);
        request.add("params", params);
        request.addProperty("progress", true);
        JsonObject answer;
        try {
            answer = converse(method, request.toString());
        } catch (IOException | JsonParseException | IllegalStateException e) {
            throw new CommandFailure(
                    CommandFailure.UNREACHABLE,
                    "lost the " + role + " at " + socket + " during '" + method + "': " + e.getMessage());
        }
        if (Json.bool(answer, "ok")) {
            JsonElement result = answer.get("result");
            return result == null ? JsonNull.INSTANCE : result;
        }
        JsonElement error = answer.get("error");
        if (error == null || !error.isJsonObject()) {
            throw new CommandFailure(CommandFailure.NO, "the " + role + " refused '" + method + "' without a reason");
        }
        throw new CommandFailure(
                CommandFailure.NO, Json.text(error.getAsJsonObject(), "message"), details(error.getAsJsonObject()));
    }

    /** Sends a request and reads to its answer, past the lines that only say that it is being worked on. */
    private JsonObject converse(String method, String request) throws IOException {
        AtomicLong heard = new AtomicLong(System.nanoTime());
        AtomicBoolean done = new AtomicBoolean();
        AtomicBoolean silent = new AtomicBoolean();
        boolean begun = false;
        Thread watch = Thread.ofVirtual().name("silence").start(() -> {
            while (!done.get() && System.nanoTime() - heard.get() < silence.toNanos()) {
                LockSupport.parkNanos(silence.toNanos() - (System.nanoTime() - heard.get()));
            }
            if (!done.get()) {
                silent.set(true);
                close();
            }
        });
        try {
            connection.send(request);
            while (true) {
                String line = connection.receive();
                if (line == null) {
                    throw new IOException("the server closed the connection without an answer");
                }
                heard.set(System.nanoTime());
                JsonObject answer = JsonParser.parseString(line).getAsJsonObject();
                if (!Json.bool(answer, "progress")) {
                    return answer;
                }
                begun = true;
            }
        } catch (IOException e) {
            if (silent.get()) {
                throw new CommandFailure(
                        CommandFailure.UNREACHABLE,
                        "the " + role + " at " + socket + " did not answer '" + method + "' within "
                                + Math.max(1, silence.toSeconds()) + " s: it is stopped or overloaded; "
                                + (begun
                                        ? "it had begun, and what it does is not known"
                                        : "it had not begun, and does nothing for a command that has ended"));
            }
            throw e;
        } finally {
            done.set(true);
            LockSupport.unpark(watch);
        }
    }

    /** As {@link #call}, for results that are objects. */
    public JsonObject object(String method, JsonObject params) {
        JsonElement result = call(method, params);
        if (!result.isJsonObject()) {
            throw new CommandFailure(
                    CommandFailure.UNREACHABLE, "the " + role + " answered '" + method + "' with no object: " + result);
        }
        return result.getAsJsonObject();
    }

    private static List<String> details(JsonObject error) {
        List<String> lines = new ArrayList<>();
        JsonElement details = error.get("details");
        if (details instanceof JsonArray array) {
            for (JsonElement detail : array) {
                lines.add(detail.isJsonObject() ? Problems.line(detail.getAsJsonObject()) : Json.plain(detail));
            }
        }
        return lines;
    }

    @Override
    public void close() {
        try {
            connection.close();
        } catch (IOException e) {
            // The command has its answer already; there is nothing left to lose on this connection.
            return;
        }
    }
}
