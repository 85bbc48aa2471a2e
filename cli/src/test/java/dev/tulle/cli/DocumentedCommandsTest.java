package dev.tulle.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** Every command that the documentation tells people to type exists, with the options that stand there. */
class DocumentedCommandsTest {
    /** One in backticks; a block of them is read line by line. */
    private static final Pattern INLINE = Pattern.compile("`(?:\\./)?tulle ([a-z]+)( [^`]*)?`");

    private static final Pattern LINE = Pattern.compile("^\\s*(?:sudo )?(?:\\./)?tulle ([a-z]+)( [^#|]*)?.*$");
    private static final Pattern OPTION = Pattern.compile("(?<![\\w-])--[a-z][a-z-]*");

    private final CommandLine everything = Commands.everything();
    private final List<String> wrong = new ArrayList<>();
    private int checked;

    @Test
    void exist() throws IOException {
        Path home = Path.of("..").toAbsolutePath();
        List<Path> files = new ArrayList<>(List.of(home.resolve("README.md"), home.resolve("ARCHITECTURE.md")));
        try (Stream<Path> docs = Files.list(home.resolve("docs"))) {
            docs.filter(file -> file.toString().endsWith(".md")).sorted().forEach(files::add);
        }
        for (Path file : files) {
            boolean block = false;
            for (String line : Files.readAllLines(file)) {
                if (line.strip().startsWith("```")) {
                    block = !block;
                }
                Matcher matcher = (block ? LINE : INLINE).matcher(line);
                while (matcher.find()) {
                    String rest = matcher.group(2) == null ? "" : matcher.group(2);
                    check(file.getFileName() + ": tulle " + matcher.group(1) + rest, matcher.group(1), rest);
                }
            }
        }
        assertEquals(List.of(), wrong);
        assertTrue(checked > 40, checked + " commands found");
    }

    private void check(String where, String name, String rest) {
        CommandLine command = everything.getSubcommands().get(name);
        checked++;
        if (command == null) {
            wrong.add(where + ": no such command");
            return;
        }
        // A command of two words ("token create") has its options at the second.
        for (String word : rest.strip().split("\\s+")) {
            CommandLine next = command.getSubcommands().get(word);
            if (next == null) {
                break;
            }
            command = next;
        }
        // What stands behind "--" is another program's.
        int end = (rest + " ").indexOf(" -- ");
        Matcher options = OPTION.matcher(end < 0 ? rest : rest.substring(0, end));
        while (options.find()) {
            if (command.getCommandSpec().findOption(options.group()) == null) {
                wrong.add(where + ": no option " + options.group());
            }
        }
    }
}
