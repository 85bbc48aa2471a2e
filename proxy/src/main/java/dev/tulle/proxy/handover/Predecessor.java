package dev.tulle.proxy.handover;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.tulle.common.LocalApiClient;
import dev.tulle.common.LocalApiServer;
import io.netty.channel.EventLoopGroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Another proxy process of the same mesh, as seen through its socket in the hand-over directory. Any thread. */
public final class Predecessor {
    static final String API = ".sock";
    static final String SOCKETS = ".fds";

    /** Other sockets of the folder, as that of the admin pages, are no processes. */
    private static final Pattern NAME = Pattern.compile("[0-9]+" + Pattern.quote(API));

    private static final Duration PATIENCE = Duration.ofSeconds(5);

    /** Characters of an answer, but for metrics. */
    private static final int LONGEST = 1 << 14;

    private final Path api;
    private final Path sockets;
    private final long pid;
    private final String state;

    private Predecessor(Path api, long pid, String state) {
        this.api = api;
        String name = String.valueOf(api.getFileName());
        this.sockets = api.resolveSibling(name.substring(0, name.length() - API.length()) + SOCKETS);
        this.pid = pid;
        this.state = state;
    }

    /** All other processes that live; the socket files of dead ones are removed. */
    public static List<Predecessor> all(Path directory) throws IOException {
        List<Predecessor> found = new ArrayList<>();
        if (!Files.isDirectory(directory)) {
            return found;
        }
        List<Path> files;
        try (Stream<Path> listed = Files.list(directory)) {
            files = listed.filter(file ->
                            NAME.matcher(String.valueOf(file.getFileName())).matches())
                    .sorted()
                    .toList();
        }
        for (Path file : files) {
            if (file.equals(own(directory, API))) {
                continue;
            }
            try {
                Status status = Status.of(ask(file, "status", new JsonObject()));
                found.add(new Predecessor(file, status.pid(), status.state()));
            } catch (IOException e) {
                removeDead(file);
            }
        }
        return found;
    }

    /** The one that serves; empty when none does. */
    public static Optional<Predecessor> serving(Path directory) throws IOException {
        return all(directory).stream()
                .filter(other -> other.state.equals(HandOver.SERVING))
                .findFirst();
    }

    /** The state of one process: {@code starting}, {@code serving} or {@code draining}; empty when it does not answer. */
    public static Optional<String> stateOf(Path directory, long pid) {
        try {
            return Optional.of(Status.of(ask(directory.resolve(pid + API), "status", new JsonObject()))
                    .state());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static void removeDead(Path file) throws IOException {
        String name = String.valueOf(file.getFileName());
        String pid = name.substring(0, name.length() - API.length());
        if (!Files.exists(Path.of("/proc", pid))) {
            Files.deleteIfExists(file);
            Files.deleteIfExists(file.resolveSibling(pid + SOCKETS));
        }
    }

    static Path own(Path directory, String suffix) {
        return directory.resolve(ProcessHandle.current().pid() + suffix);
    }

    long pid() {
        return pid;
    }

    boolean isServing() {
        return state.equals(HandOver.SERVING);
    }

    boolean isStarting() {
        return state.equals(HandOver.STARTING);
    }

    /**
     * Takes its listening sockets; it goes on accepting until {@link #retire}.
     *
     * @throws IOException when it does not give them
     */
    public Inheritance sockets(EventLoopGroup group) throws IOException {
        return new Inheritance(PassedSockets.take(group, sockets));
    }

    /**
     * Makes it stop accepting, free its ports and drain.
     *
     * @throws IOException when it does not answer
     */
    public void retire() throws IOException {
        ask(api, "retire", new JsonObject());
    }

    /** Its metrics now. */
    String metrics() throws IOException {
        if (ask(api, "metrics", new JsonObject()).get("text") instanceof JsonPrimitive text) {
            return text.getAsString();
        }
        throw new IOException(api + ": metrics: no answer of a proxy");
    }

    /** Leaves it the last metrics of a process that ends. */
    void bequeath(long from, String metrics) throws IOException {
        JsonObject params = new JsonObject();
        params.addProperty("pid", from);
        params.addProperty("text", metrics);
        ask(api, "inherit", params);
    }

    /** Root asks too, and whoever took over the proxy's user can answer: an answer is short, in time and as expected. */
    private static JsonObject ask(Path socket, String method, JsonObject params) throws IOException {
        JsonObject request = new JsonObject();
        request.addProperty("method", method);
        request.add("params", params);
        int longest = method.equals("metrics") ? LocalApiServer.MAX_LINE : LONGEST;
        String answer = LocalApiClient.ask(socket, request.toString(), longest, PATIENCE);
        try {
            return result(answer);
        } catch (IOException e) {
            throw new IOException(socket + ": " + method + ": " + e.getMessage(), e);
        }
    }

    /**
     * What a line that answers holds.
     *
     * @throws IOException when it is a refusal, or nothing that a proxy says
     */
    static JsonObject result(String answer) throws IOException {
        try {
            @Nullable
            JsonObject result = JsonParser.parseString(answer).getAsJsonObject().getAsJsonObject("result");
            if (result != null) {
                return result;
            }
        } catch (RuntimeException e) {
            throw new IOException("no answer of a proxy", e);
        }
        throw new IOException("it refuses: " + answer);
    }

    /** What a process says of itself. */
    record Status(long pid, String state) {
        /**
         * Reads the result of the question.
         *
         * @throws IOException when it is none
         */
        static Status of(JsonObject result) throws IOException {
            try {
                return new Status(
                        result.get("pid").getAsLong(), result.get("state").getAsString());
            } catch (RuntimeException e) {
                throw new IOException("no status of a proxy: " + e.getMessage(), e);
            }
        }
    }
}
