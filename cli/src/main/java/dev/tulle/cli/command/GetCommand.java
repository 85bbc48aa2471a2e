package dev.tulle.cli.command;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.output.Table;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Shows the configuration that the control plane holds. */
@Command(name = "get", description = "Shows configuration objects.")
public final class GetCommand extends BaseCommand {
    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Mixin
    private final NamespaceOptions namespace = new NamespaceOptions();

    @Mixin
    private final Output output = new Output();

    @Parameters(index = "0", paramLabel = "KIND", description = "For example virtualservice, httproute, ap, service.")
    @SuppressWarnings("NullAway.Init") // set by picocli: the parameter is required
    private String kind;

    @Parameters(index = "1", arity = "0..1", paramLabel = "NAME", description = "Only this object.")
    private @Nullable String name;

    /** Makes the command. */
    public GetCommand() {}

    @Override
    public Integer call() {
        JsonObject params = Json.of("kind", Resources.kind(kind), "name", name == null ? "" : name);
        String only = namespace.selected();
        if (only != null) {
            params.addProperty("namespace", only);
        }
        JsonElement result;
        try (MeshClient control = MeshClient.control(place)) {
            result = control.call("get", params);
        }
        JsonArray resources = new JsonArray();
        for (JsonObject resource : Json.objects(ListCommands.elements(result, "resources"))) {
            // A kind whose objects are in no namespace is shown whichever is asked for.
            String of = Json.text(resource, "namespace");
            if (only == null || of.isEmpty() || of.equals(only)) {
                resources.add(resource);
            }
        }
        if (name != null && resources.isEmpty()) {
            throw new CommandFailure(
                    CommandFailure.NO,
                    "no " + Resources.kind(kind) + " named " + name
                            + (only == null ? " in any namespace" : " in namespace " + only));
        }
        output.print(out(), resources, () -> text(resources));
        return 0;
    }

    private static String text(JsonArray resources) {
        Table table = new Table("NAMESPACE", "KIND", "NAME", "STATE", "FROM");
        for (JsonObject resource : Json.objects(resources)) {
            String file = Json.text(resource, "file");
            long line = Json.number(resource, "line");
            table.row(
                    Json.text(resource, "namespace"),
                    Json.text(resource, "kind"),
                    Json.text(resource, "name"),
                    Json.text(resource, "state"),
                    line > 0 ? file + ":" + line : file);
        }
        StringBuilder text = new StringBuilder(table.text(Output.colour()));
        for (JsonObject resource : Json.objects(resources)) {
            for (String reason : ApplyCommand.texts(resource.get("reasons"))) {
                text.append(Json.text(resource, "kind"))
                        .append(' ')
                        .append(Json.text(resource, "name"))
                        .append(": ")
                        .append(reason)
                        .append('\n');
            }
            text.append(Conditions.text(resource));
        }
        return text.toString();
    }
}
