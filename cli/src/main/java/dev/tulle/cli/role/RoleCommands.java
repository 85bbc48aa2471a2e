package dev.tulle.cli.role;

import dev.tulle.agent.NodeAgent;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.PidFile;
import dev.tulle.cli.command.BaseCommand;
import dev.tulle.control.ControlPlane;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The privileged roles alone, for whoever supervises them otherwise. */
public final class RoleCommands {
    private RoleCommands() {}

    /** Starts a role and keeps it until the process is asked to stop. */
    public abstract static class RoleCommand extends BaseCommand {
        @Mixin
        private final RoleOptions options = new RoleOptions();

        private final String role;

        private RoleCommand(String role) {
            this.role = role;
        }

        abstract AutoCloseable start(RoleOptions given) throws IOException;

        @Override
        public final Integer call() throws Exception {
            options.check();
            if (role.equals("agent")) {
                Privilege.need(role);
            }
            Path run = options.runDirectory();
            StopSignal stop = StopSignal.install();
            try {
                RunFolder.make(run, options.users());
                RunFolder.begin(run);
                PidFile.write(run, role, ProcessHandle.current().pid());
                try (AutoCloseable _ = start(options)) {
                    out().println("tulle " + role + ": ready");
                    out().flush();
                    stop.await();
                }
                PidFile.remove(run, role);
                return 0;
            } catch (IOException e) {
                throw new CommandFailure(CommandFailure.NO, e.getMessage() == null ? e.toString() : e.getMessage());
            }
        }
    }

    /** The control plane alone. */
    @Command(name = "control", description = "Runs the control plane alone.")
    public static final class Control extends RoleCommand {
        /** Makes the command. */
        public Control() {
            super("control");
        }

        @Override
        AutoCloseable start(RoleOptions given) throws IOException {
            return ControlPlane.start(given.control());
        }
    }

    /** The agent alone; what it captured stays captured when it ends, use {@code tulle detach --all} to undo it. */
    @Command(
            name = "agent",
            description = "Runs the node agent alone. What it captured stays captured when it ends; see tulle detach.")
    public static final class Agent extends RoleCommand {
        /** Makes the command. */
        public Agent() {
            super("agent");
        }

        @Override
        AutoCloseable start(RoleOptions given) throws IOException {
            return NodeAgent.start(given.agent());
        }
    }
}
