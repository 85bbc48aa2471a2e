package dev.tulle.cli.role;

import dev.tulle.agent.MeshEnd;
import dev.tulle.agent.NodeAgent;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.PidFile;
import dev.tulle.cli.command.BaseCommand;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Break glass: removes a mesh from this host's kernel, with or without a living agent. */
@Command(
        name = "detach",
        description = "Removes every trace of a mesh from this host: programs, maps, pins, nftables, routes, addresses,"
                + " cgroups. A running mesh is stopped first; workloads go on without it.")
public final class DetachCommand extends BaseCommand {
    private static final Duration DRAIN = Duration.ofSeconds(5);

    @Mixin
    private final RoleOptions options = new RoleOptions();

    @Option(names = "--all", required = true, description = "Everything; there is no half.")
    private boolean all;

    /** Makes the command. */
    public DetachCommand() {}

    @Override
    public Integer call() {
        if (!all) {
            throw new CommandFailure(CommandFailure.USAGE, "expected --all");
        }
        String mesh = options.place().mesh();
        Path run = options.runDirectory();
        List<String> left;
        try {
            Optional<String> holder = MeshLock.holder(options);
            holder.ifPresent(who -> out().println("mesh " + mesh + " runs (" + who + "): it is stopped first"));
            List<MeshEnd.Survivor> survivors = NodeAgent.survivors(options.agent());
            if (!survivors.isEmpty()) {
                StopReport.unreachable(survivors).forEach(out()::println);
                out().flush();
            } else if (!Files.isDirectory(options.stateDirectory())) {
                out().println("which workloads become unreachable is not known: there is no state directory "
                        + options.stateDirectory() + " (--state names another)");
            }
            boolean supervised = PidFile.living(run, "up").isPresent();
            if (!supervised) {
                // A proxy that nobody supervises any more would only refuse connections from now on.
                ProxySupervisor.stop(run, DRAIN);
            }
            left = NodeAgent.detachAll(options.agent());
            if (!supervised) {
                RunFolder.clear(run);
            }
        } catch (IOException e) {
            throw new CommandFailure(CommandFailure.NO, e.getMessage() == null ? e.toString() : e.getMessage());
        }
        if (!left.isEmpty()) {
            throw new CommandFailure(CommandFailure.NO, "not everything could be removed:", left);
        }
        out().println("detached: nothing of mesh " + mesh + " is left in the kernel");
        return 0;
    }
}
