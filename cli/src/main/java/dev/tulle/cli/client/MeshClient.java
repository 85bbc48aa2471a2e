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
import java.util.ArrayList;
import java.util.List;

/** Calls to one role of a running mesh over its local socket. Not thread-safe; calls block. */
public final class MeshClient implements AutoCloseable {
    private final String role;
    private final Path socket;
    private final LocalApiClient connection;

    private MeshClient(String role, Path socket, LocalApiClient connection) {
        this.role = role;
        this.socket = socket;
        this.connection = connection;
    }

    /**
     * Connects to the control plane.
     *
     * @throws CommandFailure with status 3 when it cannot be reached
     */
    public static MeshClient control(MeshPlace place) {
        return connect("control plane", place.controlSocket());
    }

    /**
     * Connects to the node agent.
     *
     * @throws CommandFailure with status 3 when it cannot be reached
     */
    public static MeshClient agent(MeshPlace place) {
        return connect("agent", place.agentSocket());
    }

    /**
     * Connects to `tulle up` itself.
     *
     * @throws CommandFailure with status 3 when it cannot be reached
     */
    public static MeshClient up(MeshPlace place) {
        return connect("mesh", place.runDirectory().resolve("up.sock"));
    }

    private static MeshClient connect(String role, Path socket) {
        try {
            return new MeshClient(role, socket, LocalApiClient.connect(socket));
        } catch (IOException e) {
            String why;
            if (!Files.exists(socket)) {
                why = "nothing serves " + socket
                        + "; start the mesh with 'tulle up', or name it with --mesh or --run-dir";
            } else if (e instanceof AccessDeniedException || !Files.isWritable(socket)) {
                why = "no permission for " + socket + "; run this command as root";
            } else {
                why = "nobody answers on " + socket + "; the mesh was stopped or is starting again";
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
        JsonObject answer;
        try {
            answer = JsonParser.parseString(connection.call(request.toString())).getAsJsonObject();
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
