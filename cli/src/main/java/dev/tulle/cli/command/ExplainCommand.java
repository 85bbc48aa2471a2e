package dev.tulle.cli.command;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What the mesh would do with a connection or request, step by step, and the object behind each step. */
@Command(
        name = "explain",
        description = "Shows, step by step, what the mesh does with a request, and the object behind each step.")
public final class ExplainCommand extends BaseCommand {
    /** How long each role may take. */
    private static final Duration ANSWER = Duration.ofSeconds(4);

    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Option(
            names = "--from",
            required = true,
            paramLabel = "WORKLOAD",
            description = "Who calls: [NAMESPACE/]NAME, or outside: a caller at the gateway.")
    @SuppressWarnings("NullAway.Init") // set by picocli: the option is required
    private String from;

    @Option(
            names = "--to",
            required = true,
            paramLabel = "URL|HOST:PORT",
            description = "What is called: http://reviews:9080/path or reviews:9080.")
    @SuppressWarnings("NullAway.Init") // set by picocli: the option is required
    private String to;

    @Option(names = "--method", paramLabel = "M", description = "The request's method. Default: GET.")
    private String method = "GET";

    @Option(names = "--header", paramLabel = "K:V", description = "A header of the request; repeatable.")
    private List<String> headers = new ArrayList<>();

    @Mixin
    private final Output output = new Output();

    /** Makes the command. */
    public ExplainCommand() {}

    @Override
    public Integer call() {
        JsonObject params = Json.of("from", from, "to", to, "method", method, "headers", headerObject());
        JsonObject explanation;
        try (MeshClient control = MeshClient.control(place, ANSWER)) {
            explanation = control.object("explain", params);
        }
        addPath(explanation);
        output.print(out(), explanation, () -> text(explanation));
        return Json.bool(explanation, "refused") ? CommandFailure.NO : 0;
    }

    private JsonObject headerObject() {
        JsonObject object = new JsonObject();
        for (String header : headers) {
            int colon = header.indexOf(':');
            if (colon < 1) {
                throw new CommandFailure(
                        CommandFailure.USAGE, "--header: '" + header + "' has no name; expected NAME:VALUE");
            }
            object.addProperty(
                    header.substring(0, colon).trim().toLowerCase(java.util.Locale.ROOT),
                    header.substring(colon + 1).trim());
        }
        return object;
    }

    /** The agent's part: what the kernel does with the connection. */
    private void addPath(JsonObject explanation) {
        JsonElement address = explanation.get("address");
        if (address == null || !address.isJsonPrimitive()) {
            return;
        }
        try (MeshClient agent = MeshClient.agent(place, ANSWER)) {
            explanation.add(
                    "kernel",
                    agent.call(
                            "explain-path",
                            Json.of(
                                    "from",
                                    enrolled(explanation),
                                    "address",
                                    address.getAsString(),
                                    "port",
                                    Json.number(explanation, "port"),
                                    "route",
                                    Json.text(explanation, "routeName"),
                                    "endpoints",
                                    endpoints(explanation))));
            closed(explanation);
        } catch (CommandFailure failure) {
            explanation.add("kernel", Json.of("trouble", failure.getMessage()));
        }
    }

    /** The endpoints of which it is to be found out whether anything listens. */
    private static String endpoints(JsonObject explanation) {
        if (Json.bool(explanation, "datagrams")) {
            return "";
        }
        return Json.objects(explanation, "endpoints").stream()
                .map(endpoint -> Json.text(endpoint, "address") + " " + Json.text(endpoint, "port"))
                .distinct()
                .collect(Collectors.joining(","));
    }

    /** Adds what the agent found where nothing listens; when that is everywhere, the answer is no. */
    private static void closed(JsonObject explanation) {
        List<String> closed =
                ApplyCommand.texts(Json.object(explanation, "kernel").get("closed"));
        if (closed.isEmpty()) {
            return;
        }
        JsonArray steps = explanation.getAsJsonArray("steps");
        closed.forEach(endpoint -> steps.add(Json.of(
                "step",
                "listener",
                "decision",
                "nothing listens on " + endpoint + ": connections to it are refused",
                "origin",
                "")));
        long all = Json.objects(explanation, "endpoints").stream().distinct().count();
        if (closed.size() >= all) {
            explanation.addProperty("refused", true);
        }
    }

    /** Namespace and name of the calling workload: the end of its uid, for a service's name may have been given. */
    private String enrolled(JsonObject explanation) {
        String uid = Json.text(explanation, "workload");
        int slash = uid.lastIndexOf('/', Math.max(0, uid.lastIndexOf('/') - 1));
        return slash < 0 ? from : uid.substring(slash + 1);
    }

    /** Two lines a step: what was decided, and below it the object behind it. */
    private static String text(JsonObject explanation) {
        StringBuilder text = new StringBuilder();
        for (JsonObject step : Json.objects(explanation, "steps")) {
            append(text, Json.text(step, "step"), Json.text(step, "decision"), Json.text(step, "origin"));
        }
        JsonObject kernel = Json.object(explanation, "kernel");
        for (JsonObject step : Json.objects(kernel, "steps")) {
            // The workload stands at the top already, as the control plane knows it.
            if (!Json.text(step, "step").equals("workload")) {
                append(
                        text,
                        "kernel " + Json.text(step, "step"),
                        Json.text(step, "decision"),
                        Json.text(step, "origin"));
            }
        }
        if (kernel.has("trouble")) {
            append(text, "kernel", "not known: " + Json.text(kernel, "trouble"), "");
        }
        text.append(Json.bool(explanation, "refused") ? "refused\n" : "");
        return text.toString();
    }

    private static void append(StringBuilder text, String step, String decision, String origin) {
        text.append(String.format(java.util.Locale.ROOT, "%-12s %s%n", step, decision));
        if (!origin.isEmpty()) {
            text.append(" ".repeat(15)).append(origin).append('\n');
        }
    }
}
