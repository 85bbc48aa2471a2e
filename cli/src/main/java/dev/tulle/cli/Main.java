package dev.tulle.cli;

import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.CommandStart;
import dev.tulle.cli.role.StopSignal;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/**
 * The entry of every command and role. Exit status: 0 done, 1 the answer is no, 2 usage, 3 the mesh cannot be reached.
 * Errors go to standard error as {@code tulle COMMAND: message}, details indented below.
 */
public final class Main {
    private static final int BUG = 70;

    private Main() {}

    /** Runs one command and exits with its status. */
    public static void main(String[] args) {
        CommandStart.isNow();
        int status = run(args);
        // Flushes, too. What was asked for may have been done, but nobody can read it.
        if (System.out.checkError() && status == 0) {
            status = CommandFailure.NO;
            if (!isPipe()) {
                System.err.println("tulle: standard output cannot be written");
            }
        }
        StopSignal.exit(status);
    }

    /** A reader that has read enough is no trouble worth a word. */
    private static boolean isPipe() {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString();
            return target.startsWith("pipe:") || target.startsWith("socket:");
        } catch (IOException e) {
            return false;
        }
    }

    /** Runs one command in this process and returns its exit status. */
    public static int run(String... args) {
        CommandLine line = Commands.line(args.length > 0 ? args[0] : "");
        line.setParameterExceptionHandler(Main::usage);
        line.setExecutionExceptionHandler((thrown, failed, _) -> failure(thrown, failed));
        line.setCaseInsensitiveEnumValuesAllowed(true);
        if (args.length == 0) {
            line.usage(System.out);
            return CommandFailure.USAGE;
        }
        try {
            return line.execute(args);
        } catch (Error e) {
            // Else threads that a role has started would keep the process alive, with nobody who ends it.
            return failure(e, line);
        }
    }

    private static int usage(ParameterException thrown, String[] args) {
        CommandLine failed = thrown.getCommandLine();
        // A mistyped command name: the lazily built line knows one command only, suggestions need all of them.
        PrintWriter err = failed.getErr();
        err.println(name(failed) + ": " + thrown.getMessage());
        List<String> known =
                failed.getParent() == null ? Commands.suggestions(args.length > 0 ? args[0] : "") : List.of();
        if (!known.isEmpty()) {
            err.println("  did you mean: " + String.join(", ", known));
        }
        err.println("  see: " + name(failed) + " --help");
        err.flush();
        return CommandFailure.USAGE;
    }

    private static int failure(Throwable thrown, CommandLine failed) {
        PrintWriter err = failed.getErr();
        int status = BUG;
        if (thrown instanceof CommandFailure failure) {
            status = failure.status();
            err.println(name(failed) + ": " + failure.getMessage());
            failure.details().forEach(detail -> err.println("  " + detail));
        } else {
            err.println(name(failed) + ": unexpected " + thrown);
            Arrays.stream(thrown.getStackTrace()).limit(40).forEach(frame -> err.println("    at " + frame));
            for (Throwable cause = thrown.getCause(); cause != null; cause = cause.getCause()) {
                err.println("  caused by " + cause);
            }
        }
        err.flush();
        return status;
    }

    private static String name(CommandLine line) {
        return line.getCommandSpec().qualifiedName(" ");
    }
}
