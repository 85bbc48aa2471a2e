package dev.tulle.cli.command;

import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Brings something that runs already into the mesh, without a restart. */
@Command(name = "enrol", description = "Brings a running unit, cgroup or process into the mesh, without a restart.")
public final class EnrolCommand extends BaseCommand {
    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Mixin
    private final LeaseOptions lease = new LeaseOptions();

    @Mixin
    private final Output output = new Output();

    @ArgGroup(multiplicity = "1")
    @SuppressWarnings("NullAway.Init") // set by picocli: one of the group is required
    private Target target;

    static final class Target {
        @Option(names = "--unit", paramLabel = "UNIT", description = "A systemd unit, for example nginx.service.")
        private @Nullable String unit;

        @Option(names = "--cgroup", paramLabel = "PATH", description = "A cgroup v2 directory.")
        private @Nullable String cgroup;

        @Option(names = "--pid", paramLabel = "PID", description = "A process; it is moved to a cgroup of its own.")
        private @Nullable Long pid;

        void addTo(JsonObject params) {
            if (unit != null) {
                params.addProperty("unit", unit);
            } else if (cgroup != null) {
                params.addProperty("cgroup", cgroup);
            } else if (pid != null) {
                if (pid < 1) {
                    throw new CommandFailure(
                            CommandFailure.USAGE, "--pid: " + pid + " is no process; expected a number above 0");
                }
                params.addProperty("pid", pid);
            }
        }
    }

    /** Makes the command. */
    public EnrolCommand() {}

    @Override
    public Integer call() {
        JsonObject params = lease.params();
        target.addTo(params);
        try (MeshClient agent = MeshClient.agent(place)) {
            JsonObject result = agent.object("run", params);
            LeaseOptions.warn(result, System.err, "enrol");
            output.print(
                    out(),
                    result,
                    () -> "enrolled " + Json.text(result, "name") + ": address " + Json.text(result, "address")
                            + ", cgroup " + Json.text(result, "cgroup") + ", tier " + Json.text(result, "tier") + "\n");
        }
        return 0;
    }
}
