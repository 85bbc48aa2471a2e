package dev.tulle.cli.command;

import dev.tulle.cli.client.CommandFailure;
import dev.tulle.config.ManifestChecker;
import dev.tulle.config.ManifestParser;
import dev.tulle.config.ParsedManifest;
import dev.tulle.config.Problem;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Checks manifests without a mesh: each file by itself, then all of them together. */
@Command(
        name = "validate",
        description = "Checks configuration, without a mesh: each file by itself, then all of them together.")
public final class ValidateCommand extends BaseCommand {
    @Parameters(arity = "1..*", paramLabel = "FILE|DIR|-", description = "What to check.")
    private List<String> arguments = new ArrayList<>();

    @Option(names = "--strict", description = "Warnings are errors.")
    private boolean strict;

    /** Makes the command. */
    public ValidateCommand() {}

    @Override
    public Integer call() {
        List<ParsedManifest> parsed = new ArrayList<>();
        for (String argument : arguments) {
            parse(argument, parsed);
        }
        Set<Problem> problems = new LinkedHashSet<>(ManifestChecker.check(parsed));
        problems.addAll(ManifestChecker.unresolved(parsed));
        int resources = parsed.stream()
                .mapToInt(manifest -> manifest.resources().size())
                .sum();
        problems.forEach(problem -> out().println(problem));
        long errors = problems.stream().filter(Problem::isError).count();
        if (errors == 0 && strict && !problems.isEmpty()) {
            throw new CommandFailure(
                    CommandFailure.NO,
                    "not strictly valid: " + problems.size() + (problems.size() == 1 ? " warning" : " warnings")
                            + " in " + files(parsed.size()));
        }
        if (errors > 0) {
            throw new CommandFailure(
                    CommandFailure.NO,
                    "invalid: " + errors + (errors == 1 ? " error" : " errors") + " in " + files(parsed.size()));
        }
        out().println("valid: " + resources + (resources == 1 ? " resource" : " resources") + " in "
                + files(parsed.size()));
        return 0;
    }

    private static String files(int count) {
        return count == 1 ? "1 file" : count + " files";
    }

    private static void parse(String argument, List<ParsedManifest> parsed) {
        ManifestParser parser = new ManifestParser();
        try {
            if (argument.equals("-")) {
                parsed.add(parse(parser, "-", System.in));
                return;
            }
            for (Path file : Manifests.files(argument)) {
                try (InputStream in = Files.newInputStream(file)) {
                    parsed.add(parse(parser, file.toString(), in));
                }
            }
        } catch (NoSuchFileException e) {
            throw new CommandFailure(CommandFailure.NO, argument + ": no such file or directory");
        } catch (IOException e) {
            throw new CommandFailure(CommandFailure.NO, argument + ": cannot be read: " + e.getMessage());
        }
    }

    private static ParsedManifest parse(ManifestParser parser, String name, InputStream in) throws IOException {
        // One byte more than the parser takes, so that it can tell that there was more.
        byte[] bytes = in.readNBytes(parser.limits().maxBytes() + 1);
        return parser.parse(name, bytes);
    }
}
