package dev.tulle.testkit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * What a mesh could leave on a host: pins, nft tables, routes, rules, addresses, interfaces, mounts, cgroups, files and
 * processes. Taken before and after, the difference must be empty. For programs, maps and links see {@link MeshObjects}.
 */
public record HostTraces(Set<String> traces) {
    public HostTraces {
        traces = Set.copyOf(traces);
    }

    /**
     * Looks at the host now.
     *
     * @param mesh the mesh's name: only cgroups, pins, tables and processes that carry it are counted, so that others
     *     may work on the same host meanwhile
     */
    public static HostTraces of(String mesh) throws IOException, InterruptedException {
        Set<String> found = new TreeSet<>();
        lines(found, "nft", List.of("nft", "list", "tables"), mesh);
        lines(found, "route", List.of("ip", "route", "show", "table", "all"), MeshLab.RANGE);
        lines(found, "route", List.of("ip", "route", "show", "table", "all"), MeshLab.SERVICE_RANGE);
        lines(found, "route6", List.of("ip", "-6", "route", "show", "table", "all"), "fd74:756c:6c65::6444:");
        lines(found, "address", List.of("ip", "address", "show", "dev", "lo"), MeshLab.RANGE);
        lines(found, "address", List.of("ip", "address", "show", "dev", "lo"), "fd74:756c:6c65::6444:");
        lines(found, "rule", List.of("ip", "rule", "show"), "");
        lines(found, "rule6", List.of("ip", "-6", "rule", "show"), "");
        lines(found, "interface", List.of("ip", "-o", "link", "show"), mesh);
        lines(found, "mount", List.of("cat", "/proc/self/mounts"), mesh);
        for (String top : List.of("/sys/fs/cgroup/unified", "/sys/fs/cgroup")) {
            if (Files.isDirectory(Path.of(top, mesh))) {
                found.add("cgroup " + Path.of(top, mesh));
            }
        }
        for (Path place : List.of(Path.of("/run", mesh), Path.of("/var/lib", mesh))) {
            if (Files.exists(place)) {
                found.add("files " + place);
            }
        }
        if (Files.exists(Path.of("/sys/fs/bpf", mesh))) {
            found.add("pins " + Path.of("/sys/fs/bpf", mesh));
        }
        try (Stream<ProcessHandle> processes = ProcessHandle.allProcesses()) {
            processes
                    .filter(process -> process.info().commandLine().orElse("").contains("--mesh " + mesh))
                    .forEach(process -> found.add("process " + process.pid()));
        }
        return new HostTraces(found);
    }

    /** What is here and was not in {@code before}. */
    public Set<String> since(HostTraces before) {
        Set<String> more = new TreeSet<>(traces);
        more.removeAll(before.traces);
        return more;
    }

    private static void lines(Set<String> found, String what, List<String> command, String part)
            throws IOException, InterruptedException {
        Command.of(command)
                .run()
                .out()
                .lines()
                .filter(line -> line.contains(part))
                .forEach(line -> found.add(what + " " + line.strip()));
    }
}
