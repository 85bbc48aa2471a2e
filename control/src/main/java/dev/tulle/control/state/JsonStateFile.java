package dev.tulle.control.state;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.common.StateFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** A small JSON object that survives the process, as {@link StateFile} keeps it. Runs on the control plane's owner thread. */
public final class JsonStateFile {
    private static final System.Logger LOG = System.getLogger(JsonStateFile.class.getName());

    private final StateFile file;
    private String trouble = "";

    /**
     * A file.
     *
     * @param kind what it holds, a word
     */
    public JsonStateFile(Path path, String kind) {
        // Until 2026-11 it was the object alone.
        this.file = new StateFile(
                path, kind, 1, text -> text.startsWith("{") ? parse(text).map(_ -> text) : Optional.empty());
    }

    /** The content; empty when there is none or none that is whole, which {@link #trouble} tells. */
    public JsonObject read() {
        StateFile.Loaded loaded = file.load();
        trouble = loaded.trouble();
        Optional<JsonObject> content = loaded.text().flatMap(JsonStateFile::parse);
        if (loaded.text().isPresent() && content.isEmpty()) {
            trouble = file.path() + " is whole and no JSON object: begun anew";
            LOG.log(System.Logger.Level.ERROR, trouble);
        }
        return content.orElseGet(JsonObject::new);
    }

    private static Optional<JsonObject> parse(String text) {
        try {
            return Optional.of(JsonParser.parseString(text).getAsJsonObject());
        } catch (JsonParseException | IllegalStateException e) {
            return Optional.empty();
        }
    }

    /** What was wrong with the file when it was read, for people; empty when nothing was. */
    public String trouble() {
        return trouble;
    }

    /**
     * Replaces the content.
     *
     * @throws IOException when it cannot be written; the old content is then still there
     */
    public void write(JsonObject content) throws IOException {
        file.save(content.toString());
    }
}
