package dev.tulle.control;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * A small JSON file that survives the process: written whole to a second file, flushed to the disk, then renamed over the
 * first, so that a crash at any moment leaves either the old or the new content. One that cannot be read is put aside.
 */
final class StateFile {
    private static final System.Logger LOG = System.getLogger(StateFile.class.getName());

    private final Path path;

    StateFile(Path path) {
        this.path = path;
    }

    /**
     * The content; empty when there is none or it cannot be read.
     *
     * @throws IOException when the file exists and cannot be opened
     */
    JsonObject read() throws IOException {
        if (!Files.exists(path)) {
            return new JsonObject();
        }
        String text = Files.readString(path);
        try {
            return JsonParser.parseString(text).getAsJsonObject();
        } catch (JsonParseException | IllegalStateException e) {
            Path aside = path.resolveSibling(path.getFileName() + ".unreadable");
            Files.move(path, aside, StandardCopyOption.REPLACE_EXISTING);
            LOG.log(
                    System.Logger.Level.ERROR,
                    "{0} cannot be read ({1}); put aside as {2}",
                    path,
                    e.getMessage(),
                    aside);
            return new JsonObject();
        }
    }

    /**
     * Replaces the content.
     *
     * @throws IOException when it cannot be written; the old content is then still there
     */
    void write(JsonObject content) throws IOException {
        Path next = path.resolveSibling(path.getFileName() + ".next");
        try (FileChannel channel = FileChannel.open(
                next, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            ByteBuffer bytes = ByteBuffer.wrap(content.toString().getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
        Files.move(next, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        try (FileChannel directory = FileChannel.open(path.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
            directory.force(true);
        }
    }
}
