package dev.tulle.cli.command;

import com.google.gson.JsonObject;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What lets other hosts join. */
@Command(
        name = "token",
        description = "Makes tokens with which other hosts join this mesh.",
        subcommands = TokenCommand.Create.class)
public final class TokenCommand extends GroupCommand {
    /** Makes the command. */
    public TokenCommand() {}

    /** One token. */
    @Command(
            name = "create",
            description = "Makes a token for one host, to be used once: tulle up --join HOST:PORT --token TOKEN.")
    static final class Create extends BaseCommand {
        @Mixin
        private final MeshPlace place = new MeshPlace();

        @Mixin
        private final Output output = new Output();

        @Option(
                names = "--node",
                paramLabel = "NAME",
                description =
                        "The only node that may use it, also one that was in the mesh before. Default: any new one.")
        private String node = "";

        @Option(
                names = "--ttl",
                paramLabel = "SECONDS",
                description = "How long it may wait for its node, at most 604800. Default: ${DEFAULT-VALUE}.",
                defaultValue = "3600")
        private int ttl = 3600;

        @Override
        public Integer call() {
            JsonObject made;
            try (MeshClient control = MeshClient.control(place)) {
                made = control.object("token-create", Json.of("node", node, "ttlSeconds", Integer.toString(ttl)));
            }
            output.print(out(), made, () -> text(made));
            return 0;
        }

        private static String text(JsonObject made) {
            return "on the other host, once, until " + Json.text(made, "until") + ":\n  tulle up --join HOST:"
                    + Json.text(made, "port") + " --token " + Json.text(made, "token")
                    + "\nwhere HOST is a name or an address of this one\n";
        }
    }
}
