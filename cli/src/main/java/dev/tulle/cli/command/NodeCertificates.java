package dev.tulle.cli.command;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.output.Table;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The certificates of the identities that live on this node; its agent holds them. */
@Command(
        name = "list",
        description =
                "Lists the identities of this node with their certificates, without keys. Status 1 when one of them"
                        + " has none.")
public final class NodeCertificates extends BaseCommand {
    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Mixin
    private final Output output = new Output();

    /** Makes the command. */
    public NodeCertificates() {}

    @Override
    public Integer call() {
        JsonElement all;
        try (MeshClient agent = MeshClient.agent(place)) {
            all = agent.call("certificates", new JsonObject());
        }
        output.print(out(), all, () -> text(all));
        return Json.objects(all).stream().allMatch(one -> one.has("serial")) ? 0 : 1;
    }

    private static String text(JsonElement all) {
        Table table = new Table("IDENTITY", "SERIAL", "ISSUED", "ENDS", "RENEWAL", "TROUBLE");
        for (JsonObject one : Json.objects(all)) {
            table.row(
                    Json.text(one, "identity"),
                    one.has("serial") ? Json.text(one, "serial") : "-",
                    seconds(one, "issued"),
                    seconds(one, "ends"),
                    seconds(one, "renewal"),
                    Json.text(one, "trouble"));
        }
        return table.text(Output.colour());
    }

    /** A time without the parts of a second. */
    private static String seconds(JsonObject one, String name) {
        String time = one.has(name) ? Json.text(one, name) : "";
        int dot = time.indexOf('.');
        return time.isEmpty() ? "-" : dot < 0 ? time : time.substring(0, dot) + "Z";
    }
}
