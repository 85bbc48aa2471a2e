package dev.tulle.agent;

import dev.tulle.agent.host.Cgroups;
import dev.tulle.common.ExclusiveFile;
import dev.tulle.common.PrivateFiles;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfFs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What an agent needs of the host before anything else: its directories, the mesh's control groups, a bpf file system,
 * and the certainty that it is the only agent of this mesh. Closing gives the lock back and leaves the groups in place.
 */
final class HostSetup implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(HostSetup.class.getName());
    private static final String CLEAN = "ended cleanly";

    private final AgentOptions options;
    private final Cgroups cgroups;
    private final ExclusiveFile lock;
    private final String lastEnd;
    private @Nullable String groupBefore;

    private HostSetup(AgentOptions options, Cgroups cgroups, ExclusiveFile lock, String lastEnd) {
        this.options = options;
        this.cgroups = cgroups;
        this.lock = lock;
        this.lastEnd = lastEnd;
    }

    /**
     * Prepares the host.
     *
     * @throws IOException when something is missing or forbidden, or another agent of this mesh runs
     */
    static HostSetup prepare(AgentOptions options) throws IOException {
        Cgroups cgroups = Cgroups.at(options.cgroupRoot());
        Files.createDirectories(options.runDirectory());
        PrivateFiles.directory(options.stateDirectory(), List.of("node-leases.json", "leases.json"));
        Path file = options.runDirectory().resolve("agent.lock");
        ExclusiveFile lock = ExclusiveFile.tryHold(file)
                .orElseThrow(() -> new MeshBusyException(
                        "another agent of this mesh runs: process " + ExclusiveFile.peek(file) + " holds " + file));
        try {
            List<Long> others = agents(options, cgroups);
            if (!others.isEmpty()) {
                throw new MeshBusyException("another agent of mesh " + options.meshName() + " runs: process "
                        + others.getFirst() + ", with another run directory than " + options.runDirectory());
            }
            HostSetup setup = new HostSetup(options, cgroups, lock, lastEnd(lock.text()));
            lock.write(Long.toString(ProcessHandle.current().pid()));
            setup.makeGroups();
            return setup;
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /** Processes of agents of this mesh, wherever their directories are; never this one. */
    static List<Long> agents(AgentOptions options, Cgroups cgroups) throws IOException {
        long self = ProcessHandle.current().pid();
        return cgroups.processes(options.meshGroup() + "/agent").stream()
                .filter(pid -> pid != self)
                .filter(pid -> ProcessHandle.current().descendants().noneMatch(child -> child.pid() == pid))
                .toList();
    }

    /** The lock file holds the pid of a running agent; one that is left in it was not removed by that agent. */
    private static String lastEnd(String text) {
        return text.isEmpty() || text.equals(CLEAN)
                ? ""
                : "the agent before this one (process " + text
                        + ") ended without stopping; capture stayed in force and its workloads were taken over";
    }

    private void makeGroups() throws IOException {
        try {
            for (String name : new String[] {"", "/agent", "/proxy", "/workloads"}) {
                cgroups.create(options.meshGroup() + name);
            }
            long self = ProcessHandle.current().pid();
            groupBefore = cgroups.groupOf(self);
            cgroups.move(self, options.meshGroup() + "/agent");
        } catch (IOException e) {
            throw new IOException(
                    "control groups cannot be made under " + cgroups.mount() + ": " + e.getMessage()
                            + " (the agent needs root, or write access there)",
                    e);
        }
    }

    /**
     * Mounts the bpf file system where the pins should go, if there is none.
     *
     * @return why that is not possible; empty when it is there
     */
    Optional<String> mountBpf() {
        try {
            Path pins = options.pinDirectory();
            if (BpfFs.isOn(pins)) {
                return Optional.empty();
            }
            if (!pins.startsWith(BpfFs.DEFAULT)) {
                return Optional.of(
                        pins + " is not on a bpf file system, and only " + BpfFs.DEFAULT + " can be mounted");
            }
            if (BpfFs.ensureMounted(BpfFs.DEFAULT)) {
                LOG.log(System.Logger.Level.INFO, "mounted the bpf file system at " + BpfFs.DEFAULT);
                Files.writeString(Traces.bpfMountMark(options), BpfFs.DEFAULT.toString());
            }
            return Optional.empty();
        } catch (IOException | BpfException e) {
            return Optional.of("the bpf file system cannot be mounted: " + e.getMessage());
        }
    }

    /** Something that may fail. */
    @FunctionalInterface
    interface Task {
        void run() throws IOException;
    }

    /**
     * Does something while this process is in the node proxy's control group: the kernel looks there for the programs of
     * socket options, as that is where the listening socket of an accepted connection was made.
     */
    void inProxyGroup(Task task) throws IOException {
        inProxyGroup(cgroups, options.meshGroup(), task);
    }

    /** The same for whoever knows the mesh's group only; the process must be in the agent's. */
    static void inProxyGroup(Cgroups cgroups, String meshGroup, Task task) throws IOException {
        long self = ProcessHandle.current().pid();
        cgroups.move(self, meshGroup + "/proxy");
        try {
            task.run();
        } finally {
            cgroups.move(self, meshGroup + "/agent");
        }
    }

    Cgroups cgroups() {
        return cgroups;
    }

    /** How the agent before this one ended, in words; empty when it stopped as it should, or there was none. */
    String lastEnd() {
        return lastEnd;
    }

    /** Leaves the agent's group and gives the lock back. */
    @Override
    public void close() {
        try {
            String back = groupBefore;
            if (back != null && !back.startsWith(options.meshGroup()) && cgroups.exists(back)) {
                cgroups.move(ProcessHandle.current().pid(), back);
            }
            lock.write(CLEAN);
            lock.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "ending: " + e.getMessage());
        }
    }
}
