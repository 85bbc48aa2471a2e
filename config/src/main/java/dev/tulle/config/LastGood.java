package dev.tulle.config;

import dev.tulle.common.StateFile;
import dev.tulle.model.ResourceRef;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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

    private final Optional<StateFile> store;
    private final ManifestParser parser;
    private String written = "";

    LastGood(Optional<Path> file, ManifestParser.Limits limits) {
        // Until 2026-11 the file was the documents alone.
        this.store = file.map(path -> new StateFile(
                path, "last-good", 1, text -> text.startsWith("---\n") ? Optional.of(text) : Optional.empty()));
        // Many files, each within its bounds, can be wrong at once.
        this.parser = new ManifestParser(new ManifestParser.Limits(
                Integer.MAX_VALUE / 4, limits.maxDepth() + 2, Integer.MAX_VALUE, Integer.MAX_VALUE));
    }

    /** What was kept; nothing when the file is missing or unreadable. */
    List<ConfigResource> read() {
        if (store.isEmpty()) {
            return List.of();
        }
        String text = store.get().load().text().orElse("");
        written = text;
        try {
            return decode(text);
        } catch (RuntimeException e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    store.get().path() + ": the last good configuration cannot be read",
                    e);
            return List.of();
        }
    }

    /** The resources of the file's text that can be used. */
    List<ConfigResource> decode(String text) {
        List<ConfigResource> out = new ArrayList<>();
        Documents documents = Documents.of(text);
        for (int i = 0; i < documents.size(); i++) {
            String chunk = documents.chunk(i);
            // Each document begins with a line that says where it came from.
            String origin =
                    chunk.lines().filter(l -> l.startsWith(ORIGIN)).findFirst().orElse(ORIGIN);
            out.addAll(parser.parse(origin.substring(ORIGIN.length()), chunk).resources());
        }
        return out;
    }

    static String encode(List<ConfigResource> resources) {
        StringBuilder text = new StringBuilder();
        for (ConfigResource resource : resources) {
            ResourceRef ref = resource.ref();
            text.append("---\n").append(ORIGIN).append(ref.file()).append('\n');
            text.append(YamlWriter.write(resource.manifest().content()));
        }
        return text.toString();
    }

    /** Keeps these, and nothing else. */
    void write(List<ConfigResource> resources) {
        if (store.isEmpty()) {
            return;
        }
        String text = encode(resources);
        if (text.equals(written)) {
            return;
        }
        try {
            if (text.isEmpty()) {
                store.get().delete();
            } else {
                Path parent = store.get().path().toAbsolutePath().getParent();
                if (parent != null) {
                    Files.createDirectories(parent);
                }
                store.get().save(text);
            }
            written = text;
        } catch (IOException e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    store.get().path() + ": the last good configuration cannot be kept",
                    e);
        }
    }
}
