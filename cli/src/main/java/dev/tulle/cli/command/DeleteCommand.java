package dev.tulle.cli.command;

import com.google.gson.JsonObject;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Removes a configuration object; status 0 means that no connected client enforces it any more. */
@Command(name = "delete", description = "Removes a configuration object.")
public final class DeleteCommand extends BaseCommand {
    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Mixin
    private final NamespaceOptions namespace = new NamespaceOptions();

    @Mixin
    private final TimeoutOption timeout = new TimeoutOption();

    @Parameters(index = "0", paramLabel = "KIND", description = "For example virtualservice, httproute, ap, service.")
    @SuppressWarnings("NullAway.Init") // set by picocli: the parameter is required
    private String kind;

    @Parameters(index = "1", paramLabel = "NAME", description = "The object's name.")
    @SuppressWarnings("NullAway.Init") // set by picocli: the parameter is required
    private String name;

    /** Makes the command. */
    public DeleteCommand() {}

    @Override
    public Integer call() {
        String of = Resources.kind(kind);
        JsonObject result;
        try (MeshClient control = MeshClient.control(place)) {
            result = control.object(
                    "delete", timeout.into(Json.of("kind", of, "namespace", namespace.one(), "name", name)));
        }
        String deleted = Json.text(result, "deleted");
        out().println("deleted " + (deleted.isEmpty() ? of + " " + namespace.one() + "/" + name : deleted));
        Shortfalls.check(ApplyCommand.texts(result.get("notEnforced")));
        return 0;
    }
}
