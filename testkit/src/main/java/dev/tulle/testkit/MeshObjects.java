package dev.tulle.testkit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The programs, maps and links that a running mesh has in the kernel, by the kernel's numbers: those that its pins lead to,
 * and whatever else uses one of its maps. Other meshes' are told apart by that. After its end none may exist.
 *
 * @param ids such as {@code map 12}
 */
public record MeshObjects(Set<String> ids) {
    private static final Pattern ID = Pattern.compile("^(\\d+): ");
    private static final Pattern MAPS = Pattern.compile(" map_ids ([\\d,]+)");
    private static final Pattern PROGRAM = Pattern.compile(" prog (\\d+)");

    public MeshObjects {
        ids = Set.copyOf(ids);
    }

    /** Looks at a running mesh. */
    public static MeshObjects of(String mesh) throws IOException, InterruptedException {
        Set<String> found = new TreeSet<>();
        Path pins = Path.of("/sys/fs/bpf", mesh);
        if (!Files.isDirectory(pins)) {
            return new MeshObjects(found);
        }
        List<Path> files;
        try (Stream<Path> tree = Files.walk(pins)) {
            files = tree.filter(Files::isRegularFile).toList();
        }
        for (Path pin : files) {
            String kind =
                    switch (pin.getName(pin.getNameCount() - 2).toString()) {
                        case "links" -> "link";
                        case "programs" -> "prog";
                        default -> "map";
                    };
            String shown = Command.of("bpftool", kind, "show", "pinned", pin.toString())
                    .run()
                    .out();
            add(found, kind, ID.matcher(shown));
            if (kind.equals("link")) {
                add(found, "prog", PROGRAM.matcher(shown));
            }
        }
        for (String block : blocks(Command.of("bpftool", "prog", "show").run().out())) {
            Matcher id = ID.matcher(block);
            Matcher maps = MAPS.matcher(block.replaceAll("\\s+", " "));
            if (id.find() && maps.find()) {
                String[] used = maps.group(1).split(",", -1);
                if (Stream.of(used).anyMatch(map -> found.contains("map " + map))) {
                    found.add("prog " + id.group(1));
                }
            }
        }
        return new MeshObjects(found);
    }

    private static void add(Set<String> found, String kind, Matcher id) {
        if (id.find()) {
            found.add(kind + " " + id.group(1));
        }
    }

    /** One text per object: its first line and the indented ones after it. */
    private static List<String> blocks(String text) {
        List<String> blocks = new ArrayList<>();
        StringBuilder block = new StringBuilder();
        for (String line : text.lines().toList()) {
            if (!line.startsWith("\t") && !block.isEmpty()) {
                blocks.add(block.toString());
                block.setLength(0);
            }
            block.append(line).append(' ');
        }
        blocks.add(block.toString());
        return blocks;
    }

    /** Those that still exist; the kernel frees them a little after the last use, which is waited for. */
    public Set<String> left(Duration patience) throws IOException, InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        while (true) {
            Set<String> left = new TreeSet<>();
            for (String kind : List.of("map", "prog", "link")) {
                for (String line :
                        Command.of("bpftool", kind, "show").run().out().lines().toList()) {
                    Matcher id = ID.matcher(line);
                    if (id.find() && ids.contains(kind + " " + id.group(1))) {
                        left.add(line.strip());
                    }
                }
            }
            if (left.isEmpty() || System.nanoTime() > end) {
                return left;
            }
            Thread.sleep(100);
        }
    }
}
