package dev.tulle.identity.authority;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.common.StateFile;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The leaves that were revoked and have not ended, on the disk before anybody is told. One thread at a time. */
final class Revocations {
    private static final String FIELD = "revoked";

    private final StateFile file;
    private final Map<BigInteger, Revoked> revoked = new LinkedHashMap<>();

    /**
     * A leaf that nobody should believe any more.
     *
     * @param issued the leaf
     * @param at since when
     */
    record Revoked(IssueLog.Issued issued, Instant at) {}

    private Revocations(StateFile file) {
        this.file = file;
    }

    /**
     * Reads them.
     *
     * @throws IOException when what is there is not whole: who was revoked must not come back unnoticed
     */
    static Revocations open(Path path, Instant now) throws IOException {
        Revocations all = new Revocations(new StateFile(path, "revoked-certificates", 1));
        StateFile.Loaded loaded = all.file.load();
        if (loaded.text().isEmpty() && !loaded.trouble().isEmpty()) {
            throw new IOException(loaded.trouble() + "; expected the list of revoked certificates (remove the file to"
                    + " begin without one)");
        }
        if (loaded.text().isPresent()) {
            all.read(loaded.text().get());
        }
        all.revoked.values().removeIf(one -> !now.isBefore(one.issued().end()));
        return all;
    }

    private void read(String text) throws IOException {
        try {
            for (JsonElement element :
                    JsonParser.parseString(text).getAsJsonObject().getAsJsonArray(FIELD)) {
                JsonObject one = element.getAsJsonObject();
                IssueLog.Issued issued = new IssueLog.Issued(
                        new BigInteger(one.get("serial").getAsString(), 16),
                        one.get("root").getAsInt(),
                        Instant.ofEpochSecond(one.get("end").getAsLong()),
                        one.get("node").getAsString(),
                        one.get("identity").getAsString());
                revoked.put(
                        issued.serial(),
                        new Revoked(issued, Instant.ofEpochSecond(one.get("at").getAsLong())));
            }
        } catch (JsonParseException | IllegalStateException | NumberFormatException | NullPointerException e) {
            throw new IOException(file.path() + " is whole and no list of revoked certificates: " + e, e);
        }
    }

    /**
     * Revokes leaves; they are on the disk afterwards.
     *
     * @return those that were not revoked before
     * @throws IOException when they cannot be written: nothing is revoked then
     */
    List<Revoked> add(Collection<IssueLog.Issued> leaves, Instant now) throws IOException {
        List<Revoked> added = new ArrayList<>();
        for (IssueLog.Issued leaf : leaves) {
            if (!revoked.containsKey(leaf.serial())) {
                added.add(new Revoked(leaf, now));
            }
        }
        if (added.isEmpty()) {
            return List.of();
        }
        Map<BigInteger, Revoked> all = new LinkedHashMap<>(revoked);
        all.values().removeIf(one -> !now.isBefore(one.issued().end()));
        added.forEach(one -> all.put(one.issued().serial(), one));
        save(all.values());
        revoked.clear();
        revoked.putAll(all);
        return List.copyOf(added);
    }

    private void save(Collection<Revoked> all) throws IOException {
        JsonArray list = new JsonArray();
        for (Revoked one : all) {
            JsonObject object = new JsonObject();
            object.addProperty("serial", one.issued().serial().toString(16));
            object.addProperty("root", one.issued().root());
            object.addProperty("end", one.issued().end().getEpochSecond());
            object.addProperty("node", one.issued().node());
            object.addProperty("identity", one.issued().identity());
            object.addProperty("at", one.at().getEpochSecond());
            list.add(object);
        }
        JsonObject text = new JsonObject();
        text.add(FIELD, list);
        file.save(text.toString());
    }

    /** Those that have not ended. */
    List<Revoked> living(Instant now) {
        return revoked.values().stream()
                .filter(one -> now.isBefore(one.issued().end()))
                .toList();
    }

    /** Whether a serial number is revoked. */
    Optional<Revoked> find(BigInteger serial) {
        return Optional.ofNullable(revoked.get(serial));
    }
}
