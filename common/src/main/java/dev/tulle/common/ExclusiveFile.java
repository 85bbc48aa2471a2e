package dev.tulle.common;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;

/**
 * A file that at most one process of the host holds, with a line that says who. The kernel gives it back when that
 * process ends, however it ends. One thread at a time.
 *
 * <p>The lock is the process's: it is lost with the first descriptor of the file that the process closes. So the holder
 * reads and writes the text through this object only.
 */
public final class ExclusiveFile implements AutoCloseable {
    private static final int TEXT_MAX = 4096;

    private final FileChannel channel;

    private ExclusiveFile(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Takes the file, which is made when it is not there; its folder must be.
     *
     * @return empty when another process, or another part of this one, holds it
     * @throws IOException when it cannot be opened; a symbolic link is not followed
     */
    public static Optional<ExclusiveFile> tryHold(Path file) throws IOException {
        Set<OpenOption> options = Set.of(
                StandardOpenOption.CREATE,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE,
                LinkOption.NOFOLLOW_LINKS);
        for (int attempt = 0; attempt < 100; attempt++) {
            Object before = identity(file);
            FileChannel channel = FileChannel.open(
                    file, options, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            boolean held = false;
            try {
                held = channel.tryLock() != null;
            } catch (OverlappingFileLockException e) {
                held = false;
            } finally {
                if (!held) {
                    channel.close();
                }
            }
            if (!held) {
                return Optional.empty();
            }
            if (before.equals(identity(file))) {
                return Optional.of(new ExclusiveFile(channel));
            }
            // Made just now, or its last holder removed it between the opening and the locking: again.
            channel.close();
        }
        throw new IOException(file + ": is removed again and again by others");
    }

    private static Object identity(Path file) throws IOException {
        try {
            return Files.getAttribute(file, "unix:ino", LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException e) {
            return "none";
        }
    }

    /** What a holder wrote into a file, for a process that does not hold it; empty when there is none. */
    public static String peek(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            return "";
        }
    }

    /** What was written last, also by an earlier holder. */
    public String text() throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(TEXT_MAX, channel.size()));
        int read = 0;
        while (bytes.hasRemaining() && read >= 0) {
            read = channel.read(bytes, bytes.position());
        }
        return StandardCharsets.UTF_8.decode(bytes.flip()).toString().strip();
    }

    /** Replaces the text. */
    public void write(String text) throws IOException {
        channel.truncate(0);
        ByteBuffer bytes = ByteBuffer.wrap((text + "\n").getBytes(StandardCharsets.UTF_8));
        for (long at = 0; bytes.hasRemaining(); ) {
            at += channel.write(bytes, at);
        }
    }

    /** Gives it back; the file stays. Idempotent. */
    @Override
    public void close() throws IOException {
        channel.close();
    }
}
