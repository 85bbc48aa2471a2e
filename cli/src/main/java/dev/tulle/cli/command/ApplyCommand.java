package dev.tulle.cli.command;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Gives configuration to the control plane; returns when the connected clients have it. */
@Command(
        name = "apply",
        description = "Gives configuration to the mesh. Status 0 means that every connected client enforces it; a wrong"
                + " resource is refused with its place, the others of the file apply.")
public final class ApplyCommand extends BaseCommand {
    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Option(
            names = {"-f", "--file"},
            required = true,
            arity = "1..*",
            paramLabel = "FILE|DIR|-",
            description = "What to apply: files, the files of a directory, or standard input.")
    private List<String> files = new ArrayList<>();

    @Option(names = "--strict", description = "Applies nothing that there is a warning about.")
    private boolean strict;

    @Mixin
    private final TimeoutOption timeout = new TimeoutOption();

    @Mixin
    private final Output output = new Output();

    /** Makes the command. */
    public ApplyCommand() {}

    @Override
    public Integer call() {
        JsonArray results = new JsonArray();
        List<String> refused = new ArrayList<>();
        List<String> shortfalls = new ArrayList<>();
        try (MeshClient control = MeshClient.control(place)) {
            List<List<Manifests.Manifest>> batches = Manifests.batches(Manifests.read(files));
            for (int i = 0; i < batches.size(); i++) {
                // The clients are waited for once: after the last batch they must have all of them.
                boolean last = i + 1 == batches.size();
                try {
                    JsonObject result = control.object("apply", params(batches.get(i), results, last));
                    results.add(result);
                    if (last) {
                        shortfalls.addAll(texts(result.get("notEnforced")));
                    }
                } catch (CommandFailure failure) {
                    if (failure.status() != CommandFailure.NO) {
                        throw failure;
                    }
                    refused.add(failure.getMessage());
                    refused.addAll(failure.details());
                }
            }
        }
        output.print(out(), results, () -> text(results));
        if (!refused.isEmpty()) {
            refused.addAll(shortfalls);
            throw new CommandFailure(CommandFailure.NO, "not everything was applied:", refused);
        }
        Shortfalls.check(shortfalls);
        if (isNothing(results)) {
            throw new CommandFailure(CommandFailure.NO, "nothing to apply: no object in " + String.join(", ", files));
        }
        return 0;
    }

    private JsonObject params(List<Manifests.Manifest> batch, JsonArray earlier, boolean wait) {
        JsonArray manifests = new JsonArray();
        batch.forEach(manifest -> manifests.add(Json.of("content", manifest.content(), "origin", manifest.name())));
        JsonArray also = new JsonArray();
        Json.objects(earlier)
                .forEach(result -> Json.objects(result, "resources").forEach(also::add));
        return timeout.into(Json.of("manifests", manifests, "also", also, "wait", wait, "strict", strict));
    }

    private static boolean isNothing(JsonArray results) {
        return Json.objects(results).stream()
                .allMatch(result -> Json.objects(result, "resources").isEmpty()
                        && texts(result.get("warnings")).isEmpty());
    }

    private static String text(JsonArray results) {
        StringBuilder text = new StringBuilder();
        for (JsonElement result : results) {
            if (result instanceof JsonObject object) {
                for (JsonObject resource : Json.objects(object, "resources")) {
                    String action = Json.text(resource, "action");
                    text.append(action.isEmpty() ? "applied" : action)
                            .append(' ')
                            .append(Json.text(resource, "kind"))
                            .append(' ')
                            .append(Json.text(resource, "namespace"))
                            .append(Json.text(resource, "namespace").isEmpty() ? "" : "/")
                            .append(Json.text(resource, "name"))
                            .append('\n');
                }
                for (String warning : texts(object.get("warnings"))) {
                    text.append(warning).append('\n');
                }
            }
        }
        return text.toString();
    }

    static List<String> texts(@org.jspecify.annotations.Nullable JsonElement array) {
        List<String> texts = new ArrayList<>();
        if (array instanceof JsonArray elements) {
            elements.forEach(element -> texts.add(Json.plain(element)));
        }
        return texts;
    }
}
