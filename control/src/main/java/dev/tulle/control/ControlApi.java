package dev.tulle.control;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.common.LocalApiServer;
import dev.tulle.config.ApplyResult;
import dev.tulle.config.ConfigResource;
import dev.tulle.config.Problem;
import dev.tulle.config.ResourceKey;
import dev.tulle.model.ResourceRef;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The control plane's local API: one JSON object per request and answer. Runs on the connections' threads. */
final class ControlApi implements LocalApiServer.Handler {
    /** How long an apply waits for the connected clients before it answers anyway. */
    private static final Duration WAIT = Duration.ofSeconds(1);

    private static final System.Logger LOG = System.getLogger(ControlApi.class.getName());

    private final ControlPlane plane;

    ControlApi(ControlPlane plane) {
        this.plane = plane;
    }

    @Override
    public void handle(String request, LocalApiServer.Replies replies) throws IOException {
        JsonObject answer = new JsonObject();
        try {
            JsonObject call = parse(request);
            JsonElement params = call.get("params");
            JsonElement result =
                    answer(text(call, "method"), params instanceof JsonObject object ? object : new JsonObject());
            answer.addProperty("ok", true);
            answer.add("result", result);
        } catch (ApiFailure e) {
            answer = failure(e.code(), String.valueOf(e.getMessage()), e.details());
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "a request of the local API failed", e);
            answer = failure("internal", "the control plane failed: " + e, new JsonArray());
        }
        replies.send(answer.toString());
    }

    private static JsonObject parse(String request) throws ApiFailure {
        try {
            return JsonParser.parseString(request).getAsJsonObject();
        } catch (JsonParseException | IllegalStateException e) {
            throw new ApiFailure("bad-request", "expected one JSON object {\"method\", \"params\"}: " + e.getMessage());
        }
    }

    private static JsonObject failure(String code, String message, JsonArray details) {
        JsonObject error = new JsonObject();
        error.addProperty("code", code);
        error.addProperty("message", message);
        error.add("details", details);
        JsonObject answer = new JsonObject();
        answer.addProperty("ok", false);
        answer.add("error", error);
        return answer;
    }

    private JsonElement answer(String method, JsonObject params) throws ApiFailure {
        MeshView view = plane.view();
        return switch (method) {
            case "apply" -> apply(params);
            case "delete" -> delete(params);
            case "get" -> get(view, params);
            case "validate" ->
                problems(plane.directory()
                        .validate(text(params, "content"), text(params, "file"))
                        .problems());
            case "services" -> ControlViews.services(view.state());
            case "workloads" -> RecordJson.of(view.state().workloads().values());
            case "endpoints" -> ControlViews.endpoints(view.state());
            case "routes" -> ControlViews.routes(view.state());
            case "clients" -> ControlViews.clients(plane.clients());
            case "status" -> ControlViews.status(plane);
            case "config-dump" -> RecordJson.of(view.state());
            case "explain" -> Explainer.explain(view.state(), params);
            default -> throw new ApiFailure("unknown-method", "the control plane has no method '" + method + "'");
        };
    }

    private JsonElement apply(JsonObject params) throws ApiFailure {
        String origin = text(params, "origin");
        Set<ResourceKey> before = new HashSet<>();
        plane.view().config().resources().forEach(resource -> before.add(resource.key()));
        ApplyResult result = plane.directory().apply(text(params, "content"), origin.isEmpty() ? "-" : origin);
        plane.metrics().validated(result.isClean());
        plane.metrics().triggered("config");
        boolean wait = !params.has("wait") || params.get("wait").getAsBoolean();
        boolean synced = plane.putInForce(wait ? WAIT : Duration.ZERO);
        JsonArray applied = new JsonArray();
        for (ResourceRef ref : result.applied()) {
            JsonObject resource = RecordJson.object(ref);
            resource.addProperty("action", before.contains(ResourceKey.of(ref)) ? "configured" : "created");
            applied.add(resource);
        }
        JsonArray warnings = new JsonArray();
        List<Problem> errors = new ArrayList<>();
        for (Problem problem : result.problems()) {
            if (problem.isError()) {
                errors.add(problem);
            } else {
                warnings.add(problem.toString());
            }
        }
        if (!errors.isEmpty()) {
            throw new ApiFailure(
                    "invalid",
                    errors.size() + (errors.size() == 1 ? " error" : " errors") + " in "
                            + (origin.isEmpty() ? "the text" : origin)
                            + (applied.isEmpty()
                                    ? "; nothing of it was applied"
                                    : "; " + applied.size() + " other resources of it were applied"),
                    problems(errors));
        }
        JsonObject answer = new JsonObject();
        answer.add("resources", applied);
        answer.add("warnings", warnings);
        answer.addProperty("snapshot", plane.view().number());
        answer.addProperty("synced", synced);
        return answer;
    }

    private JsonElement delete(JsonObject params) throws ApiFailure {
        String namespace = text(params, "namespace");
        ResourceKey key = new ResourceKey(
                text(params, "kind"), namespace.isEmpty() ? "default" : namespace, text(params, "name"));
        try {
            if (!plane.directory().delete(key)) {
                throw new ApiFailure("not-found", "there is no " + key);
            }
        } catch (IOException e) {
            throw new ApiFailure("not-written", key + " cannot be removed from its file: " + e.getMessage());
        }
        plane.metrics().triggered("config");
        JsonObject answer = new JsonObject();
        answer.addProperty("synced", plane.putInForce(WAIT));
        return answer;
    }

    private static JsonElement get(MeshView view, JsonObject params) throws ApiFailure {
        String kind = text(params, "kind");
        String namespace = text(params, "namespace");
        String name = text(params, "name");
        JsonArray resources = ControlViews.resources(
                view,
                (ConfigResource resource) ->
                        (kind.isEmpty() || resource.ref().kind().equalsIgnoreCase(kind))
                                && (namespace.isEmpty() || resource.namespace().equals(namespace))
                                && (name.isEmpty() || resource.name().equals(name)));
        JsonObject answer = new JsonObject();
        answer.add("resources", resources);
        // What is refused is shown with its reason, also where no earlier version is in force.
        List<Problem> about = new ArrayList<>();
        for (Problem problem : view.problems()) {
            String resource = problem.resource();
            if (resource.isEmpty() || (resource.startsWith(kind) && resource.endsWith(name))) {
                about.add(problem);
            }
        }
        answer.add("problems", problems(about));
        return answer;
    }

    static JsonArray problems(List<Problem> problems) {
        return (JsonArray) RecordJson.of(problems);
    }

    static String text(JsonObject object, String name) throws ApiFailure {
        JsonElement element = object.get(name);
        if (element == null || element.isJsonNull()) {
            return "";
        }
        if (!element.isJsonPrimitive()) {
            throw new ApiFailure("bad-request", "'" + name + "' is " + element + "; expected a text");
        }
        return element.getAsString();
    }
}
