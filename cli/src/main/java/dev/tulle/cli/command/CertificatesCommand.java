package dev.tulle.cli.command;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The certificates of identities. */
@Command(
        name = "certificates",
        description = "Looks at certificates.",
        subcommands = {NodeCertificates.class})
public final class CertificatesCommand extends BaseCommand {
    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before call()
    private CommandSpec spec;

    /** Makes the command. */
    public CertificatesCommand() {}

    @Override
    public Integer call() {
        throw new CommandLine.ParameterException(spec.commandLine(), "expected: certificates list");
    }
}
