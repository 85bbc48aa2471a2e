package dev.tulle.config;

import dev.tulle.config.Problem.Severity;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The manifest files of a directory as they were last read. Owner thread only.
 *
 * <p>A file is read whole, between two looks at its attributes; what changed meanwhile is read again later. What looks
 * half-written is held back until the writer has been silent for longer.
 */
final class FileSet {
    /** More files than this are not read: the directory is not what it was meant to be. */
    static final int MAX_FILES = 10_000;

    /** Bytes of all files together: their texts and what was read in them are kept. */
    static final long MAX_BYTES = 16 << 20;

    private static final String OTHER = "it is no file, and no link to one; expected a text, or another name";

    /** A Secret, in YAML or JSON; a word in a comment does no harm. */
    private static final Pattern SECRET = Pattern.compile("kind[\"']?\\s*:\\s*[\"']?Secret\\b");

    /** How the names of our own temporary files begin. */
    private static final String TEMPORARY = ".tulle-";

    private final Path directory;
    private final ManifestParser parser;
    private final TreeMap<String, Entry> entries = new TreeMap<>();

    /** Bytes of all entries together. */
    private long kept;

    FileSet(Path directory, ManifestParser parser) {
        this.directory = directory;
        this.parser = parser;
    }

    /**
     * A file's content as it was read.
     *
     * @param stamp tells whether it has changed since
     * @param leftOut true when it was not read because all together would be too much: to be read when there is room
     */
    record Entry(Stamp stamp, String text, ParsedManifest parsed, boolean leftOut) {
        Entry(Stamp stamp, String text, ParsedManifest parsed) {
            this(stamp, text, parsed, false);
        }

        /** Bytes that are kept of it; none of a file that was not read. */
        long kept() {
            return text.isEmpty() ? 0 : stamp.size();
        }
    }

    /** What changes when a file does. */
    record Stamp(long modified, long changed, long size, long inode) {}

    /** What reading a file brought. */
    enum Outcome {
        /** Nothing new. */
        SAME,
        /** New content, or the file is gone. */
        CHANGED,
        /** Somebody has it open for writing: look again soon. */
        OPEN,
        /** It looks half-written, or changed while it was read: look again later. */
        HELD
    }

    /** True for names of manifests, in letters of any case; editors' and our own temporary files have other names. */
    static boolean isManifest(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return !name.startsWith(".")
                && !name.startsWith("#")
                && (lower.endsWith(".yaml") || lower.endsWith(".yml") || lower.endsWith(".json"));
    }

    Collection<Entry> entries() {
        return entries.values();
    }

    Optional<Entry> entry(String name) {
        return Optional.ofNullable(entries.get(name));
    }

    /** The entry that holds a resource, right or wrong. */
    Optional<Entry> holderOf(ResourceKey key) {
        return entries.values().stream()
                .filter(e -> e.parsed().refused().contains(key)
                        || e.parsed().resources().stream().anyMatch(r -> r.key().equals(key)))
                .findFirst();
    }

    /** How the file is called in problems and references. */
    String shown(String name) {
        return directory.resolve(name).toString();
    }

    /** Names of files that differ from what was read, or are gone; in order, as the last ones may find no room. */
    Set<String> differing() throws IOException {
        Set<String> found = new HashSet<>();
        Set<String> differing = new TreeSet<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory)) {
            for (Path path : stream) {
                String name = path.getFileName().toString();
                if (!isManifest(name)) {
                    continue;
                }
                if (found.size() >= MAX_FILES) {
                    throw new IOException(directory + ": more than " + MAX_FILES + " manifest files");
                }
                found.add(name);
                Entry entry = entries.get(name);
                if (entry == null || !entry.stamp().equals(stamp(path)) || fitsNow(name, entry)) {
                    differing.add(name);
                }
            }
        }
        for (String name : entries.keySet()) {
            if (!found.contains(name)) {
                differing.add(name);
            }
        }
        return differing;
    }

    /** True when a file that was left out can be read. */
    private boolean fitsNow(String name, Entry entry) {
        return entry.leftOut() && fits(name, entry.stamp().size());
    }

    /** True when the files together are not too much with this one of that size. */
    private boolean fits(String name, long size) {
        Entry earlier = entries.get(name);
        return kept - (earlier == null ? 0 : earlier.kept()) + size <= MAX_BYTES;
    }

    /** Replaces what is known of a file; the entry before. */
    private @Nullable Entry put(String name, Entry entry) {
        Entry earlier = entries.put(name, entry);
        kept += entry.kept() - (earlier == null ? 0 : earlier.kept());
        return earlier;
    }

    private Outcome gone(String name) {
        Entry earlier = entries.remove(name);
        if (earlier == null) {
            return Outcome.SAME;
        }
        kept -= earlier.kept();
        return Outcome.CHANGED;
    }

    private static @Nullable Stamp stamp(Path path) throws IOException {
        try {
            Map<String, Object> attributes =
                    Files.readAttributes(path, "unix:isRegularFile,lastModifiedTime,ctime,size,ino");
            if (!Boolean.TRUE.equals(attributes.get("isRegularFile"))) {
                return null;
            }
            return new Stamp(
                    nanos(attributes.get("lastModifiedTime")),
                    nanos(attributes.get("ctime")),
                    number(attributes.get("size")),
                    number(attributes.get("ino")));
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    private static long nanos(@Nullable Object time) {
        return time instanceof java.nio.file.attribute.FileTime t ? t.to(java.util.concurrent.TimeUnit.NANOSECONDS) : 0;
    }

    private static long number(@Nullable Object value) {
        return value instanceof Number n ? n.longValue() : 0;
    }

    /**
     * Reads a file if it differs.
     *
     * @param settled true to take it even if it looks half-written
     */
    Outcome read(String name, boolean settled) {
        Path path = directory.resolve(name);
        Entry earlier = entries.get(name);
        try {
            Stamp before = stamp(path);
            if (before == null) {
                return Files.exists(path, LinkOption.NOFOLLOW_LINKS) ? unreadable(name, OTHER) : gone(name);
            }
            if (earlier != null && earlier.stamp().equals(before) && !fitsNow(name, earlier)) {
                return Outcome.SAME;
            }
            if (!settled) {
                switch (OpenWriters.find(path)) {
                    case WRITER -> {
                        return Outcome.OPEN;
                    }
                    case UNKNOWN -> {
                        return Outcome.HELD;
                    }
                    case NONE -> {}
                }
            }
            if (before.size() > parser.limits().maxBytes()) {
                put(name, new Entry(before, "", parser.tooLarge(shown(name), before.size())));
                return Outcome.CHANGED;
            }
            if (!fits(name, before.size())) {
                put(name, new Entry(before, "", parser.tooMuch(shown(name), before.size(), MAX_BYTES), true));
                return Outcome.CHANGED;
            }
            byte[] bytes;
            try (InputStream in = Files.newInputStream(path)) {
                bytes = in.readNBytes(parser.limits().maxBytes() + 1);
            }
            if (!before.equals(stamp(path))) {
                return Outcome.HELD;
            }
            ParsedManifest parsed = guarded(path, parser.parse(shown(name), bytes));
            Entry entry = new Entry(before, new String(bytes, StandardCharsets.UTF_8), parsed);
            if (!settled && looksHalfWritten(entry, earlier)) {
                return Outcome.HELD;
            }
            put(name, entry);
            return Outcome.CHANGED;
        } catch (NoSuchFileException e) {
            return gone(name);
        } catch (IOException e) {
            return unreadable(name, String.valueOf(e.getMessage()));
        }
    }

    /** Tells when others may read a Secret. */
    private static ParsedManifest guarded(Path path, ParsedManifest parsed) throws IOException {
        Optional<ConfigResource> secret =
                parsed.resources().stream().filter(Secret.class::isInstance).findFirst();
        if (secret.isEmpty() || !Files.getPosixFilePermissions(path).contains(PosixFilePermission.OTHERS_READ)) {
            return parsed;
        }
        List<Problem> problems = new ArrayList<>(parsed.problems());
        problems.add(Problems.about(
                        secret.get().ref(),
                        "",
                        "",
                        "chmod 600 " + path,
                        "the file may be read by every user of this host")
                .as(Warning.SECRET_READABLE));
        return new ParsedManifest(parsed.file(), parsed.resources(), problems, parsed.refused(), parsed.complete());
    }

    private Outcome unreadable(String name, String why) {
        Problem problem =
                new Problem(Severity.ERROR, shown(name), 0, 0, "", "", "", "", "cannot read this file: " + why);
        Stamp none = new Stamp(0, 0, 0, 0);
        ParsedManifest parsed = new ParsedManifest(shown(name), List.of(), List.of(problem), Set.of(), false);
        Entry earlier = put(name, new Entry(none, "", parsed));
        return earlier != null && earlier.parsed().equals(parsed) ? Outcome.SAME : Outcome.CHANGED;
    }

    /** Signs of a writer that has not finished: the text ends too early, or lost what it had. */
    private static boolean looksHalfWritten(Entry entry, @Nullable Entry earlier) {
        String text = entry.text();
        if (text.isBlank() || !entry.parsed().complete()) {
            return true;
        }
        boolean json = text.stripLeading().startsWith("{");
        if (!json && !text.endsWith("\n")) {
            return true;
        }
        if (earlier == null) {
            return false;
        }
        Set<ResourceKey> now = new HashSet<>(entry.parsed().refused());
        entry.parsed().resources().forEach(r -> now.add(r.key()));
        return earlier.text().startsWith(text)
                || earlier.parsed().resources().stream().anyMatch(r -> !now.contains(r.key()));
    }

    /**
     * Writes a file so that every reader sees the old text or the new one, and a crash leaves one of them; takes over
     * the new text at once.
     */
    void write(String name, String text) throws IOException {
        Path path = directory.resolve(name);
        if (!entries.containsKey(name) && entries.size() >= MAX_FILES) {
            throw new IOException(directory + " would hold more than " + MAX_FILES + " files");
        }
        if (!fits(name, text.getBytes(StandardCharsets.UTF_8).length)) {
            throw new IOException(
                    "the files of " + directory + " would hold more than " + MAX_BYTES + " bytes together");
        }
        Path temporary = Files.createTempFile(directory, TEMPORARY, ".tmp");
        try {
            try (FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
                ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                channel.force(true);
            }
            // One that holds a Secret stays what a temporary file is: its owner's alone.
            if (!SECRET.matcher(text).find()) {
                Files.setPosixFilePermissions(
                        temporary,
                        Files.exists(path)
                                ? Files.getPosixFilePermissions(path)
                                : PosixFilePermissions.fromString("rw-r--r--"));
            }
            Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
        syncDirectory();
        read(name, true);
    }

    /** Removes temporary files that a crash left behind. */
    void removeLeftovers() throws IOException {
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory, TEMPORARY + "*.tmp")) {
            for (Path path : stream) {
                Files.deleteIfExists(path);
            }
        }
    }

    /** Removes a file. */
    void delete(String name) throws IOException {
        Files.deleteIfExists(directory.resolve(name));
        syncDirectory();
        gone(name);
    }

    private void syncDirectory() throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
