package dev.tulle.common;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * A text that survives the process, whatever happens to process, power or disk: it is written whole to a second file,
 * flushed, and renamed into place, with a header that holds its kind, version and SHA-256; the text before it stays beside
 * it as {@code NAME.before} and is used when the newest one is damaged. So a reader gets what was written last, or what
 * was written before it and a sentence that says so, or nothing and such a sentence; never anything else. Readable by its
 * owner only; symbolic links are not followed. One thread at a time.
 */
public final class StateFile {
    private static final System.Logger LOG = System.getLogger(StateFile.class.getName());
    private static final String MAGIC = "tulle-state";

    /** A state file is small; one that is larger is not one. */
    private static final long BYTES_MAX = 64L << 20;

    private final Path path;
    private final Path before;
    private final String kind;
    private final int version;
    private final Function<String, Optional<String>> earlier;

    /** Whether the newest file is known to be whole, so that it may take the place of the one before it. */
    private boolean whole;

    /**
     * A file that knows one form of text only.
     *
     * @param path where it is; its folder exists when something is saved
     * @param kind what it holds, a word
     * @param version of the text's form: another one is refused
     */
    public StateFile(Path path, String kind, int version) {
        this(path, kind, version, _ -> Optional.empty());
    }

    /**
     * The same, for one that was written without a header once.
     *
     * @param earlier turns the text of a file without a header into one of this form; empty when it is none
     */
    public StateFile(Path path, String kind, int version, Function<String, Optional<String>> earlier) {
        this.path = path;
        this.before = path.resolveSibling(path.getFileName() + ".before");
        this.kind = kind;
        this.version = version;
        this.earlier = earlier;
    }

    /**
     * What was found.
     *
     * @param text the text; empty when there is none, or none that is whole
     * @param trouble what is wrong with the files, for people; empty when nothing is
     */
    public record Loaded(Optional<String> text, String trouble) {}

    /** What one file held. */
    private sealed interface Found {
        record Text(String text) implements Found {}

        record Nothing() implements Found {}

        record Damaged(String why) implements Found {}
    }

    /** Reads the newest text that is whole. What is wrong is in the answer, and in the log. */
    public Loaded load() {
        Found newest = read(path);
        whole = newest instanceof Found.Text;
        return switch (newest) {
            case Found.Text(String text) -> new Loaded(Optional.of(text), "");
            // A crash between the two renames of an older file system, or a file that somebody removed.
            case Found.Nothing _ ->
                Files.exists(before) ? previous(path + " is missing") : new Loaded(Optional.empty(), "");
            case Found.Damaged(String why) -> previous(path + " is damaged (" + why + ")");
        };
    }

    private Loaded previous(String what) {
        Loaded loaded =
                switch (read(before)) {
                    case Found.Text(String text) ->
                        new Loaded(Optional.of(text), what + ": the version before it is used");
                    case Found.Nothing _ ->
                        new Loaded(Optional.empty(), what + " and there is no version before it: begun anew");
                    case Found.Damaged(String why) ->
                        new Loaded(
                                Optional.empty(), what + ", and so is the version before it (" + why + "): begun anew");
                };
        LOG.log(System.Logger.Level.ERROR, loaded.trouble());
        return loaded;
    }

    private Found read(Path file) {
        try {
            if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
                return new Found.Nothing();
            }
            ByteBuffer bytes;
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS)) {
                long size = channel.size();
                if (size > BYTES_MAX) {
                    return new Found.Damaged(size + " bytes long");
                }
                bytes = ByteBuffer.allocate((int) size);
                while (bytes.hasRemaining()) {
                    if (channel.read(bytes) < 0) {
                        break;
                    }
                }
            }
            return decode(
                    StandardCharsets.UTF_8.newDecoder().decode(bytes.flip()).toString());
        } catch (NoSuchFileException e) {
            return new Found.Nothing();
        } catch (CharacterCodingException e) {
            return new Found.Damaged("no UTF-8");
        } catch (IOException e) {
            return new Found.Damaged(String.valueOf(e.getMessage()));
        }
    }

    private Found decode(String all) {
        int end = all.indexOf('\n');
        if (end < 0 || !all.startsWith(MAGIC + " ")) {
            return earlier.apply(all).<Found>map(Found.Text::new).orElse(new Found.Damaged("no header"));
        }
        String text = all.substring(end + 1);
        String header = all.substring(0, end);
        if (header.equals(header(version, text))) {
            return new Found.Text(text);
        }
        String[] words = header.split(" ", -1);
        boolean other = words.length == 4
                && words[1].equals(kind)
                && !words[2].equals(Integer.toString(version))
                && words[3].equals(digest(words[1] + " " + words[2], text));
        return new Found.Damaged(
                other
                        ? "of version " + words[2] + ", expected " + version
                        : "its checksum is not that of its contents");
    }

    private String header(int ofVersion, String text) {
        String what = kind + " " + ofVersion;
        return MAGIC + " " + what + " " + digest(what, text);
    }

    private static String digest(String what, String text) {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            sha.update((what + "\n").getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(sha.digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /**
     * Replaces the text; when this returns it is on the disk.
     *
     * @throws IOException when it cannot be written; what was there before is then still there
     */
    public void save(String text) throws IOException {
        Path next = path.resolveSibling(path.getFileName() + ".new");
        Files.deleteIfExists(next);
        try (FileChannel channel = FileChannel.open(
                next,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer bytes = ByteBuffer.wrap((header(version, text) + "\n" + text).getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
        keepPrevious();
        Files.move(next, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        whole = true;
        try (FileChannel directory = FileChannel.open(path.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
            directory.force(true);
        }
    }

    /** A whole newest file becomes the one before; a damaged one is put aside, so that the good one before it stays. */
    private void keepPrevious() throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!whole && !(read(path) instanceof Found.Text)) {
            Files.move(
                    path,
                    path.resolveSibling(path.getFileName() + ".damaged"),
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
            return;
        }
        // A second name first: at no moment is there no file of the first one.
        Path second = path.resolveSibling(path.getFileName() + ".link");
        Files.deleteIfExists(second);
        try {
            Files.createLink(second, path);
        } catch (UnsupportedOperationException | FileAlreadyExistsException e) {
            Files.copy(path, second, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES);
        }
        Files.move(second, before, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /**
     * Removes the text and the one before it.
     *
     * @throws IOException when that is not possible
     */
    public void delete() throws IOException {
        // Not the other way round: the one before would come back.
        Files.deleteIfExists(before);
        Files.deleteIfExists(path);
        whole = false;
    }

    /** Where it is. */
    public Path path() {
        return path;
    }
}
