package dev.tulle.cli.demo.hosts;

import dev.tulle.agent.host.Cgroups;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The hosts of the demo and the switch between them, all in namespaces of their own. One thread. */
final class DemoNetwork {
    /** Also the control group above those of the hosts. */
    static final String NAME = "tulle-demo-hosts";

    /** For benchmarks of networks (RFC 2544): nobody's addresses. */
    private static final String NETWORK = "198.18.78.";

    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final List<DemoHost> hosts = new ArrayList<>();
    private final Cgroups groups;
    private @Nullable Process center;

    /**
     * Not there yet.
     *
     * @param count how many hosts
     * @param home the folder that holds the launcher
     * @param folder for state and logs of the hosts
     * @throws IOException when there are no control groups of version 2
     */
    DemoNetwork(int count, Path home, Path folder) throws IOException {
        groups = Cgroups.find();
        for (int number = 1; number <= count; number++) {
            String name = "host" + number;
            hosts.add(new DemoHost(home, folder.resolve(name), groups, name, NETWORK + number));
        }
    }

    List<DemoHost> hosts() {
        return List.copyOf(hosts);
    }

    /** Makes the namespaces. */
    void begin() throws IOException, InterruptedException {
        Process made = new ProcessBuilder("unshare", "--net", "sleep", "infinity").start();
        center = made;
        awaitNamespace(made, "net");
        inSwitch("ip", "link", "add", "br0", "type", "bridge");
        inSwitch("ip", "link", "set", "br0", "up");
        groups.create("/" + NAME);
        for (int i = 0; i < hosts.size(); i++) {
            hosts.get(i).begin(this, "tulledemo" + i);
        }
    }

    /** Connects a host's namespaces by a cable of this name. */
    void plug(Process holder, String link) throws IOException, InterruptedException {
        Process made = center;
        if (made == null) {
            throw new IllegalStateException("there is no switch");
        }
        inSwitch(
                "ip",
                "link",
                "add",
                link,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                Long.toString(holder.pid()));
        inSwitch("ip", "link", "set", link, "master", "br0", "up");
    }

    private void inSwitch(String... line) throws IOException, InterruptedException {
        Process made = center;
        if (made == null) {
            throw new IllegalStateException("there is no switch");
        }
        List<String> command = new ArrayList<>(List.of("nsenter", "-t", Long.toString(made.pid()), "--net", "--"));
        command.addAll(List.of(line));
        Commands.run(command);
    }

    /** Waits until a process has a namespace of its own. */
    static void awaitNamespace(Process process, String kind) throws IOException, InterruptedException {
        Path own = Files.readSymbolicLink(Path.of("/proc/self/ns", kind));
        Path its = Path.of("/proc", Long.toString(process.pid()), "ns", kind);
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (process.isAlive() && Files.readSymbolicLink(its).equals(own) && System.nanoTime() < end) {
            Thread.sleep(5);
        }
        if (!process.isAlive() || Files.readSymbolicLink(its).equals(own)) {
            throw new IOException(
                    "no namespace (" + kind + ") can be made here; expected root, and a kernel that has them");
        }
    }

    /** Ends everything that runs in a control group, and the group. */
    static void removeGroup(Path directory) throws IOException, InterruptedException {
        if (!Files.isDirectory(directory)) {
            return;
        }
        Path kill = directory.resolve("cgroup.kill");
        if (Files.exists(kill)) {
            Files.writeString(kill, "1");
        }
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            try (Stream<Path> all = Files.walk(directory)) {
                for (Path one : all.filter(Files::isDirectory)
                        .sorted(Comparator.reverseOrder())
                        .toList()) {
                    Files.delete(one);
                }
                return;
            } catch (IOException | java.io.UncheckedIOException e) {
                if (System.nanoTime() > end) {
                    throw e;
                }
                Thread.sleep(20);
            }
        }
    }

    /** Ends the hosts and the switch; all of them, whatever becomes of one. */
    void end() throws IOException, InterruptedException {
        IOException first = null;
        for (DemoHost host : hosts.reversed()) {
            try {
                host.stop();
            } catch (IOException e) {
                first = e;
            }
        }
        Process made = center;
        if (made != null) {
            made.destroyForcibly().waitFor();
            center = null;
        }
        removeGroup(groups.directory("/" + NAME));
        if (first != null) {
            throw first;
        }
    }
}
