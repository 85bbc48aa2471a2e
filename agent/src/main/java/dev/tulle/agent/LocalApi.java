package dev.tulle.agent;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.tulle.agent.enrol.RefusedException;
import dev.tulle.common.LocalApiProgress;
import dev.tulle.common.LocalApiServer;
import java.io.IOException;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;

/**
 * Requests and answers of the local API as JSON: a request is {@code {"method": …, "params": {…}}}, an answer {@code
 * {"ok": true, "result": …}} or {@code {"ok": false, "error": {"code": …, "message": …}}}. Thread-safe.
 */
final class LocalApi implements LocalApiServer.Handler {
    private static final Gson GSON =
            new GsonBuilder().disableHtmlEscaping().serializeNulls().create();
    private static final System.Logger LOG = System.getLogger(LocalApi.class.getName());

    /** How long a caller that asks for it is told that its request is being worked on: a process starts in less. */
    private static final Duration PROGRESS = Duration.ofSeconds(60);

    private final Map<String, Method> methods;

    LocalApi(Map<String, Method> methods) {
        this.methods = Map.copyOf(methods);
    }

    /** One method. */
    interface Method {
        /**
         * Answers.
         *
         * @param stream sends further answers, for a method that goes on
         * @throws Exception a {@link RefusedException} for whoever asked, anything else is a defect
         */
        JsonElement call(JsonObject params, Stream stream) throws Exception;
    }

    /** Sends answers of a method that goes on. */
    @FunctionalInterface
    interface Stream {
        /** Sends one more answer. */
        void send(JsonElement result) throws IOException;

        /** True when root asks. */
        default boolean isForOwner() {
            return false;
        }
    }

    @Override
    public void handle(String request, LocalApiServer.Replies replies) throws IOException {
        String name = "";
        try {
            if (!(JsonParser.parseString(request) instanceof JsonObject message)) {
                replies.send(error("invalid", "the request is no JSON object"));
                return;
            }
            name = message.get("method") instanceof JsonPrimitive word ? word.getAsString() : "";
            Method method = methods.get(name);
            if (method == null) {
                replies.send(error(
                        "unknown-method",
                        "unknown method '" + name + "'; expected one of " + new TreeSet<>(methods.keySet())));
                return;
            }
            JsonObject params = message.has("params") && message.get("params").isJsonObject()
                    ? message.getAsJsonObject("params")
                    : new JsonObject();
            JsonElement answer;
            try (LocalApiProgress _ = LocalApiProgress.begin(replies, wantsProgress(message), PROGRESS)) {
                answer = method.call(params, stream(replies));
            }
            replies.send(result(answer));
        } catch (RefusedException e) {
            replies.send(error(e.code().name().toLowerCase(Locale.ROOT).replace('_', '-'), e.getMessage()));
        } catch (JsonParseException e) {
            replies.send(error("invalid", "the request is no usable JSON: " + e.getMessage()));
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, name + ": " + e);
            replies.send(error("failed", String.valueOf(e.getMessage())));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            replies.send(error("unavailable", "the agent is ending"));
        } catch (Exception e) {
            LOG.log(System.Logger.Level.ERROR, name + " failed", e);
            replies.send(error("failed", String.valueOf(e.getMessage())));
        }
    }

    private static boolean wantsProgress(JsonObject message) {
        return message.get("progress") instanceof JsonPrimitive word && word.isBoolean() && word.getAsBoolean();
    }

    private static Stream stream(LocalApiServer.Replies replies) {
        return new Stream() {
            @Override
            public void send(JsonElement result) throws IOException {
                replies.send(result(result));
            }

            @Override
            public boolean isForOwner() {
                return replies.areForOwner();
            }
        };
    }

    private static String result(JsonElement result) {
        JsonObject answer = new JsonObject();
        answer.addProperty("ok", true);
        answer.add("result", result);
        return GSON.toJson(answer);
    }

    private static String error(String code, String message) {
        JsonObject error = new JsonObject();
        error.addProperty("code", code);
        error.addProperty("message", message);
        JsonObject answer = new JsonObject();
        answer.addProperty("ok", false);
        answer.add("error", error);
        return GSON.toJson(answer);
    }
}
