package dev.tulle.config;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Tells whether some process still has a file open for writing, by looking through {@code /proc}. Sees the processes
 * that the caller may look into: all for root, those of the same user otherwise; an unseen writer is caught, most
 * times, by the other signs of a half-written file.
 */
final class OpenWriters {
    private static final Path PROC = Path.of("/proc");

    /** The access mode in the flags of a descriptor; 0 is read-only. */
    private static final int ACCESS_MODE = 3;

    /** A host with very many descriptors is not looked through to the end. */
    private static final long BUDGET_NANOS = 100_000_000;

    private OpenWriters() {}

    /** What a look through the processes showed. */
    enum Finding {
        NONE,
        WRITER,
        /** There were too many descriptors to look at in the time given. */
        UNKNOWN
    }

    static Finding find(Path file) {
        long end = System.nanoTime() + BUDGET_NANOS;
        Path real;
        try {
            real = file.toRealPath();
        } catch (IOException e) {
            return Finding.NONE;
        }
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            for (Path process : processes) {
                if (writes(process, real)) {
                    return Finding.WRITER;
                }
                if (System.nanoTime() - end > 0) {
                    return Finding.UNKNOWN;
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // No /proc to look at: the other signs must do.
        }
        return Finding.NONE;
    }

    private static boolean writes(Path process, Path file) {
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(process.resolve("fd"))) {
            for (Path descriptor : descriptors) {
                if (isLinkTo(descriptor, file) && isForWriting(process, descriptor.getFileName())) {
                    return true;
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // The process has gone, or is not ours to look into.
        }
        return false;
    }

    private static boolean isLinkTo(Path descriptor, Path file) {
        try {
            return Files.readSymbolicLink(descriptor).equals(file);
        } catch (IOException e) {
            return false;
        }
    }

    private static boolean isForWriting(Path process, Path number) throws IOException {
        for (String line : Files.readAllLines(process.resolve("fdinfo").resolve(number))) {
            if (line.startsWith("flags:")) {
                return (Integer.parseInt(line.substring("flags:".length()).strip(), 8) & ACCESS_MODE) != 0;
            }
        }
        return false;
    }
}
