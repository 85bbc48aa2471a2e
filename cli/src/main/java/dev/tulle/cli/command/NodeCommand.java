package dev.tulle.cli.command;

import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** What can be done with one host of the mesh. */
@Command(
        name = "node",
        description = "Takes hosts out of the mesh; see nodes for what there is.",
        subcommands = NodeCommand.Remove.class)
public final class NodeCommand extends GroupCommand {
    /** Makes the command. */
    public NodeCommand() {}

    /** Out of the mesh. */
    @Command(
            name = "remove",
            description = "Takes a host out of the mesh: its workloads leave, and it stays out until it joins again.")
    static final class Remove extends BaseCommand {
        @Mixin
        private final MeshPlace place = new MeshPlace();

        @Parameters(paramLabel = "NAME", description = "The node's name.")
        @SuppressWarnings("NullAway.Init") // set by picocli: the parameter is required
        private String name;

        @Override
        public Integer call() {
            try (MeshClient control = MeshClient.control(place)) {
                control.call("node-remove", Json.of("name", name));
            }
            out().println("removed " + name);
            return 0;
        }
    }
}
