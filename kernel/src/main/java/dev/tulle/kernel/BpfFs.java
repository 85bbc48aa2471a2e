package dev.tulle.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** The bpf file system, where pins live. Stateless; any thread. */
public final class BpfFs {
    /** Where it is mounted by custom. */
    public static final Path DEFAULT = Path.of("/sys/fs/bpf");

    private BpfFs() {}

    /** Whether {@code directory} (or, if it does not exist yet, its nearest parent) lies on a bpf file system. */
    public static boolean isOn(Path directory) throws IOException {
        Path at = directory.toAbsolutePath();
        while (!Files.exists(at)) {
            Path parent = at.getParent();
            if (parent == null) {
                return false;
            }
            at = parent;
        }
        return Files.getFileStore(at).type().equals("bpf");
    }

    /**
     * Mounts a bpf file system at {@code point} unless one is there.
     *
     * @return true if this call mounted it, so that whoever removes every trace knows that it may unmount it
     */
    public static boolean ensureMounted(Path point) throws IOException {
        if (MountTable.read().stream()
                .anyMatch(m -> m.type().equals("bpf") && m.point().equals(point.toAbsolutePath()))) {
            return false;
        }
        BpfException.check(LibC.mount("bpf", point, "bpf"), "cannot mount the bpf file system at " + point);
        return true;
    }

    /** Unmounts; all pins of that mount are gone with it. */
    public static void unmount(Path point) {
        BpfException.check(LibC.unmount(point), "cannot unmount " + point);
    }

    /** The pins and directories right below {@code directory}, by name; empty if it does not exist. */
    public static List<Path> list(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            // Every mount's root holds the kernel's own maps.debug and progs.debug.
            return entries.filter(p -> !p.getFileName().toString().endsWith(".debug"))
                    .sorted()
                    .toList();
        } catch (NoSuchFileException e) {
            return List.of();
        }
    }

    /** Removes one pin; false if there was none. */
    public static boolean unpin(Path pin) {
        try {
            return Files.deleteIfExists(pin);
        } catch (IOException e) {
            BpfException failed = new BpfException("cannot remove the pin " + pin + ": " + e.getMessage());
            failed.initCause(e);
            throw failed;
        }
    }

    /** Removes a directory with every pin below it; refuses one that is not on a bpf file system. */
    public static void removeAll(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        if (!isOn(directory)) {
            throw new BpfException(directory + " is not on a bpf file system: nothing was removed");
        }
        List<Path> all;
        try (Stream<Path> tree = Files.walk(directory)) {
            all = tree.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : all) {
            Files.deleteIfExists(path);
        }
    }
}
