package dev.tulle.cli.command;

import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.client.PidFile;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Puts the installed version in the place of the running one, role by role, with all connections going on. */
@Command(
        name = "upgrade",
        description = "Replaces the running processes of 'tulle up' by the installed version; connections go on."
                + " A replaced proxy drains; see --upgrade-idle and --upgrade-streams of 'tulle up'.")
public final class UpgradeCommand extends BaseCommand {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Parameters(
            paramLabel = "ROLE",
            arity = "0..1",
            description = "agent (with the control plane) or proxy. Default: both, in this order.")
    private String role = "";

    /** Makes the command. */
    public UpgradeCommand() {}

    @Override
    public Integer call() throws InterruptedException {
        List<String> roles =
                switch (role) {
                    case "" -> List.of("agent", "proxy");
                    case "agent", "proxy" -> List.of(role);
                    default ->
                        throw new CommandFailure(
                                CommandFailure.USAGE, "'" + role + "' cannot be upgraded; expected agent or proxy");
                };
        for (String one : roles) {
            JsonObject result;
            try (MeshClient up = MeshClient.up(place)) {
                result = up.object("upgrade", Json.of("role", one));
            }
            if (one.equals("agent")) {
                awaitAnother(result.get("pid").getAsLong());
            }
            out().println("upgraded the " + one);
        }
        return 0;
    }

    private void awaitAnother(long before) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            OptionalLong pid = PidFile.living(place.runDirectory(), "up");
            if (pid.isPresent()
                    && pid.getAsLong() != before
                    && Files.exists(place.runDirectory().resolve("ready"))) {
                return;
            }
            if (System.nanoTime() > end) {
                throw new CommandFailure(
                        CommandFailure.NO, "the new agent is not ready after " + PATIENCE.toSeconds() + " s");
            }
            Thread.sleep(20);
        }
    }
}
