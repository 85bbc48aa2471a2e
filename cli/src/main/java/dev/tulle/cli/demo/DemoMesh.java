package dev.tulle.cli.demo;

import dev.tulle.cli.client.CommandFailure;
import dev.tulle.common.FreePorts;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The demo's own mesh, started by {@code tulle up} as a user would type it, beside any other mesh of the host. */
final class DemoMesh {
    static final String NAME = "tulle-demo";

    /**
     * Workloads' and services' addresses: the defaults, or ranges that are for tests only and belong to nobody.
     *
     * @param first how an address of it begins
     */
    private record Range(String workloads, String services, String first) {}

    private static final List<Range> RANGES = List.of(
            new Range("100.64.0.0/10", "240.240.0.0/16", "100."),
            new Range("198.18.0.0/16", "240.241.0.0/16", "198.18."),
            new Range("198.19.0.0/16", "240.242.0.0/16", "198.19."));

    private static final int OFFSET_STEP = 2000;
    private static final int OFFSETS = 10;
    private static final Duration START = Duration.ofSeconds(40);
    private static final Duration STOP = Duration.ofSeconds(25);

    private final Path home;
    private final Path folder;
    private final Path runDirectory;
    private @Nullable Process process;
    private int offset;

    /**
     * Not started yet.
     *
     * @param home the folder that holds the launcher
     * @param folder for state, configuration and logs; emptied by the caller
     * @param runDirectory for sockets
     */
    DemoMesh(Path home, Path folder, Path runDirectory) {
        this.home = home;
        this.folder = folder;
        this.runDirectory = runDirectory;
    }

    /** The options that name this mesh to a command. */
    List<String> options() {
        return List.of("--mesh", NAME, "--run-dir", runDirectory.toString());
    }

    /** One of the mesh's ports, by Istio's number. */
    int port(int number) {
        return number + offset;
    }

    Path log() {
        return folder.resolve("mesh.log");
    }

    /**
     * Starts the mesh and waits until it is ready.
     *
     * @param tier the tier to force; null for the best that passes its test
     * @throws CommandFailure when it does not get ready
     */
    void start(@Nullable String tier) throws IOException, InterruptedException {
        offset = freeOffset();
        List<String> command =
                new ArrayList<>(List.of("setsid", home.resolve("tulle").toString(), "up"));
        command.addAll(options());
        command.addAll(List.of("--state", folder.resolve("state").toString()));
        command.addAll(List.of("--port-offset", Integer.toString(offset)));
        Range range = freeRange();
        command.addAll(List.of("--range", range.workloads(), "--service-range", range.services()));
        if (tier != null) {
            command.addAll(List.of("--tier", tier));
        }
        Process started = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectInput(new File("/dev/null"))
                .redirectOutput(log().toFile())
                .start();
        process = started;
        Path ready = runDirectory.resolve("ready");
        long end = System.nanoTime() + START.toNanos();
        while (!Files.exists(ready)) {
            if (!started.isAlive() || System.nanoTime() > end) {
                String why = started.isAlive()
                        ? "not ready after " + START.toSeconds() + " s"
                        : "ended with status " + started.exitValue();
                throw new CommandFailure(
                        CommandFailure.NO, "the mesh " + why + "; the end of its log:", lastLines(log()));
            }
            Thread.sleep(10);
        }
    }

    /** True while the mesh's supervisor lives. */
    boolean running() {
        return process != null && process.isAlive();
    }

    /** Stops the mesh; it removes its traces from the kernel. */
    void stop() throws InterruptedException {
        if (process == null) {
            return;
        }
        process.destroy();
        if (!process.waitFor(STOP)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
        }
        process = null;
    }

    /**
     * Removes what a killed demo left: its programs, its proxy, its part of the kernel.
     *
     * @param traces what was found, as scripts/traces writes it
     */
    static void removeLeftovers(Path home, Path runDirectory, Set<String> traces)
            throws IOException, InterruptedException {
        for (String trace : traces) {
            if (trace.startsWith("cgroup ")) {
                killAllIn(Path.of(trace.substring("cgroup ".length())));
            }
        }
        List<String> command = List.of(
                home.resolve("tulle").toString(),
                "detach",
                "--all",
                "--mesh",
                NAME,
                "--run-dir",
                runDirectory.toString());
        Process detach = new ProcessBuilder(command).redirectErrorStream(true).start();
        try (var reader = detach.inputReader()) {
            reader.lines().forEach(_ -> {});
        }
        detach.waitFor();
        if (Files.exists(runDirectory)) {
            try (Stream<Path> files = Files.walk(runDirectory)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    private static void killAllIn(Path cgroup) throws IOException {
        if (!Files.isDirectory(cgroup)) {
            return;
        }
        try (Stream<Path> files = Files.walk(cgroup)) {
            for (Path file : files.filter(file -> file.endsWith("cgroup.procs")).toList()) {
                for (String pid : Files.readAllLines(file)) {
                    ProcessHandle.of(Long.parseLong(pid)).ifPresent(ProcessHandle::destroyForcibly);
                }
            }
        }
    }

    private static int freeOffset() {
        return FreePorts.forMesh(IntStream.range(0, OFFSETS).map(step -> step * OFFSET_STEP))
                .orElseThrow(() -> new CommandFailure(
                        CommandFailure.NO, "no free ports for the demo's mesh; is another demo running?"));
    }

    /** The first range of which the loopback interface has no address: another mesh of this host would have put one. */
    private static Range freeRange() throws IOException {
        NetworkInterface loopback = NetworkInterface.getByInetAddress(InetAddress.getLoopbackAddress());
        List<String> addresses = loopback == null
                ? List.of()
                : loopback.inetAddresses().map(InetAddress::getHostAddress).toList();
        for (Range range : RANGES) {
            if (addresses.stream().noneMatch(address -> address.startsWith(range.first()))) {
                return range;
            }
        }
        throw new CommandFailure(CommandFailure.NO, "no free address range for the demo: other meshes have them all");
    }

    static List<String> lastLines(Path log) throws IOException {
        List<String> lines = Files.exists(log) ? Files.readAllLines(log) : List.of();
        return lines.subList(Math.max(0, lines.size() - 20), lines.size());
    }
}
