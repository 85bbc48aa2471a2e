package dev.tulle.common;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;

/** Directories and files of a privileged role, made so that no other user can read them or lead the role elsewhere. */
public final class PrivateFiles {
    private static final Set<PosixFilePermission> OWNER_AND_GROUP = PosixFilePermissions.fromString("rwxr-x---");

    private PrivateFiles() {}

    /**
     * Makes a directory that others may not enter. One that exists already is closed to others only when it is known to
     * be ours: it may be one that somebody shares with us.
     *
     * @param marks names of files of which one at least is in a directory of ours
     * @throws IOException when it cannot be made
     */
    public static void directory(Path directory, List<String> marks) throws IOException {
        boolean ours = Files.notExists(directory);
        Files.createDirectories(directory);
        ours |= marks.stream().anyMatch(mark -> Files.exists(directory.resolve(mark), LinkOption.NOFOLLOW_LINKS));
        if (ours && owner(directory) == SocketAccess.self()) {
            Files.setPosixFilePermissions(directory, OWNER_AND_GROUP);
        }
    }

    /**
     * Opens a file to append to. A process of root follows no link to it, writes into no file of another user and none
     * that has a second name, and expects that only root can exchange the directory that it is in: the directory itself
     * may belong to another user.
     *
     * @throws IOException when it cannot be opened, or is not what root may write into
     */
    public static OutputStream append(Path file) throws IOException {
        if (SocketAccess.self() != 0) {
            return Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        }
        Path parent = file.toAbsolutePath().normalize().getParent();
        for (Path above = parent == null ? null : parent.getParent(); above != null; above = above.getParent()) {
            if (owner(above) != 0) {
                throw new FileSystemException(
                        file.toString(), null, above + " belongs to uid " + owner(above) + ": expected root's");
            }
        }
        if (parent != null && Files.isSymbolicLink(parent)) {
            throw new FileSystemException(file.toString(), null, parent + " is a link: expected a directory");
        }
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)
                && (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                        || owner(file) != 0
                        || (Integer) Files.getAttribute(file, "unix:nlink", LinkOption.NOFOLLOW_LINKS) != 1)) {
            throw new FileSystemException(
                    file.toString(), null, "expected a file of root's with this one name, or none yet");
        }
        return Files.newOutputStream(
                file, StandardOpenOption.CREATE, StandardOpenOption.APPEND, LinkOption.NOFOLLOW_LINKS);
    }

    private static int owner(Path file) throws IOException {
        return (Integer) Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    }
}
