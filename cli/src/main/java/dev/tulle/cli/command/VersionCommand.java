package dev.tulle.cli.command;

import picocli.CommandLine.Command;

/** Says which version this is. */
@Command(name = "version", description = "Shows the version.")
public final class VersionCommand extends BaseCommand {
    /** The version of this distribution. */
    public static final String VERSION = version();

    /** Makes the command. */
    public VersionCommand() {}

    private static String version() {
        String packaged = VersionCommand.class.getPackage().getImplementationVersion();
        return packaged == null ? "unpackaged" : packaged;
    }

    @Override
    public Integer call() {
        out().println("tulle " + VERSION + ", Java " + Runtime.version().feature());
        return 0;
    }
}
