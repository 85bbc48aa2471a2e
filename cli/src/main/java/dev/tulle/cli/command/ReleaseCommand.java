package dev.tulle.cli.command;

import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Takes a workload out of the mesh; its processes go on. */
@Command(name = "release", description = "Takes a workload out of the mesh; its processes go on outside it.")
public final class ReleaseCommand extends BaseCommand {
    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Mixin
    private final NamespaceOptions namespace = new NamespaceOptions();

    @Parameters(paramLabel = "NAME", description = "The workload's name.")
    @SuppressWarnings("NullAway.Init") // set by picocli: the parameter is required
    private String name;

    /** Makes the command. */
    public ReleaseCommand() {}

    @Override
    public Integer call() {
        try (MeshClient agent = MeshClient.agent(place)) {
            agent.call("release", Json.of("name", name, "namespace", namespace.one()));
        }
        out().println("released " + name);
        return 0;
    }
}
