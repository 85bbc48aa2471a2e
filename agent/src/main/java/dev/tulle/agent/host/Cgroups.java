package dev.tulle.agent.host;

import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The host's cgroup v2 hierarchy. Paths of groups are relative to its mount point, begin with {@code /} and are
 * {@code /} for the root. Thread-safe: it keeps no state but the mount point.
 */
public final class Cgroups {
    private final Path mount;

    /** For a hierarchy that is mounted here. */
    public Cgroups(Path mount) {
        this.mount = mount;
    }

    /**
     * Finds the hierarchy in the table of mounts, also where it is mounted beside version 1.
     *
     * @throws IOException when no cgroup v2 hierarchy is mounted
     */
    public static Cgroups find() throws IOException {
        return find(Files.readAllLines(Path.of("/proc/self/mountinfo")))
                .map(Cgroups::new)
                .orElseThrow(() -> new IOException(
                        "no cgroup v2 hierarchy is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup/unified"));
    }

    /**
     * The hierarchy that is mounted there; where nothing is said, the one in the table of mounts.
     *
     * @throws IOException when none is to be found
     */
    public static Cgroups at(Optional<Path> mount) throws IOException {
        return mount.isPresent() ? new Cgroups(mount.get()) : find();
    }

    static Optional<Path> find(List<String> mountinfo) {
        return mountinfo.stream()
                .filter(line -> line.contains(" - cgroup2 "))
                .map(line -> line.split(" "))
                .filter(fields -> fields.length > 4 && fields[3].equals("/"))
                .map(fields -> Path.of(unescape(fields[4])))
                .findFirst();
    }

    /** Mount points carry spaces and the like as three octal digits after a backslash. */
    static String unescape(String field) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < field.length(); i++) {
            if (field.charAt(i) == '\\' && i + 3 < field.length()) {
                text.append((char) Integer.parseInt(field.substring(i + 1, i + 4), 8));
                i += 3;
            } else {
                text.append(field.charAt(i));
            }
        }
        return text.toString();
    }

    /** Where the hierarchy is mounted. */
    public Path mount() {
        return mount;
    }

    /** The directory of a group. */
    public Path directory(String group) {
        Path directory = mount.resolve(group.substring(1)).normalize();
        if (!directory.startsWith(mount)) {
            throw new IllegalArgumentException("control group '" + group + "' leaves the hierarchy");
        }
        return directory;
    }

    /** The group of a directory given by a user: absolute in the file system, or relative to the mount point. */
    public Optional<String> group(String path) {
        Path given = Path.of(path);
        Path directory = given.startsWith(mount)
                ? given.normalize()
                : mount.resolve(path.startsWith("/") ? path.substring(1) : path).normalize();
        boolean usable = directory.startsWith(mount) && Files.exists(directory.resolve("cgroup.procs"));
        return usable ? Optional.of("/" + mount.relativize(directory)) : Optional.empty();
    }

    /** True when the group exists. */
    public boolean exists(String group) {
        return Files.isDirectory(directory(group));
    }

    /**
     * The kernel's number of a group, as the programs see it.
     *
     * @throws IOException when it does not exist
     */
    public long id(String group) throws IOException {
        return (Long) Files.getAttribute(directory(group), "unix:ino");
    }

    /** Makes a group and its parents. */
    public void create(String group) throws IOException {
        Files.createDirectories(directory(group));
    }

    /** True when a process runs in the group or below; false too when it does not exist. */
    public boolean populated(String group) throws IOException {
        try {
            return Files.readAllLines(directory(group).resolve("cgroup.events")).contains("populated 1");
        } catch (NoSuchFileException e) {
            return false;
        } catch (IOException e) {
            // The group went away between open and read: the kernel answers "no such device".
            if (!exists(group)) {
                return false;
            }
            throw e;
        }
    }

    /**
     * True when a process has run in the group or below, also one that has ended since: the kernel keeps the time that
     * they used, with or without a cpu controller.
     */
    public boolean everRan(String group) throws IOException {
        try {
            return Files.readAllLines(directory(group).resolve("cpu.stat")).stream()
                    .anyMatch(line -> line.startsWith("usage_usec ") && !line.equals("usage_usec 0"));
        } catch (NoSuchFileException e) {
            return false;
        } catch (IOException e) {
            if (!exists(group)) {
                return false;
            }
            throw e;
        }
    }

    /**
     * The processes directly in a group; empty when it does not exist. A threaded group has none of its own: its threads'
     * processes are in the group above.
     */
    public List<Long> processes(String group) throws IOException {
        try {
            Path type = directory(group).resolve("cgroup.type");
            if (Files.exists(type) && Files.readString(type).strip().equals("threaded")) {
                return List.of();
            }
            return Files.readAllLines(directory(group).resolve("cgroup.procs")).stream()
                    .map(Long::valueOf)
                    .toList();
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException e) {
            if (!exists(group)) {
                return List.of();
            }
            throw e;
        }
    }

    /** The groups directly below. */
    public List<String> children(String group) throws IOException {
        Path directory = directory(group);
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        String prefix = group.equals("/") ? "/" : group + "/";
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.filter(Files::isDirectory)
                    .map(entry -> prefix + entry.getFileName())
                    .sorted()
                    .toList();
        }
    }

    /**
     * Moves a process into a group.
     *
     * @throws IOException when the process or the group is gone, or the kernel refuses
     */
    public void move(long pid, String group) throws IOException {
        Files.writeString(directory(group).resolve("cgroup.procs"), Long.toString(pid), StandardOpenOption.WRITE);
    }

    /**
     * The group of a process.
     *
     * @throws IOException when the process does not exist
     */
    public String groupOf(long pid) throws IOException {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/cgroup"))) {
                if (line.startsWith("0::")) {
                    return line.substring(3);
                }
            }
        } catch (NoSuchFileException e) {
            throw new IOException("process " + pid + " does not exist", e);
        }
        throw new IOException("process " + pid + " is in no cgroup v2 hierarchy");
    }

    /**
     * Moves a process and everything that descends from it into a group, again until no descendant is left outside, so
     * that a child made meanwhile is not missed. At most 100 rounds.
     */
    public void moveTree(long pid, String group) throws IOException {
        Set<Long> moved = new HashSet<>();
        move(pid, group);
        moved.add(pid);
        for (int round = 0; round < 100; round++) {
            List<Long> left = new ArrayList<>();
            ProcessHandle.of(pid)
                    .ifPresent(handle ->
                            handle.descendants().map(ProcessHandle::pid).forEach(left::add));
            left.removeAll(moved);
            if (left.isEmpty()) {
                return;
            }
            for (long child : left) {
                moved.add(child);
                if (Files.exists(Path.of("/proc/" + child)) && !groupOf(child).equals(group)) {
                    move(child, group);
                }
            }
        }
        throw new IOException("process " + pid + " starts children faster than they can be moved");
    }

    /**
     * Removes a group and all below it. Processes that still run there go to {@code refuge}. Nothing happens when it
     * does not exist.
     *
     * @throws IOException when a group stays populated
     */
    public void remove(String group, String refuge) throws IOException {
        Path directory = directory(group);
        if (group.equals("/") || !Files.isDirectory(directory)) {
            return;
        }
        List<Path> groups;
        try (Stream<Path> all = Files.walk(directory)) {
            groups = all.filter(Files::isDirectory)
                    .sorted(Comparator.reverseOrder())
                    .toList();
        }
        for (Path one : groups) {
            String name = "/" + mount.relativize(one);
            for (int round = 0; round < 100 && Files.exists(one); round++) {
                for (long pid : processes(name)) {
                    moveIfAlive(pid, refuge);
                }
                try {
                    Files.deleteIfExists(one);
                } catch (DirectoryNotEmptyException e) {
                    throw new IOException("control group " + one + " got a new group while being removed", e);
                } catch (IOException e) {
                    // Busy: a process that is just exiting still counts for a moment.
                    pause();
                }
            }
            if (Files.exists(one)) {
                throw new IOException("control group " + one + " cannot be removed: processes " + processes(name));
            }
        }
    }

    private void moveIfAlive(long pid, String refuge) throws IOException {
        try {
            move(pid, refuge);
        } catch (IOException e) {
            if (Files.exists(Path.of("/proc/" + pid))
                    && !Files.readString(Path.of("/proc/" + pid + "/stat")).contains(") Z ")) {
                throw e;
            }
        }
    }

    private static void pause() throws IOException {
        try {
            Thread.sleep(10);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
