package dev.tulle.control.join;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.control.state.JsonStateFile;
import java.io.IOException;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The nodes that have joined over the network, until they are removed: a certificate alone makes nobody a node. Runs on the
 * control plane's owner thread.
 */
final class JoinedNodes {
    private static final System.Logger LOG = System.getLogger(JoinedNodes.class.getName());

    /**
     * One of them.
     *
     * @param since when it joined
     * @param from where it connected from
     */
    record Joined(Instant since, String from) {}

    private final JsonStateFile file;
    private final Map<String, Joined> nodes = new TreeMap<>();

    private JoinedNodes(JsonStateFile file) {
        this.file = file;
    }

    static JoinedNodes load(JsonStateFile file) {
        JoinedNodes joined = new JoinedNodes(file);
        for (Map.Entry<String, JsonElement> entry : file.read().entrySet()) {
            try {
                JsonObject kept = entry.getValue().getAsJsonObject();
                joined.nodes.put(
                        entry.getKey(),
                        new Joined(
                                Instant.parse(kept.get("since").getAsString()),
                                kept.get("from").getAsString()));
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.WARNING, "node {0} cannot be read and has to join again", entry.getKey());
            }
        }
        return joined;
    }

    /** What was wrong with the file, for people; empty when nothing was. */
    String trouble() {
        return file.trouble();
    }

    Map<String, Joined> all() {
        return Map.copyOf(nodes);
    }

    Optional<Joined> get(String name) {
        return Optional.ofNullable(nodes.get(name));
    }

    boolean isEmpty() {
        return nodes.isEmpty();
    }

    /**
     * One more, or one again.
     *
     * @throws IOException when it cannot be kept, and then it has not joined
     */
    void add(String name, Joined joined) throws IOException {
        Joined before = nodes.put(name, joined);
        try {
            save();
        } catch (IOException e) {
            if (before == null) {
                nodes.remove(name);
            } else {
                nodes.put(name, before);
            }
            throw e;
        }
    }

    /**
     * One less.
     *
     * @return false when there is none of this name
     * @throws IOException when that cannot be kept, and then it stays
     */
    boolean remove(String name) throws IOException {
        Joined before = nodes.remove(name);
        if (before == null) {
            return false;
        }
        try {
            save();
            return true;
        } catch (IOException e) {
            nodes.put(name, before);
            throw e;
        }
    }

    private void save() throws IOException {
        JsonObject content = new JsonObject();
        nodes.forEach((name, joined) -> {
            JsonObject one = new JsonObject();
            one.addProperty("since", joined.since().toString());
            one.addProperty("from", joined.from());
            content.add(name, one);
        });
        file.write(content);
    }
}
