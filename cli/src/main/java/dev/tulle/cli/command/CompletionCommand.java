package dev.tulle.cli.command;

import java.util.function.Supplier;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Prints the completion script for bash and zsh. */
@Command(
        name = "completion",
        description = "Prints shell completion for bash and zsh; use it with: source <(tulle completion)")
public final class CompletionCommand extends BaseCommand {
    private final Supplier<CommandLine> everything;

    /** With a way to build the whole command line. */
    public CompletionCommand(Supplier<CommandLine> everything) {
        this.everything = everything;
    }

    @Override
    public Integer call() {
        out().print(AutoComplete.bash("tulle", everything.get()));
        return 0;
    }
}
