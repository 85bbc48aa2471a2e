package dev.tulle.cli.command;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.output.Table;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The hosts of the mesh. */
@Command(name = "nodes", description = "Lists the hosts of the mesh.")
public final class NodesCommand extends BaseCommand {
    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Mixin
    private final Output output = new Output();

    /** Makes the command. */
    public NodesCommand() {}

    @Override
    public Integer call() {
        JsonElement nodes;
        try (MeshClient control = MeshClient.control(place)) {
            nodes = control.call("nodes", new JsonObject());
        }
        JsonArray all = nodes.getAsJsonArray();
        output.print(out(), all, () -> text(all));
        return 0;
    }

    private static String text(JsonArray nodes) {
        Table table = new Table("NODE", "ADDRESS", "PREFIX", "WORKLOADS", "STATE", "CONFIGURATION", "JOINED");
        for (JsonObject node : Json.objects(nodes)) {
            table.row(
                    Json.text(node, "name"),
                    Json.text(node, "address"),
                    Json.text(node, "prefix"),
                    Json.text(node, "workloads"),
                    Json.text(node, "state"),
                    Json.text(node, "configuration"),
                    Json.text(node, "joined"));
        }
        return table.text(Output.colour());
    }
}
