package dev.tulle.control;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.control.state.JsonStateFile;
import java.io.IOException;
import java.util.Set;
import java.util.TreeSet;

/**
 * The names of the clients, kept on the disk: they enforce what they were sent also while no control plane runs, so that the
 * next one must wait for them before it says that everybody enforces a change. Owner thread only.
 */
final class KnownClients {
    private static final System.Logger LOG = System.getLogger(KnownClients.class.getName());

    private final JsonStateFile file;
    private Set<String> kept = Set.of();

    KnownClients(JsonStateFile file) {
        this.file = file;
    }

    /** Those of the last control plane; none when that is not known. */
    Set<String> load() {
        Set<String> names = new TreeSet<>();
        if (file.read().get("clients") instanceof JsonArray array) {
            for (JsonElement name : array) {
                if (name.isJsonPrimitive()) {
                    names.add(name.getAsString());
                }
            }
        }
        kept = Set.copyOf(names);
        return kept;
    }

    /** Keeps these, when they are others than before. */
    void save(Set<String> clients) {
        if (clients.equals(kept)) {
            return;
        }
        JsonArray names = new JsonArray();
        new TreeSet<>(clients).forEach(names::add);
        JsonObject content = new JsonObject();
        content.add("clients", names);
        try {
            file.write(content);
            kept = Set.copyOf(clients);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "the names of the clients cannot be kept", e);
        }
    }
}
