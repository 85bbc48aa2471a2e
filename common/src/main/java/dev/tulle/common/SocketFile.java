package dev.tulle.common;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * The file of a Unix socket. A server binds a name beside the final one, and gives it that name only when its permissions
 * are set: at no moment may a stranger connect, whatever the process's umask.
 */
public final class SocketFile {
    private SocketFile() {}

    /**
     * Makes room: creates the directory and removes what an earlier process left.
     *
     * @return the name to bind, for {@link #publish}
     * @throws IOException when another live process serves the socket
     */
    public static Path prepare(Path socket) throws IOException {
        Files.createDirectories(socket.toAbsolutePath().getParent());
        if (Files.exists(socket) && LocalApiClient.answers(socket)) {
            throw new IOException(socket + ": another process already serves this socket");
        }
        Files.deleteIfExists(socket);
        Path bound = socket.resolveSibling(socket.getFileName() + "~");
        Files.deleteIfExists(bound);
        return bound;
    }

    /**
     * Sets who may use a bound socket and gives it its name.
     *
     * @throws IOException when its permissions cannot be set
     */
    public static void publish(Path bound, Path socket, SocketAccess access) throws IOException {
        access.apply(bound);
        Files.move(bound, socket, StandardCopyOption.ATOMIC_MOVE);
    }

    /**
     * Lets every user of the host connect, and gives a bound socket its name: for a server that finds out by itself whom it
     * answers what.
     *
     * @throws IOException when its permissions cannot be set
     */
    public static void publishToAll(Path bound, Path socket) throws IOException {
        Files.setPosixFilePermissions(bound, PosixFilePermissions.fromString("rw-rw-rw-"));
        Files.move(bound, socket, StandardCopyOption.ATOMIC_MOVE);
    }
}
