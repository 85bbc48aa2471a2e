package dev.tulle.kernel;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The cgroup v2 tree of this host, wherever it is mounted (hybrid hosts have it beside the v1 trees). Stateless; any
 * thread. Paths are absolute directories below {@link #root}.
 */
public final class CgroupFs {
    private final Path root;

    private CgroupFs(Path root) {
        this.root = root;
    }

    /** The tree that /proc/self/mountinfo names; throws {@link IOException} if cgroup v2 is not mounted. */
    public static CgroupFs find() throws IOException {
        return new CgroupFs(choose(MountTable.read()));
    }

    static Path choose(List<MountTable.Mount> mounts) throws IOException {
        // A whole tree is better than a part of it bound elsewhere; among equals the first mount is the host's own.
        return mounts.stream()
                .filter(m -> m.type().equals("cgroup2"))
                .min(Comparator.comparingInt(m -> m.root().equals("/") ? 0 : 1))
                .map(MountTable.Mount::point)
                .orElseThrow(() -> new IOException(
                        "no cgroup2 file system in /proc/self/mountinfo: mount one, such as at /sys/fs/cgroup"));
    }

    /** Where cgroup v2 is mounted. */
    public Path root() {
        return root;
    }

    /** Makes the cgroup and its parents; one that exists is no error. */
    public Path create(String relative) throws IOException {
        Path wanted = inside(root.resolve(relative));
        List<Path> missing = new ArrayList<>();
        for (Path at = wanted; !at.equals(root); at = Objects.requireNonNull(at.getParent())) {
            missing.addFirst(at);
        }
        for (Path at : missing) {
            try {
                Files.createDirectory(at);
            } catch (FileAlreadyExistsException e) {
                // somebody made it before us: that is what was wanted
            }
        }
        return wanted;
    }

    /**
     * Removes a cgroup with all below it; false if it does not exist. A cgroup that still has processes is busy and the
     * {@link IOException} says so; just-ended processes can keep it busy for a moment.
     */
    public boolean remove(Path cgroup) throws IOException {
        Path wanted = inside(cgroup);
        if (!Files.isDirectory(wanted)) {
            return false;
        }
        List<Path> directories;
        try (Stream<Path> tree = Files.walk(wanted)) {
            directories = tree.filter(Files::isDirectory)
                    .sorted(Comparator.reverseOrder())
                    .toList();
        }
        for (Path directory : directories) {
            Files.deleteIfExists(directory);
        }
        return true;
    }

    /** The 64-bit id that BPF programs see: the directory's inode number. */
    public long id(Path cgroup) throws IOException {
        Object inode = Files.getAttribute(cgroup, "unix:ino");
        return (Long) inode;
    }

    /** Moves a process, with all its threads, into the cgroup. Children that it has already stay where they are. */
    public void move(long pid, Path cgroup) throws IOException {
        Path processes = inside(cgroup).resolve("cgroup.procs");
        try {
            Files.write(processes, Long.toString(pid).getBytes(StandardCharsets.US_ASCII), StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new IOException("cannot move process " + pid + " into cgroup " + cgroup + ": " + e.getMessage(), e);
        }
    }

    /** Processes in this very cgroup, not below it. */
    public List<Long> processes(Path cgroup) throws IOException {
        List<Long> pids = new ArrayList<>();
        for (String line : Files.readAllLines(cgroup.resolve("cgroup.procs"))) {
            pids.add(Long.parseLong(line.strip()));
        }
        return pids;
    }

    /** Kills every process of the cgroup and of those below it at once (SIGKILL); returns before they are all gone. */
    public void kill(Path cgroup) throws IOException {
        Path wanted = inside(cgroup);
        if (wanted.equals(root)) {
            throw new IllegalArgumentException("the root cgroup holds the whole host: it is not killed");
        }
        Path all = wanted.resolve("cgroup.kill");
        if (Files.exists(all)) {
            Files.write(all, new byte[] {'1'}, StandardOpenOption.WRITE);
            return;
        }
        // Before kernel 5.14: one by one, parents first, so that a child made meanwhile is found on a later pass.
        try (Stream<Path> tree = Files.walk(wanted)) {
            for (Path directory : tree.filter(Files::isDirectory).toList()) {
                for (long pid : processes(directory)) {
                    ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
                }
            }
        }
    }

    /** Whether the cgroup or one below it has a process; false if it does not exist. */
    public boolean populated(Path cgroup) throws IOException {
        try {
            return parsePopulated(Files.readString(cgroup.resolve("cgroup.events")));
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    static boolean parsePopulated(String events) {
        return events.lines().anyMatch(line -> line.strip().equals("populated 1"));
    }

    /** The cgroup of a process; throws {@link IOException} if the process is gone. */
    public Path of(long pid) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/cgroup"))) {
            if (line.startsWith("0::/")) {
                return root.resolve(line.substring("0::/".length())).normalize();
            }
        }
        throw new IOException("process " + pid + " is in no cgroup v2");
    }

    private Path inside(Path cgroup) {
        Path wanted = cgroup.normalize();
        if (!wanted.startsWith(root)) {
            throw new IllegalArgumentException("cgroup " + cgroup + " is not below " + root);
        }
        return wanted;
    }

    @Override
    public String toString() {
        return "cgroup v2 at " + root;
    }
}
