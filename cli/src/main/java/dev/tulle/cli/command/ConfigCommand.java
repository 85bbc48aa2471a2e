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
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What the control plane computed from the configuration, and what the proxy holds of it. */
@Command(
        name = "config",
        description = "Looks into the mesh's configuration.",
        subcommands = {ConfigCommand.Dump.class, ConfigCommand.Proxy.class})
public final class ConfigCommand extends BaseCommand {
    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before call()
    private CommandSpec spec;

    /** Makes the command. */
    public ConfigCommand() {}

    @Override
    public Integer call() {
        throw new CommandLine.ParameterException(spec.commandLine(), "expected: config dump or config proxy");
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

    /** What the proxy holds. */
    @Command(
            name = "proxy",
            description = "Prints what the node proxy holds: its configuration, clusters and their endpoints, metrics,"
                    + " memory.")
    static final class Proxy extends BaseCommand {
        @Mixin
        private final MeshPlace place = new MeshPlace();

        @Mixin
        private final Output output = new Output();

        @Parameters(
                paramLabel = "WHAT",
                arity = "0..1",
                description = "config, clusters, stats, memory or status. Default: ${DEFAULT-VALUE}.",
                defaultValue = "config")
        private String what = "config";

        @Override
        public Integer call() {
            JsonElement answer;
            try (MeshClient proxy = MeshClient.proxy(place)) {
                answer = proxy.call(what, new JsonObject());
            }
            output.print(out(), answer, () -> {
                if (answer.isJsonPrimitive()) {
                    return answer.getAsString();
                }
                return new com.google.gson.GsonBuilder()
                                .setPrettyPrinting()
                                .disableHtmlEscaping()
                                .create()
                                .toJson(answer)
                        + "\n";
            });
            return 0;
        }
    }
}
