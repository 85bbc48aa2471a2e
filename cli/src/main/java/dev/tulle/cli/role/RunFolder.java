package dev.tulle.cli.role;

import dev.tulle.agent.ports.HeldPorts;
import dev.tulle.cli.client.PidFile;
import dev.tulle.common.LocalApiClient;
import dev.tulle.common.LocalUsers;
import dev.tulle.common.PrivateFiles;
import dev.tulle.common.SocketAccess;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/** The run directory: made at the start, emptied of this command's own files at a regular end. */
final class RunFolder {
    /** Exists while every role of `tulle up` serves. */
    static final String READY = "ready";

    /** Where one proxy process takes over from another; the only folder in which the proxy's user may write. */
    static final String HAND_OVER = "proxy";

    /** The socket of `tulle up` itself. */
    static final String UP_SOCKET = "up.sock";

    /** All for root, to be looked into by the group, which files in it get; to be passed through by others. */
    private static final int PASSED_THROUGH = 02751;

    private static final System.Logger LOG = System.getLogger(RunFolder.class.getName());

    private RunFolder() {}

    /**
     * Makes it root's; besides root only the mesh's group, or without one the proxy, may see what is in it. All others may
     * pass through, to the one socket that is for every workload; what else is there has permissions of its own.
     *
     * @throws IOException when it cannot be made
     */
    static void make(Path directory, LocalUsers users) throws IOException {
        Files.createDirectories(directory);
        SocketAccess.setGroup(directory, users.directoryGroup());
        // What is made there has its group, too.
        Files.setAttribute(directory, "unix:mode", PASSED_THROUGH);
    }

    /** Forgets that a process before this one was ready. */
    static void begin(Path directory) throws IOException {
        Files.deleteIfExists(directory.resolve(READY));
    }

    /**
     * Makes the folders in which the processes of the proxy meet, and those of the gateway.
     *
     * @throws IOException when it cannot be made
     */
    static void makeHandOver(Path directory, LocalUsers users) throws IOException {
        for (String name : List.of(HAND_OVER, HeldPorts.GATEWAY_HAND_OVER)) {
            Path folder = Files.createDirectories(directory.resolve(name));
            Files.setAttribute(folder, "unix:uid", users.proxy());
            SocketAccess.setGroup(folder, users.directoryGroup());
            Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-x---"));
        }
    }

    /** Removes what the commands of a role leave there, and the folder itself when nothing else is in it. */
    static void clear(Path directory) {
        try {
            for (String name : List.of(READY, "events.jsonl", "up.lock")) {
                Files.deleteIfExists(directory.resolve(name));
            }
            for (String role : List.of("up", "control", "agent", "proxy", "gateway")) {
                PidFile.remove(directory, role);
            }
            for (String name : List.of(
                    "control.sock",
                    "agent.sock",
                    "node.sock",
                    "sds.sock",
                    "workload.sock",
                    "xds.sock",
                    HeldPorts.SOCKET,
                    HeldPorts.GATEWAY_SOCKET,
                    UP_SOCKET)) {
                Path socket = directory.resolve(name);
                // One that a killed process left; a living role removes its own.
                if (Files.exists(socket) && !LocalApiClient.answers(socket)) {
                    Files.delete(socket);
                }
            }
            for (String folder : List.of("mounts", "secrets", HAND_OVER, HeldPorts.GATEWAY_HAND_OVER)) {
                PrivateFiles.removeTree(directory.resolve(folder));
            }
            Files.deleteIfExists(directory);
        } catch (DirectoryNotEmptyException e) {
            LOG.log(System.Logger.Level.DEBUG, directory + " is used by others too");
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, directory + ": cannot be cleared: " + e.getMessage());
        }
    }
}
