package dev.tulle.cli.command;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Gets a lease for a new workload. The launcher then enters the workload's cgroup (or is put there, where it is not root's)
 * and becomes the command, so that no process of the mesh stands between the command and its caller.
 */
@Command(
        name = "run",
        description = "Runs a command as a workload of the mesh.",
        customSynopsis = "tulle run --name NAME [OPTIONS] -- COMMAND [ARGUMENT]...")
public final class RunCommand extends BaseCommand {
    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Mixin
    private final LeaseOptions lease = new LeaseOptions();

    @Option(names = "--shell", hidden = true, description = "Print the lease as shell text for the launcher.")
    private boolean shell;

    @Option(
            names = "--enter",
            hidden = true,
            description = "The process that becomes the command; the agent puts it into the workload's cgroup.")
    private long enter;

    /** Makes the command. */
    public RunCommand() {}

    @Override
    public Integer call() {
        if (!shell) {
            throw new CommandFailure(
                    CommandFailure.USAGE, "no command to run; expected: tulle run --name NAME [OPTIONS] -- COMMAND");
        }
        JsonObject params = lease.params();
        params.addProperty("new", true);
        if (enter > 0) {
            params.addProperty("enter", enter);
        }
        JsonObject result;
        try (MeshClient agent = MeshClient.agent(place)) {
            result = agent.object("run", params);
        }
        LeaseOptions.warn(result, System.err, "run");
        out().println("TULLE_LEASE_CGROUP=" + quoted(Json.text(result, "cgroup")));
        for (Map.Entry<String, JsonElement> variable :
                Json.object(result, "env").entrySet()) {
            out().println("export " + variableName(variable.getKey()) + "=" + quoted(Json.plain(variable.getValue())));
        }
        return 0;
    }

    /** In single quotes; a single quote itself leaves and enters them again. */
    static String quoted(String text) {
        return "'" + text.replace("'", "'\\''") + "'";
    }

    private static String variableName(String name) {
        boolean good = !name.isEmpty()
                && !Character.isDigit(name.charAt(0))
                && name.chars().allMatch(c -> c == '_' || (c < 128 && Character.isLetterOrDigit(c)));
        if (!good) {
            throw new CommandFailure(
                    CommandFailure.NO,
                    "the agent's answer names an environment variable '" + name + "', which no shell takes");
        }
        return name;
    }
}
