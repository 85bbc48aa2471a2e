package dev.tulle.cli.demo.hosts;

import dev.tulle.agent.host.Cgroups;
import dev.tulle.cli.client.MeshPlace;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A host of the demo: a process that holds a network namespace, one of mounts and one of control groups, and a mesh in them,
 * started by {@code tulle up} as a user would type it. One thread.
 */
final class DemoHost {
    private static final Duration START = Duration.ofSeconds(60);
    private static final Duration STOP = Duration.ofSeconds(25);
    private static final Duration PROGRAM_STOP = Duration.ofSeconds(5);

    private final Path home;
    private final Path folder;
    private final Cgroups groups;
    private final String group;
    private final String name;
    private final String address;
    private final List<Process> programs = new ArrayList<>();
    private @Nullable Process holder;
    private @Nullable Process mesh;

    /**
     * Not there yet.
     *
     * @param home the folder that holds the launcher
     * @param folder for state and logs
     * @param name the host's name, which is its mesh's as well
     * @param address where others reach it
     */
    DemoHost(Path home, Path folder, Cgroups groups, String name, String address) {
        this.home = home;
        this.folder = folder;
        this.groups = groups;
        this.group = "/" + DemoNetwork.NAME + "/" + name;
        this.name = name;
        this.address = address;
    }

    String name() {
        return name;
    }

    String address() {
        return address;
    }

    /** Which mesh commands mean. */
    MeshPlace place() {
        return new MeshPlace(meshName(), folder.resolve("run"));
    }

    private String meshName() {
        return DemoNetwork.NAME + "-" + name;
    }

    Path log(String of) {
        return folder.resolve(of + ".log");
    }

    /** Makes the namespaces and connects them to the switch. */
    void begin(DemoNetwork network, String link) throws IOException, InterruptedException {
        Files.createDirectories(folder);
        groups.create(group);
        // In its group before it has a namespace of groups: that begins where the process is.
        Process made = new ProcessBuilder(
                        "sh",
                        "-c",
                        "echo $$ >\"$1/cgroup.procs\" && exec unshare --net --mount --cgroup --uts sleep infinity",
                        "sh",
                        groups.directory(group).toString())
                .start();
        holder = made;
        DemoNetwork.awaitNamespace(made, "cgroup");
        network.plug(made, link);
        for (List<String> line : List.of(
                List.of("ip", "link", "set", "lo", "up"),
                List.of("ip", "address", "add", address + "/24", "dev", "eth0"),
                List.of("ip", "link", "set", "eth0", "up"),
                List.of("hostname", name),
                // What is mounted there shows all groups, and the pins, of the machine.
                List.of("umount", "-l", groups.mount().toString()),
                List.of("mount", "-t", "cgroup2", "none", groups.mount().toString()),
                List.of("mount", "-t", "bpf", "none", "/sys/fs/bpf"))) {
            run(line);
        }
    }

    /** Runs a short command on the host and gives what it printed. */
    String run(List<String> line) throws IOException, InterruptedException {
        return Commands.run(inside(line));
    }

    /** A namespace of groups moves nobody: commands start in this host's part of the hierarchy. */
    private List<String> inside(List<String> line) {
        Process held = holder;
        if (held == null) {
            throw new IllegalStateException(name + " has not begun");
        }
        List<String> command = new ArrayList<>(List.of(
                "sh",
                "-c",
                "echo $$ >\"$1/cgroup.procs\" && shift && exec \"$@\"",
                "sh",
                groups.directory(group).toString()));
        command.addAll(List.of("nsenter", "-t", Long.toString(held.pid())));
        command.addAll(List.of("--net", "--mount", "--cgroup", "--uts", "--"));
        command.addAll(line);
        return command;
    }

    private Process start(List<String> line, Path log) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(inside(line))
                .redirectErrorStream(true)
                .redirectInput(new File("/dev/null"))
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        builder.environment().put("TULLE_MESH", meshName());
        builder.environment().put("TULLE_RUN_DIR", folder.resolve("run").toString());
        return builder.start();
    }

    /**
     * Starts the mesh and waits until it is ready.
     *
     * @param options further ones, such as how to join
     * @throws IOException when it does not get ready
     */
    void startMesh(List<String> options) throws IOException, InterruptedException {
        List<String> command =
                new ArrayList<>(List.of("setsid", home.resolve("tulle").toString(), "up"));
        command.addAll(
                List.of("--mesh", meshName(), "--run-dir", folder.resolve("run").toString()));
        command.addAll(List.of("--state", folder.resolve("state").toString(), "--node", name));
        command.addAll(List.of("--range", "100.64.0.0/10", "--service-range", "240.240.0.0/16"));
        command.addAll(options);
        Process started = start(command, log("mesh"));
        mesh = started;
        Path ready = folder.resolve("run/ready");
        long end = System.nanoTime() + START.toNanos();
        while (!Files.exists(ready)) {
            if (!started.isAlive() || System.nanoTime() > end) {
                throw new IOException("the mesh of " + name + " "
                        + (started.isAlive() ? "is not ready after " + START.toSeconds() + " s" : "has ended")
                        + "; its log is "
                        + log("mesh"));
            }
            Thread.sleep(10);
        }
    }

    /** Starts a program as a workload; the options are those of {@code tulle run}. */
    void startProgram(String program, List<String> options, List<String> command) throws IOException {
        List<String> line =
                new ArrayList<>(List.of("setsid", home.resolve("tulle").toString(), "run", "--name", program));
        line.addAll(options);
        line.add("--");
        line.addAll(command);
        programs.add(start(line, log(program)));
    }

    /** Ends programs, mesh and namespaces, and what they left in the hierarchy of control groups. */
    void stop() throws IOException, InterruptedException {
        programs.forEach(DemoHost::terminate);
        for (Process program : programs) {
            await(program, PROGRAM_STOP);
        }
        programs.clear();
        Process running = mesh;
        if (running != null) {
            running.destroy();
            await(running, STOP);
            mesh = null;
        }
        Process held = holder;
        if (held != null) {
            held.destroyForcibly().waitFor();
            holder = null;
        }
        DemoNetwork.removeGroup(groups.directory(group));
    }

    private static void terminate(Process process) {
        process.descendants().forEach(ProcessHandle::destroy);
        process.destroy();
    }

    private static void await(Process process, Duration patience) throws InterruptedException {
        if (!process.waitFor(patience)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
        }
    }
}
