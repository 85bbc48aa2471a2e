package dev.tulle.identity.authority;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The leaves that live: who has which until when. A line is on the disk before its certificate is given away, so that
 * after any crash there is none that the authority does not know of: neither a revocation nor the end of a root misses
 * one. Lines of certificates that have ended go when they are the most. One thread at a time.
 */
final class IssueLog implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(IssueLog.class.getName());

    /** A line without it was cut off. */
    private static final String END = ".";

    /** Lines of ended certificates that are no reason to write the file anew. */
    private static final int SLACK = 200;

    private final Path file;
    private final Map<BigInteger, Issued> living = new LinkedHashMap<>();
    private FileChannel channel;
    private int lines;

    /** True while the file may end within a line, as the disk was full: the next one must not become a part of it. */
    private boolean cut;

    /**
     * A leaf.
     *
     * @param serial its number
     * @param root the number of the root that it stands under
     * @param end when it ends
     * @param node who asked for it
     * @param identity whose it is
     */
    record Issued(BigInteger serial, int root, Instant end, String node, String identity) {
        private String line() {
            return serial.toString(16) + " " + root + " " + end.getEpochSecond() + " " + node + " " + identity + " "
                    + END + "\n";
        }

        private static Issued parse(String line) {
            String[] words = line.split(" ", -1);
            if (words.length != 6 || !words[5].equals(END)) {
                throw new IllegalArgumentException("no whole line");
            }
            return new Issued(
                    new BigInteger(words[0], 16),
                    Integer.parseInt(words[1]),
                    Instant.ofEpochSecond(Long.parseLong(words[2])),
                    words[3],
                    words[4]);
        }
    }

    private IssueLog(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Opens the log, or begins it.
     *
     * @throws IOException when it cannot be read or written
     */
    static IssueLog open(Path file, Instant now) throws IOException {
        IssueLog log = new IssueLog(file, channel(file));
        log.read();
        try {
            log.forget(now);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, file + " is longer than it has to be: " + e.getMessage());
        }
        return log;
    }

    private static FileChannel channel(Path file) throws IOException {
        return FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.APPEND, LinkOption.NOFOLLOW_LINKS),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    }

    private void read() throws IOException {
        String text = Files.readString(file, StandardCharsets.ISO_8859_1);
        int damaged = 0;
        for (String line : text.split("\n", -1)) {
            if (line.isEmpty()) {
                continue;
            }
            lines++;
            try {
                Issued issued = Issued.parse(line);
                living.put(issued.serial(), issued);
            } catch (IllegalArgumentException e) {
                damaged++;
            }
        }
        if (damaged > 0) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "{0}: {1} of {2} lines cannot be read; a last line that was cut off was never given away",
                    file,
                    damaged,
                    lines);
        }
        cut = !text.isEmpty() && !text.endsWith("\n");
    }

    /**
     * Notes a leaf; it is on the disk afterwards.
     *
     * @throws IOException when it cannot be written: the certificate must not be given away
     */
    void add(Issued issued) throws IOException {
        append(issued.line());
        lines++;
        living.put(issued.serial(), issued);
    }

    private void append(String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap((cut ? "\n" + text : text).getBytes(StandardCharsets.US_ASCII));
        cut = true;
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        channel.force(false);
        cut = false;
    }

    /**
     * Forgets what has ended.
     *
     * @throws IOException when the file cannot be written anew; what is known is still right then
     */
    void forget(Instant now) throws IOException {
        living.values().removeIf(issued -> !now.isBefore(issued.end()));
        if (lines <= 2 * living.size() + SLACK) {
            return;
        }
        Path next = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(next);
        FileChannel fresh = channel(next);
        try {
            StringBuilder all = new StringBuilder();
            living.values().forEach(issued -> all.append(issued.line()));
            ByteBuffer bytes = ByteBuffer.wrap(all.toString().getBytes(StandardCharsets.US_ASCII));
            while (bytes.hasRemaining()) {
                fresh.write(bytes);
            }
            fresh.force(true);
            Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            AuthorityFolder.flushAround(file);
        } catch (IOException e) {
            fresh.close();
            throw e;
        }
        channel.close();
        channel = fresh;
        cut = false;
        lines = living.size();
    }

    /** Those that have not ended, in the order in which they were signed. */
    Collection<Issued> living() {
        return List.copyOf(living.values());
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
