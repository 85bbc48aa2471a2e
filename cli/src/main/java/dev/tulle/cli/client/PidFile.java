package dev.tulle.cli.client;

import dev.tulle.common.PrivateFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * A role's process, remembered in the run directory as its pid and start time, so that a pid that the kernel gave to
 * another process later is not mistaken for it.
 */
public final class PidFile {
    private PidFile() {}

    private static Path file(Path runDirectory, String role) {
        return runDirectory.resolve(role + ".pid");
    }

    /**
     * Remembers a living process.
     *
     * @throws IOException when the file cannot be written or the process is gone
     */
    public static void write(Path runDirectory, String role, long pid) throws IOException {
        Path file = file(runDirectory, role);
        PrivateFiles.replace(file, pid + " " + startTime(pid) + "\n");
    }

    /** Forgets the process. */
    public static void remove(Path runDirectory, String role) throws IOException {
        Files.deleteIfExists(file(runDirectory, role));
    }

    /** The pid when that same process still lives. */
    public static OptionalLong living(Path runDirectory, String role) {
        try {
            String[] parts = Files.readString(file(runDirectory, role)).trim().split(" ", -1);
            if (parts.length == 2) {
                long pid = Long.parseLong(parts[0]);
                if (startTime(pid).equals(parts[1])) {
                    return OptionalLong.of(pid);
                }
            }
        } catch (IOException | NumberFormatException e) {
            // No file, or no such process: either way nothing lives.
            return OptionalLong.empty();
        }
        return OptionalLong.empty();
    }

    /** The kernel's start time of a process, which tells it from a later one with the same pid; empty when it has ended. */
    public static String start(long pid) {
        try {
            return startTime(pid);
        } catch (IOException e) {
            return "";
        }
    }

    /**
     * The kernel's start time of a process, in its clock ticks since boot.
     *
     * @throws IOException when there is no such process, or it is a zombie
     */
    private static String startTime(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
        // The command name, in parentheses, may hold spaces; fields are counted after it: 0 is the state, 19 the start.
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        if (fields[0].equals("Z")) {
            throw new IOException("process " + pid + " has ended");
        }
        return fields[19];
    }
}
