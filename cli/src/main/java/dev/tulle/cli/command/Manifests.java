package dev.tulle.cli.command;

import dev.tulle.cli.client.CommandFailure;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** Reads configuration files, directories and standard input. */
final class Manifests {
    /** The largest file that is read: 4 MiB. A larger one is refused before it is read. */
    static final int MAX_BYTES = 4 << 20;

    /** One file's text. */
    record Manifest(String name, String content) {}

    private Manifests() {}

    /** Everything that the arguments name: a file, a directory (its files, not those below), or {@code -}. */
    static List<Manifest> read(List<String> arguments) {
        List<Manifest> found = new ArrayList<>();
        for (String argument : arguments) {
            try {
                readOne(argument, found);
            } catch (IOException e) {
                throw new CommandFailure(CommandFailure.NO, problem(argument, e));
            }
        }
        return found;
    }

    /** The largest text that goes with others in one request. */
    private static final int BATCH_BYTES = 6 << 20;

    /** Texts that go to the control plane together, so that what one names another may declare. */
    static List<List<Manifest>> batches(List<Manifest> all) {
        List<List<Manifest>> batches = new ArrayList<>();
        List<Manifest> batch = new ArrayList<>();
        int bytes = 0;
        for (Manifest manifest : all) {
            if (!batch.isEmpty() && bytes + manifest.content().length() > BATCH_BYTES) {
                batches.add(batch);
                batch = new ArrayList<>();
                bytes = 0;
            }
            batch.add(manifest);
            bytes += manifest.content().length();
        }
        batches.add(batch);
        return batches;
    }

    private static void readOne(String argument, List<Manifest> found) throws IOException {
        if (argument.equals("-")) {
            found.add(new Manifest("-", decode("-", bounded("-", System.in))));
            return;
        }
        for (Path file : files(argument)) {
            found.add(readFile(file));
        }
    }

    /**
     * The files that an argument names: itself, or the manifests of a directory.
     *
     * @throws IOException when it cannot be listed
     * @throws CommandFailure when the directory holds no manifest
     */
    static List<Path> files(String argument) throws IOException {
        Path path = Path.of(argument);
        if (!Files.isDirectory(path)) {
            return List.of(path);
        }
        List<Path> files;
        try (Stream<Path> listed = Files.list(path)) {
            files = listed.filter(Manifests::isManifest).sorted().toList();
        }
        for (Path file : files) {
            if (!Files.isRegularFile(file)) {
                throw new CommandFailure(
                        CommandFailure.NO,
                        file + ": it is no file, and no link to one; expected a text, or another name");
            }
        }
        if (files.isEmpty()) {
            throw new CommandFailure(CommandFailure.NO, argument + ": no file in it ends in .yaml, .yml or .json");
        }
        return files;
    }

    private static boolean isManifest(Path path) {
        String name = path.toString().toLowerCase(Locale.ROOT);
        return name.endsWith(".yaml") || name.endsWith(".yml") || name.endsWith(".json");
    }

    private static Manifest readFile(Path path) throws IOException {
        if (!Files.exists(path)) {
            throw new NoSuchFileException(path.toString());
        }
        try (InputStream in = Files.newInputStream(path)) {
            return new Manifest(path.toString(), decode(path.toString(), bounded(path.toString(), in)));
        }
    }

    private static byte[] bounded(String name, InputStream in) throws IOException {
        byte[] bytes = in.readNBytes(MAX_BYTES + 1);
        if (bytes.length > MAX_BYTES) {
            throw new CommandFailure(
                    CommandFailure.NO, name + ": larger than " + (MAX_BYTES >> 20) + " MiB; expected a smaller file");
        }
        return bytes;
    }

    /** Bytes that are no UTF-8 are kept out here: the line and column of their parser would mean nothing. */
    private static String decode(String name, byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(java.nio.ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new CommandFailure(
                    CommandFailure.NO, name + ":1: not text: its bytes are no UTF-8; expected YAML or JSON");
        }
    }

    private static String problem(String argument, IOException e) {
        return e instanceof NoSuchFileException
                ? argument + ": no such file or directory"
                : argument + ": cannot be read: " + e.getMessage();
    }
}
