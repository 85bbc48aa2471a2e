package dev.tulle.cli.role;

import dev.tulle.agent.MeshBusyException;
import dev.tulle.agent.NodeAgent;
import dev.tulle.cli.client.PidFile;
import dev.tulle.common.ExclusiveFile;
import dev.tulle.common.PrivateFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The certainty that one `tulle up` runs a mesh: of its name on this host, in its run directory, with its state directory.
 * Held by the process; the kernel gives it back when that ends. The launcher, which starts the process again after a
 * crash, counts as running it meanwhile.
 */
final class MeshLock implements AutoCloseable {
    private static final String FILE = "up.lock";

    private final List<ExclusiveFile> held;

    private MeshLock(List<ExclusiveFile> held) {
        this.held = held;
    }

    /** Who runs a mesh, as its lock file says: the process, and the launcher that would start it again. */
    private record Holder(long process, long launcher, String launcherStart) {
        static Holder self() {
            long parent =
                    ProcessHandle.current().parent().map(ProcessHandle::pid).orElse(0L);
            return new Holder(ProcessHandle.current().pid(), parent, PidFile.start(parent));
        }

        static Optional<Holder> of(String text) {
            String[] parts = text.split(" ", -1);
            try {
                return parts.length == 3
                        ? Optional.of(new Holder(Long.parseLong(parts[0]), Long.parseLong(parts[1]), parts[2]))
                        : Optional.empty();
            } catch (NumberFormatException e) {
                return Optional.empty();
            }
        }

        boolean launcherLives() {
            return launcher > 1
                    && !launcherStart.isEmpty()
                    && PidFile.start(launcher).equals(launcherStart);
        }

        String text() {
            return process + " " + launcher + " " + launcherStart;
        }
    }

    /**
     * Takes the mesh for this process; its run directory is there.
     *
     * @throws MeshBusyException when another process runs it, with one sentence that names it
     * @throws IOException when a lock file cannot be used
     */
    static MeshLock take(RoleOptions options) throws IOException {
        String mesh = options.place().mesh();
        Path run = options.runDirectory();
        Path state = options.stateDirectory();
        PrivateFiles.directory(state, List.of("node-leases.json", "leases.json"));
        List<ExclusiveFile> held = new ArrayList<>();
        MeshLock lock = new MeshLock(held);
        try {
            ExclusiveFile inRun = ExclusiveFile.tryHold(run.resolve(FILE))
                    .orElseThrow(() -> busy(mesh, run, ExclusiveFile.peek(run.resolve(FILE))));
            held.add(inRun);
            Holder before = Holder.of(inRun.text()).orElse(null);
            Holder self = Holder.self();
            if (before != null && before.launcherLives() && before.launcher() != self.launcher()) {
                throw new MeshBusyException("mesh " + mesh + " is just being started again by process "
                        + before.launcher() + " (run directory " + run + "): stop that first");
            }
            ExclusiveFile inState = ExclusiveFile.tryHold(state.resolve(FILE))
                    .orElseThrow(() -> new MeshBusyException("state directory " + state + " is that of a running mesh: "
                            + who(ExclusiveFile.peek(state.resolve(FILE))) + "; name another one with --state"));
            held.add(inState);
            List<Long> others = NodeAgent.running(options.agent());
            if (!others.isEmpty()) {
                throw new MeshBusyException("mesh " + mesh + " already runs on this host: process "
                        + others.getFirst() + ", with another run directory than " + run
                        + "; stop that first, or name another mesh with --mesh");
            }
            for (ExclusiveFile file : held) {
                file.write(self.text());
            }
            return lock;
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /**
     * Who runs the mesh now, in words; empty when nobody does.
     *
     * @throws MeshBusyException when its launcher is just starting it again, so that nobody can be asked to end
     */
    static Optional<String> holder(RoleOptions options) throws IOException {
        Path file = options.runDirectory().resolve(FILE);
        if (Files.exists(file)) {
            Optional<ExclusiveFile> free = ExclusiveFile.tryHold(file);
            if (free.isEmpty()) {
                return Optional.of(who(ExclusiveFile.peek(file)));
            }
            try (ExclusiveFile left = free.get()) {
                Optional<Holder> last = Holder.of(left.text()).filter(Holder::launcherLives);
                if (last.isPresent()) {
                    throw new MeshBusyException("mesh " + options.place().mesh() + " is just being started again by"
                            + " process " + last.get().launcher() + ": stop that first");
                }
            }
        }
        return NodeAgent.running(options.agent()).stream().findFirst().map(pid -> "process " + pid);
    }

    private static MeshBusyException busy(String mesh, Path run, String text) {
        return new MeshBusyException("mesh " + mesh + " already runs: " + who(text) + ", run directory " + run
                + "; stop that first, or start another one with --mesh, --port-offset, --run-dir and --state");
    }

    private static String who(String text) {
        return Holder.of(text)
                .map(holder -> "process " + holder.process()
                        + (holder.launcherLives() ? " (started by " + holder.launcher() + ")" : ""))
                .orElse("a process that is just starting");
    }

    /** Gives the mesh back. Idempotent. */
    @Override
    public void close() throws IOException {
        for (ExclusiveFile file : held) {
            file.close();
        }
        held.clear();
    }
}
