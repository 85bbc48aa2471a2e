package dev.tulle.control;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.tulle.common.LocalApiProgress;
import dev.tulle.common.LocalApiServer;
import dev.tulle.config.ApplyResult;
import dev.tulle.config.ConfigDirectory;
import dev.tulle.config.ConfigResource;
import dev.tulle.config.KindNames;
import dev.tulle.config.Problem;
import dev.tulle.config.ResourceKey;
import dev.tulle.control.join.Nodes;
import dev.tulle.model.ResourceRef;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** The control plane's local API: one JSON object per request and answer. Runs on the connections' threads. */
final class ControlApi implements LocalApiServer.Handler {
    /** How long a change waits for the clients' answers before it says who did not answer, unless the caller says. */
    private static final Duration WAIT = Duration.ofSeconds(8);

    private static final Duration LONGEST_WAIT = Duration.ofMinutes(10);

    /** How long a caller is told that its request is being worked on. */
    private static final Duration PROGRESS = LONGEST_WAIT.plusMinutes(1);

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
            JsonElement result;
            try (LocalApiProgress _ = LocalApiProgress.begin(replies, wantsProgress(call), PROGRESS)) {
                result = answer(text(call, "method"), params instanceof JsonObject object ? object : new JsonObject());
            }
            answer.addProperty("ok", true);
            answer.add("result", result);
        } catch (ApiFailure e) {
            answer = failure(e.code(), String.valueOf(e.getMessage()), e.details());
        } catch (UnsupportedOperationException | ClassCastException | NumberFormatException e) {
            // JSON of another shape than the method's parameters: what anybody may send is no line of the log.
            answer = failure("bad-request", "the parameters cannot be used: " + e.getMessage(), new JsonArray());
        } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
            LOG.log(System.Logger.Level.ERROR, "a request of the local API failed", e);
            answer = failure("internal", "the control plane failed: " + e, new JsonArray());
        }
        replies.send(answer.toString());
    }

    private static boolean wantsProgress(JsonObject call) {
        return call.get("progress") instanceof JsonPrimitive word && word.isBoolean() && word.getAsBoolean();
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
            case "nodes" -> RecordJson.of(plane.nodeViews());
            case "node-remove" -> removeNode(params);
            case "token-create" -> createToken(params);
            case "certificates" -> plane.certificates().show();
            case "certificate-revoke" -> plane.certificates().revoke(params);
            case "certificate-rotate" -> plane.certificates().rotate();
            case "config-dump" -> RecordJson.of(view.state());
            case "explain" -> Explainer.explain(view.state(), plane.ended(), params);
            default -> throw new ApiFailure("unknown-method", "the control plane has no method '" + method + "'");
        };
    }

    private JsonElement apply(JsonObject params) throws ApiFailure {
        MeshView before = plane.view();
        Set<ResourceKey> known = new HashSet<>();
        before.config().resources().forEach(resource -> known.add(resource.key()));
        Manifests given = Manifests.of(params);
        List<Problem> doubts = doubts(given);
        if (params.has("strict") && params.get("strict").getAsBoolean() && !doubts.isEmpty()) {
            throw new ApiFailure(
                    "invalid",
                    doubts.size() + (doubts.size() == 1 ? " warning" : " warnings") + " in " + given.shown()
                            + ", which --strict refuses; nothing of it was applied",
                    problems(doubts));
        }
        ApplyResult result = plane.directory().apply(given.texts());
        plane.metrics().validated(result.isClean());
        plane.metrics().triggered("config");
        boolean wait = !text(params, "wait").equals("false");
        Uptake uptake = plane.putInForce(before.state(), wait ? patience(params) : Duration.ZERO);
        Set<ResourceKey> objects = earlier(params);
        JsonArray applied = new JsonArray();
        for (ResourceRef ref : result.applied()) {
            ResourceKey key = ResourceKey.of(ref);
            objects.add(key);
            JsonObject resource = RecordJson.object(ref);
            resource.addProperty("action", known.contains(key) ? "configured" : "created");
            if (wait) {
                uptake.describe(key, resource);
            }
            applied.add(resource);
        }
        Set<String> told = new LinkedHashSet<>();
        List<Problem> errors = new ArrayList<>();
        for (Problem problem : result.problems()) {
            if (problem.isError()) {
                errors.add(problem);
            } else {
                told.add(problem.toString());
            }
        }
        doubts.forEach(problem -> told.add(problem.toString()));
        JsonArray warnings = new JsonArray();
        told.forEach(warnings::add);
        if (!errors.isEmpty()) {
            throw new ApiFailure(
                    "invalid",
                    errors.size() + (errors.size() == 1 ? " error" : " errors") + " in " + given.shown()
                            + (applied.isEmpty()
                                    ? "; nothing of it was applied"
                                    : "; " + applied.size() + " other resources of it were applied"),
                    problems(errors));
        }
        JsonObject answer = new JsonObject();
        answer.add("resources", applied);
        answer.add("warnings", warnings);
        answer.addProperty("snapshot", plane.view().number());
        uptake(answer, uptake, objects, wait);
        return answer;
    }

    private JsonElement createToken(JsonObject params) throws ApiFailure {
        String seconds = text(params, "ttlSeconds");
        try {
            Nodes.Issued issued = plane.createToken(
                    text(params, "node"), Duration.ofSeconds(seconds.isEmpty() ? 3_600 : Long.parseLong(seconds)));
            JsonObject answer = new JsonObject();
            answer.addProperty("token", issued.text());
            answer.addProperty("until", issued.until().toString());
            answer.addProperty("port", plane.options().ports().node());
            return answer;
        } catch (IOException e) {
            throw new ApiFailure("failed", "no token is made: " + e.getMessage());
        }
    }

    private JsonElement removeNode(JsonObject params) throws ApiFailure {
        String name = text(params, "name");
        try {
            if (!plane.removeNode(name)) {
                throw new ApiFailure("not-found", "no node '" + name + "' has joined; see tulle nodes");
            }
            return new JsonObject();
        } catch (IOException e) {
            throw new ApiFailure("not-written", "node " + name + " stays: " + e.getMessage());
        }
    }

    private static Duration patience(JsonObject params) throws ApiFailure {
        if (!params.has("timeoutSeconds")) {
            return WAIT;
        }
        long seconds = params.get("timeoutSeconds").getAsLong();
        if (seconds < 0 || seconds > LONGEST_WAIT.toSeconds()) {
            throw new ApiFailure(
                    "bad-request", "timeoutSeconds: found " + seconds + ", expected 0 to " + LONGEST_WAIT.toSeconds());
        }
        return Duration.ofSeconds(seconds);
    }

    /** Warnings about the given texts, seen from the whole mesh as it would be with them. */
    private List<Problem> doubts(Manifests given) {
        Set<String> files = new HashSet<>();
        given.texts().forEach(text -> files.add(text.origin()));
        Set<Problem> all = new LinkedHashSet<>();
        plane.directory().validate(given.texts()).problems().stream()
                .filter(problem -> !problem.isError())
                .forEach(all::add);
        plane.preview(plane.directory().preview(given.texts())).stream()
                .filter(problem -> files.contains(problem.file()))
                .forEach(all::add);
        return List.copyOf(all);
    }

    /** The objects of the requests that went before this one and were not waited for. */
    private static Set<ResourceKey> earlier(JsonObject params) throws ApiFailure {
        Set<ResourceKey> objects = new LinkedHashSet<>();
        if (params.get("also") instanceof JsonArray given) {
            for (JsonElement element : given) {
                if (element instanceof JsonObject object) {
                    objects.add(new ResourceKey(text(object, "kind"), text(object, "namespace"), text(object, "name")));
                }
            }
        }
        return objects;
    }

    /** Whether everybody enforces a change, and who does not. */
    private static void uptake(JsonObject answer, Uptake uptake, Set<ResourceKey> objects, boolean waited) {
        JsonArray shortfalls = new JsonArray();
        uptake.shortfalls(objects).forEach(shortfalls::add);
        answer.addProperty("synced", waited && shortfalls.isEmpty());
        answer.add("notEnforced", shortfalls);
    }

    /** The texts of an apply: {@code manifests}, each with content and origin, or one content and origin. */
    private record Manifests(List<ConfigDirectory.Text> texts) {
        static Manifests of(JsonObject params) throws ApiFailure {
            List<ConfigDirectory.Text> texts = new ArrayList<>();
            if (params.get("manifests") instanceof JsonArray given) {
                for (JsonElement element : given) {
                    texts.add(textOf(element instanceof JsonObject object ? object : new JsonObject()));
                }
            } else {
                texts.add(textOf(params));
            }
            return new Manifests(List.copyOf(texts));
        }

        private static ConfigDirectory.Text textOf(JsonObject object) throws ApiFailure {
            String origin = text(object, "origin");
            return new ConfigDirectory.Text(origin.isEmpty() ? "-" : origin, text(object, "content"));
        }

        String shown() {
            return texts.size() == 1 ? texts.getFirst().origin().replace("-", "the text") : texts.size() + " files";
        }
    }

    private JsonElement delete(JsonObject params) throws ApiFailure {
        MeshView before = plane.view();
        List<ResourceKey> keys = meant(params);
        ResourceKey key = keys.getFirst();
        try {
            // One that is not in force may be in a file all the same.
            while (!plane.directory().delete(key)) {
                int next = keys.indexOf(key) + 1;
                if (next == keys.size()) {
                    throw new ApiFailure("not-found", "there is no " + keys.getFirst());
                }
                key = keys.get(next);
            }
        } catch (IOException e) {
            throw new ApiFailure("not-written", key + " cannot be removed from its file: " + e.getMessage());
        }
        plane.metrics().triggered("config");
        JsonObject answer = new JsonObject();
        answer.addProperty("deleted", key.toString());
        uptake(answer, plane.putInForce(before.state(), patience(params)), Set.of(key), true);
        return answer;
    }

    /**
     * The resources that may be named, one that is in force first. Kinds of two groups may be written alike: where both are in
     * force the group has to be said.
     */
    private List<ResourceKey> meant(JsonObject params) throws ApiFailure {
        String kind = text(params, "kind");
        String namespace = text(params, "namespace");
        List<ResourceKey> keys = new ArrayList<>(
                KindNames.keys(kind, namespace.isEmpty() ? "default" : namespace, text(params, "name")));
        if (keys.isEmpty()) {
            throw new ApiFailure(
                    "not-found",
                    "there is no kind '" + kind + "'; expected one of " + String.join(", ", KindNames.written()));
        }
        List<ResourceKey> held = keys.stream()
                .filter(key -> plane.directory().get(key).isPresent())
                .toList();
        if (held.size() > 1) {
            throw new ApiFailure(
                    "ambiguous",
                    "found " + held.getFirst() + " and " + held.getLast()
                            + ", expected the group as well, such as gateways.networking.istio.io");
        }
        keys.removeAll(held);
        keys.addAll(0, held);
        return keys;
    }

    private JsonElement get(MeshView view, JsonObject params) throws ApiFailure {
        String kind = text(params, "kind");
        String namespace = text(params, "namespace");
        String name = text(params, "name");
        List<String> meant = KindNames.meant(kind);
        JsonArray resources = ControlViews.resources(
                view,
                plane.stands(),
                (ConfigResource resource) ->
                        (kind.isEmpty() || meant.contains(resource.ref().kind()))
                                && (namespace.isEmpty()
                                        || resource.namespace().isEmpty()
                                        || resource.namespace().equals(namespace))
                                && (name.isEmpty() || resource.name().equals(name)));
        JsonObject answer = new JsonObject();
        answer.add("resources", resources);
        // What is refused is shown with its reason, also where no earlier version is in force.
        List<Problem> about = new ArrayList<>();
        for (Problem problem : view.problems()) {
            String resource = problem.resource();
            boolean ofKind = kind.isEmpty() || meant.stream().anyMatch(known -> resource.startsWith(known + " "));
            if (resource.isEmpty() || (ofKind && resource.endsWith(name))) {
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
