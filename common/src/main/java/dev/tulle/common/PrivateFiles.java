package dev.tulle.common;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;

/** Directories and files of a privileged role, made so that no other user can read them or lead the role elsewhere. */
public final class PrivateFiles {
    private static final Set<PosixFilePermission> OWNER_AND_GROUP = PosixFilePermissions.fromString("rwxr-x---");
    private static final int OTHERS_WRITE = 0022;
    private static final int STICKY = 01000;
    private static final int PERMISSIONS = 07777;
    private static final int OWNER_READS_AND_WRITES = 0600;
    private static final int OWNER_ENTERS = 0700;
    private static final int MAX_DEPTH = 16;

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
     * Replaces a small file, whole: for its owner and its directory's group to read, where that hands its group on.
     *
     * @throws IOException when it cannot be written; what was there is then still there
     */
    public static void replace(Path file, String text) throws IOException {
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(fresh);
        create(fresh);
        Files.writeString(fresh, text);
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /**
     * Makes an empty file for those alone.
     *
     * @throws IOException when it cannot be made, or there is one
     */
    public static void create(Path file) throws IOException {
        Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-r-----")));
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
        Path opened = parent == null ? file : fixed(parent).resolve(file.getFileName());
        if (Files.exists(opened, LinkOption.NOFOLLOW_LINKS)
                && (!Files.isRegularFile(opened, LinkOption.NOFOLLOW_LINKS)
                        || owner(opened) != 0
                        || attribute(opened, "nlink") != 1)) {
            throw new FileSystemException(
                    file.toString(), null, "expected a file of root's with this one name, or none yet");
        }
        return Files.newOutputStream(
                opened, StandardOpenOption.CREATE, StandardOpenOption.APPEND, LinkOption.NOFOLLOW_LINKS);
    }

    /**
     * Fails unless a file is one whose content only root and this process's user know and can have written: a file itself
     * and not a link, with this one name, of root or of this user, that no group and nobody else may read or write.
     *
     * @throws IOException with a sentence that says what it is instead, and what to do
     */
    public static void checkSecret(Path file) throws IOException {
        if (Files.notExists(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new FileSystemException(file.toString(), null, "there is no such file");
        }
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || attribute(file, "nlink") != 1) {
            throw new FileSystemException(
                    file.toString(), null, "is a link or has several names: expected a file of its own");
        }
        int owner = owner(file);
        if (!SocketAccess.isOwner(owner)) {
            throw new FileSystemException(
                    file.toString(), null, "belongs to uid " + owner + ": expected uid " + SocketAccess.self());
        }
        int mode = attribute(file, "mode") & PERMISSIONS;
        if ((mode & ~OWNER_READS_AND_WRITES) != 0) {
            throw new FileSystemException(
                    file.toString(),
                    null,
                    String.format("has mode %04o, others may use it: expected 0600 (chmod 600 %s)", mode, file));
        }
    }

    /**
     * Fails unless a directory is one that only root and this process's user can look into and change.
     *
     * @throws IOException with a sentence that says what it is instead, and what to do
     */
    public static void checkFolder(Path directory) throws IOException {
        if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
            throw new FileSystemException(directory.toString(), null, "is no directory: expected one");
        }
        int owner = owner(directory);
        if (!SocketAccess.isOwner(owner)) {
            throw new FileSystemException(
                    directory.toString(), null, "belongs to uid " + owner + ": expected uid " + SocketAccess.self());
        }
        int mode = attribute(directory, "mode") & PERMISSIONS;
        if ((mode & ~OWNER_ENTERS) != 0) {
            throw new FileSystemException(
                    directory.toString(),
                    null,
                    String.format("has mode %04o, others may enter it: expected 0700 (chmod 700 %s)", mode, directory));
        }
    }

    /** The real name of a directory that nobody but root can exchange for another one. */
    private static Path fixed(Path directory) throws IOException {
        if (Files.isSymbolicLink(directory)) {
            throw new FileSystemException(directory.toString(), null, "is a link: expected a directory");
        }
        Path real = directory.toRealPath();
        Path below = real;
        for (Path above = real.getParent(); above != null; above = above.getParent()) {
            int mode = attribute(above, "mode");
            // In a sticky directory, as /tmp, a name is its owner's to change.
            boolean others = (mode & OTHERS_WRITE) != 0 && ((mode & STICKY) == 0 || owner(below) != 0);
            if (owner(above) != 0 || others) {
                throw new FileSystemException(
                        directory.toString(),
                        null,
                        (others
                                        ? "others than root may exchange it in " + above
                                        : above + " belongs to uid " + owner(above))
                                + ": expected root's directories above");
            }
            below = above;
        }
        return real;
    }

    /**
     * Removes a directory and what is in it. Other users may write there: nothing that they put in the place of something
     * else meanwhile leads out of it.
     *
     * @throws IOException when it cannot be removed whole
     */
    public static void removeTree(Path directory) throws IOException {
        Path absolute = directory.toAbsolutePath();
        Path parent = absolute.getParent();
        if (parent == null || Files.notExists(absolute, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(parent)) {
            if (!(stream instanceof SecureDirectoryStream<Path> secure)) {
                throw new FileSystemException(directory.toString(), null, "this system cannot remove it safely");
            }
            removeTree(secure, absolute.getFileName(), 0);
        }
    }

    private static void removeTree(SecureDirectoryStream<Path> parent, Path name, int depth) throws IOException {
        if (depth > MAX_DEPTH) {
            throw new FileSystemException(name.toString(), null, "directories are nested too deeply to be removed");
        }
        try (SecureDirectoryStream<Path> directory = parent.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
            for (Path one : directory) {
                Path entry = one.getFileName();
                if (directory
                        .getFileAttributeView(entry, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                        .readAttributes()
                        .isDirectory()) {
                    removeTree(directory, entry, depth + 1);
                } else {
                    directory.deleteFile(entry);
                }
            }
        }
        parent.deleteDirectory(name);
    }

    private static int attribute(Path file, String name) throws IOException {
        return (Integer) Files.getAttribute(file, "unix:" + name, LinkOption.NOFOLLOW_LINKS);
    }

    private static int owner(Path file) throws IOException {
        return attribute(file, "uid");
    }
}
