package dev.tulle.testkit;

import dev.tulle.common.FreePorts;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A mesh of its own on this host, started by {@code ./tulle up} as a user would, with real workloads in it, for
 * end-to-end tests. Needs root and a built distribution. Everything it starts is stopped by {@link #close}, which fails
 * when a trace is left.
 */
public final class MeshLab implements AutoCloseable {
    /** Cgroup, pins, nft table and sockets are called after it. */
    public static final String NAME = "tulle-it";

    /** The first half of every workload's address: other meshes may run on this host meanwhile. */
    public static final String RANGE = "100.68.";

    static final String SERVICE_RANGE = "240.244.";

    /** One for all meshes of a run: what a killed one left is taken over at the same ports. */
    private static final int PORT_OFFSET = freeOffset();

    /** How long a mesh may take to be ready; more on a host that is busy with other things. */
    private static final Duration START = Duration.ofSeconds(Integer.getInteger("lab.start", 40));

    private final Path home;
    private final Path folder;
    private final HostTraces before;
    private final List<String> command;
    private Process up;
    private final List<Process> workloads = new ArrayList<>();

    private MeshLab(Path home, Path folder, HostTraces before, List<String> command) throws IOException {
        this.home = home;
        this.folder = folder;
        this.before = before;
        this.command = command;
        this.up = launch();
    }

    private Process launch() throws IOException {
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectInput(new File("/dev/null"))
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        folder.resolve("mesh.log").toFile()))
                .start();
    }

    /**
     * Starts a mesh and waits until it is ready.
     *
     * @param tier the tier to force; null for the best
     * @param more further options of {@code tulle up}
     */
    public static MeshLab start(@Nullable String tier, String... more) throws IOException, InterruptedException {
        Path home = home();
        HostTraces before = HostTraces.of(NAME);
        Path folder = Files.createTempDirectory("tulle-it");
        // The proxy, another user, must reach its socket below.
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        Path run = folder.resolve("run");
        List<String> command =
                new ArrayList<>(List.of("setsid", home.resolve("tulle").toString(), "up"));
        command.addAll(List.of("--mesh", NAME, "--run-dir", run.toString()));
        command.addAll(List.of("--state", folder.resolve("state").toString()));
        command.addAll(List.of("--port-offset", Integer.toString(PORT_OFFSET)));
        command.addAll(List.of("--range", RANGE + "0.0/16", "--service-range", SERVICE_RANGE + "0.0/16"));
        if (tier != null) {
            command.addAll(List.of("--tier", tier));
        }
        command.addAll(List.of(more));
        MeshLab lab = new MeshLab(home, folder, before, List.copyOf(command));
        try {
            lab.awaitReady();
            return lab;
        } catch (AssertionError | InterruptedException e) {
            lab.stopProcesses();
            throw e;
        }
    }

    /** Programs or other meshes of this host, living or left in its kernel, may have any port. */
    private static int freeOffset() {
        return FreePorts.forMesh(IntStream.iterate(4000, offset -> offset < 5000, offset -> offset + 100))
                .orElseThrow(() -> new AssertionError("no ten free ports from 19001 to 20090 for a mesh of the tests"));
    }

    /** Waits until `tulle up` says that it is ready; fails when it has ended. */
    public void awaitReady() throws IOException, InterruptedException {
        Path ready = folder.resolve("run/ready");
        await("the mesh is ready", START, () -> !up.isAlive() || Files.exists(ready));
        if (!up.isAlive()) {
            throw new AssertionError("tulle up ended with status " + up.exitValue() + ":\n" + log());
        }
    }

    /** The command that started this mesh, once more. */
    public Command again() {
        return Command.of(command);
    }

    /** Stops the mesh as a user would; its workloads go on. Returns the exit status. */
    public int stopMesh() throws InterruptedException {
        up.destroy();
        if (!up.waitFor(60, TimeUnit.SECONDS)) {
            throw new AssertionError("tulle up did not stop within 60 s");
        }
        return up.exitValue();
    }

    /** Kills processes of the mesh, in this order: {@code launcher}, {@code up} (the JVM), {@code proxy}. */
    public void killMesh(String... roles) throws IOException, InterruptedException {
        Files.deleteIfExists(folder.resolve("run/ready"));
        for (String role : roles) {
            long pid = role.equals("launcher") ? up.pid() : pid(role);
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
            await(role + " is gone", START, () -> !running(pid));
        }
    }

    private static boolean running(long pid) {
        return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
    }

    /** Starts the mesh again, as it was started, and waits until it is ready. */
    public void startMesh() throws IOException, InterruptedException {
        up = launch();
        awaitReady();
    }

    /** The checkout: the nearest folder above the working directory that holds the launcher. */
    public static Path home() {
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.isExecutable(at.resolve("tulle")) && Files.exists(at.resolve("pom.xml"))) {
                return at;
            }
        }
        throw new AssertionError("no ./tulle above " + Path.of("").toAbsolutePath());
    }

    /** A scratch folder that lives as long as the lab. */
    public Path folder() {
        return folder;
    }

    /** The directory whose manifests are in force. */
    public Path configDirectory() {
        return folder.resolve("state/config");
    }

    /** What the mesh has logged so far. */
    public String log() throws IOException {
        return Files.readString(folder.resolve("mesh.log"));
    }

    /** The pid of a role, from its pid file. */
    public long pid(String role) throws IOException {
        String text =
                Files.readString(folder.resolve("run").resolve(role + ".pid")).strip();
        return Long.parseLong(text.split("\\s+")[0]);
    }

    /** A {@code tulle} command that needs no mesh, such as {@code validate}. */
    public Command offline(String... words) {
        List<String> command = new ArrayList<>(List.of(home.resolve("tulle").toString()));
        command.addAll(List.of(words));
        return Command.of(command);
    }

    /** A {@code tulle} command against this mesh; one of two words, as {@code config proxy}, is given as one. */
    public Command tulle(String... words) {
        List<String> command = new ArrayList<>(List.of(home.resolve("tulle").toString()));
        command.addAll(List.of(words[0].split(" ")));
        command.addAll(options());
        command.addAll(List.of(words).subList(1, words.length));
        return Command.of(command);
    }

    private List<String> options() {
        return List.of("--mesh", NAME, "--run-dir", folder.resolve("run").toString());
    }

    /** Writes text to a file of the scratch folder and applies it. */
    public Command.Result apply(String name, String manifest) throws IOException, InterruptedException {
        Path file = folder.resolve(name + ".yaml");
        Files.writeString(file, manifest);
        return tulle("apply", "-f", file.toString()).ok();
    }

    /**
     * Starts a workload in the background: {@code tulle run OPTIONS -- COMMAND}.
     *
     * @param name its name, also of its log file
     */
    public Process workload(String name, List<String> options, List<String> command)
            throws IOException, InterruptedException {
        List<String> words = new ArrayList<>(List.of(home.resolve("tulle").toString(), "run"));
        words.addAll(options());
        words.addAll(List.of("--name", name));
        words.addAll(options);
        words.add("--");
        words.addAll(command);
        Process process = new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectInput(new File("/dev/null"))
                .redirectOutput(folder.resolve(name + ".log").toFile())
                .start();
        workloads.add(process);
        return process;
    }

    /** The own address of a workload, which must be known. */
    public String address(String workload) throws IOException, InterruptedException {
        String listed = tulle("workloads", workload).ok().out();
        int at = listed.indexOf(RANGE);
        if (at < 0) {
            throw new IllegalStateException("no address of " + workload + ": " + listed);
        }
        return listed.substring(at).split("[^0-9.]", 2)[0];
    }

    /** Runs a command as a workload to its end. */
    public Command in(String name, String... command) {
        List<String> words = new ArrayList<>(List.of("run"));
        words.addAll(List.of("--name", name, "--"));
        words.addAll(List.of(command));
        return tulle(words.toArray(String[]::new));
    }

    /** One of the mesh's ports, by Istio's number. */
    public int port(int number) {
        return number + PORT_OFFSET;
    }

    /** A program of the tests' resources, as a path that an interpreter can run. */
    public Path program(String name) throws IOException {
        Path target = folder.resolve("programs").resolve(name);
        if (!Files.exists(target)) {
            Files.createDirectories(target.getParent());
            try (var in = MeshLab.class.getResourceAsStream("/programs/" + name)) {
                if (in == null) {
                    throw new AssertionError("no program " + name + " in the tests' resources");
                }
                Files.copy(in, target);
            }
        }
        return target;
    }

    /** Waits until a condition holds; looks every 50 ms. */
    public void await(String what, Duration bound, BooleanSupplier condition) throws InterruptedException, IOException {
        long end = System.nanoTime() + bound.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("not within " + bound + ": " + what + "\n" + log());
            }
            Thread.sleep(50);
        }
    }

    private void stopProcesses() throws InterruptedException {
        for (Process workload : workloads) {
            workload.descendants().forEach(ProcessHandle::destroyForcibly);
            workload.destroyForcibly().waitFor();
        }
        up.destroy();
        if (!up.waitFor(40, TimeUnit.SECONDS)) {
            up.descendants().forEach(ProcessHandle::destroyForcibly);
            up.destroyForcibly().waitFor();
            throw new AssertionError("tulle up did not stop within 40 s");
        }
    }

    /** Stops everything; fails when something is left on the host. */
    @Override
    public void close() throws IOException, InterruptedException {
        MeshObjects objects = MeshObjects.of(NAME);
        stopProcesses();
        String log = log();
        Set<String> left = new TreeSet<>(HostTraces.of(NAME).since(before));
        left.addAll(objects.left(Duration.ofSeconds(3)));
        Path run = folder.resolve("run");
        if (Files.exists(run)) {
            left.add("run directory " + run);
        }
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
        if (!left.isEmpty()) {
            throw new AssertionError("the mesh left behind: " + left + "\n" + log);
        }
    }
}
