package dev.tulle.cli.demo;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;

/**
 * What the demo's mesh leaves on this host, told apart from what others do at the same time: by the mesh's name, by the
 * numbers of its programs and maps, by its own addresses. Blocks; one thread.
 */
final class Traces {
    private final Path script;
    private final Set<String> before;
    private final Set<String> owned = new TreeSet<>();
    private final List<String> prefixes = new ArrayList<>();

    private Traces(Path script, Set<String> before) {
        this.script = script;
        this.before = before;
    }

    /** Looks at the host before the mesh starts. */
    static Traces begin(Path home) throws IOException, InterruptedException {
        Path script = home.resolve("scripts/traces");
        return new Traces(script, run(script, DemoMesh.NAME));
    }

    /** What was there before under the demo's name: a demo that was killed left it. */
    Set<String> leftEarlier() {
        Set<String> found = new TreeSet<>(before);
        found.removeIf(line -> !line.contains(DemoMesh.NAME));
        return found;
    }

    /** Remembers what the running mesh has in the kernel, and that these beginnings of addresses are its own. */
    void running(List<String> addressPrefixes) throws IOException, InterruptedException {
        owned.addAll(run(script, "--owned", DemoMesh.NAME));
        prefixes.addAll(addressPrefixes);
    }

    /** What is still there now. */
    Set<String> left() throws IOException, InterruptedException {
        Set<String> left = new TreeSet<>();
        for (String line : run(script, DemoMesh.NAME)) {
            String kind = line.substring(0, Math.max(0, line.indexOf(' ')));
            boolean ours =
                    switch (kind) {
                        case "program", "map" -> owned.contains(line);
                        case "address", "route" -> prefixes.stream().anyMatch(line::contains);
                        default -> true;
                    };
            if (ours && !before.contains(line)) {
                left.add(line);
            }
        }
        return left;
    }

    private static Set<String> run(Path script, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(script.toString()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        Set<String> lines = new TreeSet<>();
        try (var reader = process.inputReader()) {
            reader.lines().forEach(lines::add);
        }
        if (!process.waitFor(30, TimeUnit.SECONDS)) {
            process.destroyForcibly();
        }
        return lines;
    }
}
