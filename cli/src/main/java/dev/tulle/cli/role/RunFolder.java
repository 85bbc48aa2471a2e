package dev.tulle.cli.role;

import dev.tulle.cli.client.PidFile;
import dev.tulle.common.LocalApiClient;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** The run directory: made at the start, emptied of this command's own files at a regular end. */
final class RunFolder {
    /** Exists while every role of `tulle up` serves. */
    static final String READY = "ready";

    private static final System.Logger LOG = System.getLogger(RunFolder.class.getName());

    private RunFolder() {}

    /**
     * Makes it enterable by the proxy's user, which must reach its socket in it, but listable by root only.
     *
     * @throws IOException when it cannot be made
     */
    static void make(Path directory) throws IOException {
        Files.createDirectories(directory);
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
        Files.deleteIfExists(directory.resolve(READY));
    }

    /** Removes what the commands of a role leave there, and the folder itself when nothing else is in it. */
    static void clear(Path directory) {
        try {
            for (String name : List.of(READY, "events.jsonl")) {
                Files.deleteIfExists(directory.resolve(name));
            }
            for (String role : List.of("up", "control", "agent", "proxy")) {
                PidFile.remove(directory, role);
            }
            for (String name : List.of("control.sock", "agent.sock", "node.sock")) {
                Path socket = directory.resolve(name);
                // One that a killed process left; a living role removes its own.
                if (Files.exists(socket) && !LocalApiClient.answers(socket)) {
                    Files.delete(socket);
                }
            }
            Path scratch = directory.resolve("mounts");
            if (Files.exists(scratch)) {
                try (Stream<Path> files = Files.walk(scratch)) {
                    for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                        Files.delete(file);
                    }
                }
            }
            Files.deleteIfExists(directory);
        } catch (DirectoryNotEmptyException e) {
            LOG.log(System.Logger.Level.DEBUG, directory + " is used by others too");
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, directory + ": cannot be cleared: " + e.getMessage());
        }
    }
}
