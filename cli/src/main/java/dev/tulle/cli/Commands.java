package dev.tulle.cli;

import dev.tulle.cli.command.ApplyCommand;
import dev.tulle.cli.command.BaseCommand;
import dev.tulle.cli.command.CertificatesCommand;
import dev.tulle.cli.command.CompletionCommand;
import dev.tulle.cli.command.ConfigCommand;
import dev.tulle.cli.command.ConvertCommand;
import dev.tulle.cli.command.DeleteCommand;
import dev.tulle.cli.command.EnrolCommand;
import dev.tulle.cli.command.ExplainCommand;
import dev.tulle.cli.command.FlowsCommand;
import dev.tulle.cli.command.GetCommand;
import dev.tulle.cli.command.ListCommands;
import dev.tulle.cli.command.NodeCommand;
import dev.tulle.cli.command.NodesCommand;
import dev.tulle.cli.command.ReleaseCommand;
import dev.tulle.cli.command.RunCommand;
import dev.tulle.cli.command.StatusCommand;
import dev.tulle.cli.command.TokenCommand;
import dev.tulle.cli.command.UpgradeCommand;
import dev.tulle.cli.command.ValidateCommand;
import dev.tulle.cli.command.VersionCommand;
import dev.tulle.cli.demo.DemoCommand;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.role.CheckCommand;
import dev.tulle.cli.role.DetachCommand;
import dev.tulle.cli.role.GatewayCommand;
import dev.tulle.cli.role.ProxyCommand;
import dev.tulle.cli.role.RoleCommands;
import dev.tulle.cli.role.UpCommand;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/**
 * All commands by name. Only the one that is asked for is built: reading the annotations of all of them would be the
 * longest part of a short command.
 */
final class Commands {
    /** The root: shows what there is. */
    @Command(
            name = "tulle",
            description = "A service mesh for Linux without sidecars.",
            synopsisSubcommandLabel = "COMMAND",
            footer = {"", "Exit status: 0 done, 1 the answer is no, 2 usage, 3 the mesh cannot be reached."})
    static final class Root extends BaseCommand {
        @Spec
        @SuppressWarnings("NullAway.Init") // set by picocli before run()
        private CommandSpec spec;

        @Override
        public Integer call() {
            throw new CommandLine.ParameterException(spec.commandLine(), "which command?");
        }
    }

    private static final Map<String, Supplier<Object>> BY_NAME = byName();

    private Commands() {}

    private static Map<String, Supplier<Object>> byName() {
        Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
        commands.put("up", UpCommand::new);
        commands.put("demo", DemoCommand::new);
        commands.put("run", RunCommand::new);
        commands.put("enrol", EnrolCommand::new);
        commands.put("release", ReleaseCommand::new);
        commands.put("apply", ApplyCommand::new);
        commands.put("get", GetCommand::new);
        commands.put("delete", DeleteCommand::new);
        commands.put("validate", ValidateCommand::new);
        commands.put("convert", ConvertCommand::new);
        commands.put("workloads", ListCommands.Workloads::new);
        commands.put("services", ListCommands.Services::new);
        commands.put("endpoints", ListCommands.Endpoints::new);
        commands.put("routes", ListCommands.Routes::new);
        commands.put("token", TokenCommand::new);
        commands.put("nodes", NodesCommand::new);
        commands.put("node", NodeCommand::new);
        commands.put("certificates", CertificatesCommand::new);
        commands.put("status", StatusCommand::new);
        commands.put("check", CheckCommand::new);
        commands.put("explain", ExplainCommand::new);
        commands.put("flows", FlowsCommand::new);
        commands.put("config", ConfigCommand::new);
        commands.put("upgrade", UpgradeCommand::new);
        commands.put("detach", DetachCommand::new);
        commands.put("control", RoleCommands.Control::new);
        commands.put("agent", RoleCommands.Agent::new);
        commands.put("proxy", ProxyCommand::new);
        commands.put("gateway", GatewayCommand::new);
        commands.put("completion", () -> new CompletionCommand(Commands::everything));
        commands.put("version", VersionCommand::new);
        commands.put("train", TrainCommand::new);
        return commands;
    }

    /** The names of all commands. */
    static List<String> names() {
        return List.copyOf(BY_NAME.keySet());
    }

    /** The command line that knows the named command, or all of them when there is no such command. */
    static CommandLine line(String name) {
        Supplier<Object> command = BY_NAME.get(name);
        if (command == null) {
            return everything();
        }
        CommandLine line = new CommandLine(new Root());
        line.addSubcommand(name, command.get());
        return coloured(line);
    }

    /** The command line with all commands. */
    static CommandLine everything() {
        CommandLine line = new CommandLine(new Root());
        BY_NAME.forEach((name, command) -> line.addSubcommand(name, command.get()));
        return coloured(line);
    }

    private static CommandLine coloured(CommandLine line) {
        return line.setColorScheme(CommandLine.Help.defaultColorScheme(
                Output.colour() ? CommandLine.Help.Ansi.ON : CommandLine.Help.Ansi.OFF));
    }

    /** Names that share their first two letters with a mistyped one, or contain it. */
    static List<String> suggestions(String typed) {
        if (typed.length() < 2 || typed.startsWith("-")) {
            return List.of();
        }
        return BY_NAME.keySet().stream()
                .filter(name -> name.startsWith(typed.substring(0, 2)) || name.contains(typed))
                .toList();
    }
}
