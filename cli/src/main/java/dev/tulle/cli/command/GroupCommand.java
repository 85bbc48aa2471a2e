package dev.tulle.cli.command;

import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The first word of commands that have two; alone it is none. */
abstract class GroupCommand extends BaseCommand {
    @Spec
    private @Nullable CommandSpec spec;

    @Override
    public final Integer call() {
        CommandLine line =
                Objects.requireNonNull(spec, "set by picocli before call()").commandLine();
        throw new CommandLine.ParameterException(line, "which command of " + line.getCommandName() + "?");
    }
}
