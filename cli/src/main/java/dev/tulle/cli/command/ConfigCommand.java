package dev.tulle.cli.command;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What the control plane computed from the configuration. */
@Command(name = "config", description = "Looks into the mesh's configuration.", subcommands = ConfigCommand.Dump.class)
public final class ConfigCommand extends BaseCommand {
    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before call()
    private CommandSpec spec;

    /** Makes the command. */
    public ConfigCommand() {}

    @Override
    public Integer call() {
        throw new CommandLine.ParameterException(spec.commandLine(), "expected: config dump");
    }

    /** Everything that is distributed. */
    @Command(name = "dump", description = "Prints everything that the control plane distributes; it holds no secrets.")
    static final class Dump extends BaseCommand {
        @Mixin
        private final MeshPlace place = new MeshPlace();

        @Mixin
        private final Output output = new Output();

        @Override
        public Integer call() {
            JsonElement dump;
            try (MeshClient control = MeshClient.control(place)) {
                dump = control.call("config-dump", new JsonObject());
            }
            JsonElement shown = dump;
            output.print(
                    out(),
                    dump,
                    () -> new com.google.gson.GsonBuilder()
                                    .setPrettyPrinting()
                                    .disableHtmlEscaping()
                                    .create()
                                    .toJson(shown)
                            + "\n");
            return 0;
        }
    }
}
