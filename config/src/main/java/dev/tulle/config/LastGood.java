package dev.tulle.config;

import dev.tulle.model.ResourceRef;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Keeps the last good version of resources that are wrong in the directory in one file, so that a restarted process
 * serves what the one before it served. Holds nothing, and needs no file, while everything is right. Owner thread only.
 */
final class LastGood {
    private static final System.Logger LOG = System.getLogger(LastGood.class.getName());

    /** Begins the line that names the file that a document came from. */
    private static final String ORIGIN = "# from ";

    private final Optional<Path> file;
    private final ManifestParser parser;
    private String written = "";

    LastGood(Optional<Path> file, ManifestParser.Limits limits) {
        this.file = file;
        // Many files, each within its bounds, can be wrong at once.
        this.parser = new ManifestParser(new ManifestParser.Limits(
                Integer.MAX_VALUE / 4, limits.maxDepth() + 2, Integer.MAX_VALUE, Integer.MAX_VALUE));
    }

    /** What was kept; nothing when the file is missing or unreadable. */
    List<ConfigResource> read() {
        List<ConfigResource> out = new ArrayList<>();
        if (file.isEmpty() || !Files.exists(file.get())) {
            return out;
        }
        try {
            String text = Files.readString(file.get());
            written = text;
            Documents documents = Documents.of(text);
            for (int i = 0; i < documents.size(); i++) {
                String chunk = documents.chunk(i);
                // Each document begins with a line that says where it came from.
                String origin = chunk.lines()
                        .filter(l -> l.startsWith(ORIGIN))
                        .findFirst()
                        .orElse(ORIGIN);
                out.addAll(
                        parser.parse(origin.substring(ORIGIN.length()), chunk).resources());
            }
        } catch (IOException | RuntimeException e) {
            LOG.log(System.Logger.Level.WARNING, file.get() + ": the last good configuration cannot be read", e);
        }
        return out;
    }

    /** Keeps these, and nothing else. */
    void write(List<ConfigResource> resources) {
        if (file.isEmpty()) {
            return;
        }
        StringBuilder text = new StringBuilder();
        for (ConfigResource resource : resources) {
            ResourceRef ref = resource.ref();
            text.append("---\n").append(ORIGIN).append(ref.file()).append('\n');
            text.append(YamlWriter.write(resource.manifest().content()));
        }
        if (text.toString().equals(written)) {
            return;
        }
        try {
            Path target = file.get();
            if (text.isEmpty()) {
                Files.deleteIfExists(target);
            } else {
                Path parent = target.toAbsolutePath().getParent();
                if (parent != null) {
                    Files.createDirectories(parent);
                }
                Path temporary = target.resolveSibling(target.getFileName() + ".tmp");
                Files.write(temporary, text.toString().getBytes(StandardCharsets.UTF_8));
                Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            }
            written = text.toString();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, file.get() + ": the last good configuration cannot be kept", e);
        }
    }
}
