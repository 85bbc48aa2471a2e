package dev.tulle.cli.role;

import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * Makes sure at the start that the proxy, which has a user of its own, can write its access log: a file in a folder of
 * root's is made for it here. Root touches nothing in a folder that others may change, and follows no link.
 */
final class AccessLogFile {
    private AccessLogFile() {}

    /**
     * Prepares the file.
     *
     * @param target the file; empty or {@code -} for none
     * @param uid the proxy's user
     * @throws IOException with one sentence when the proxy could not write it
     */
    static void prepare(String target, int uid) throws IOException {
        if (target.isEmpty() || target.equals("-")) {
            return;
        }
        Path given = Path.of(target).toAbsolutePath();
        Path name = given.getFileName();
        Path parent = given.getParent();
        if (name == null || parent == null || !Files.isDirectory(parent)) {
            throw new IOException("--access-log " + target + ": its folder does not exist");
        }
        Path folder = parent.toRealPath();
        boolean ours = true;
        for (Path at = folder; at != null; at = at.getParent()) {
            PosixFileAttributes attributes =
                    Files.readAttributes(at, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            int owner = (Integer) Files.getAttribute(at, "unix:uid", LinkOption.NOFOLLOW_LINKS);
            Set<PosixFilePermission> may = attributes.permissions();
            if (owner != uid && !may.contains(PosixFilePermission.OTHERS_EXECUTE)) {
                throw new IOException("--access-log " + target + ": the proxy runs as user " + uid
                        + ", which may not enter " + at + "; name a file in another folder");
            }
            boolean sticky = ((Integer) Files.getAttribute(at, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 01000) != 0;
            boolean othersWrite =
                    (may.contains(PosixFilePermission.OTHERS_WRITE) || may.contains(PosixFilePermission.GROUP_WRITE))
                            && (!sticky || at.equals(folder));
            ours &= owner == 0 && !othersWrite;
        }
        if (ours) {
            make(folder, name, uid, target);
        } else if (!Files.isWritable(folder) || !writable(folder, uid)) {
            throw new IOException(
                    "--access-log " + target + ": the proxy runs as user " + uid + ", which may not write in " + folder
                            + ", and root makes no files where others may; name a folder of root's or of that user");
        }
    }

    private static boolean writable(Path folder, int uid) throws IOException {
        boolean own = (Integer) Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS) == uid;
        return Files.getPosixFilePermissions(folder, LinkOption.NOFOLLOW_LINKS)
                .contains(own ? PosixFilePermission.OWNER_WRITE : PosixFilePermission.OTHERS_WRITE);
    }

    private static void make(Path folder, Path name, int uid, String target) throws IOException {
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder)) {
            if (!(stream instanceof SecureDirectoryStream<Path> secure)) {
                throw new IOException("--access-log " + target + ": this system cannot open files safely");
            }
            PosixFileAttributeView view =
                    secure.getFileAttributeView(name, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
            try {
                if (!view.readAttributes().isRegularFile()) {
                    throw new IOException("--access-log " + target + ": is no regular file");
                }
            } catch (NoSuchFileException e) {
                try (SeekableByteChannel _ = secure.newByteChannel(
                        name,
                        Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-r-----")))) {
                    // Made empty.
                }
            }
            Files.setAttribute(folder.resolve(name), "unix:uid", uid, LinkOption.NOFOLLOW_LINKS);
        }
    }
}
