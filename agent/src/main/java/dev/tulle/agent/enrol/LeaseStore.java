package dev.tulle.agent.enrol;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.agent.enrol.Lease.State;
import dev.tulle.common.Ip;
import dev.tulle.common.StateFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32;

/**
 * Keeps leases on disk, so that a restarted agent finds its workloads and their addresses again. Owner thread only.
 */
public final class LeaseStore {
    private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();

    private final StateFile file;

    /**
     * For a state directory, which is made.
     *
     * @throws IOException when it cannot be made
     */
    public LeaseStore(Path stateDirectory) throws IOException {
        Files.createDirectories(stateDirectory);
        this.file = new StateFile(stateDirectory.resolve("leases.json"), "leases", 1, LeaseStore::withoutHeader);
    }

    /**
     * All that is kept.
     *
     * @param prefix the node's prefix, empty when it never had one
     * @param leases the leases
     * @param memory names and the addresses they had
     */
    public record Contents(String prefix, List<Lease> leases, Map<String, Integer> memory) {
        /** Nothing yet. */
        public static final Contents EMPTY = new Contents("", List.of(), Map.of());

        public Contents {
            leases = List.copyOf(leases);
            memory = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(memory));
        }
    }

    /**
     * What was found.
     *
     * @param contents the leases
     * @param trouble what is wrong with the files, for people; empty when nothing is
     */
    public record Loaded(Contents contents, String trouble) {}

    /** Reads what was kept; of a damaged file the version before it. */
    public Loaded load() {
        StateFile.Loaded loaded = file.load();
        if (loaded.text().isEmpty()) {
            return new Loaded(Contents.EMPTY, loaded.trouble());
        }
        try {
            return new Loaded(decode(loaded.text().get()), loaded.trouble());
        } catch (RuntimeException | RefusedException e) {
            String trouble = file.path() + " is whole and cannot be used (" + e.getMessage() + "): begun anew";
            return new Loaded(Contents.EMPTY, trouble);
        }
    }

    /**
     * Replaces what is kept.
     *
     * @throws IOException when it cannot be written; what was kept before stays
     */
    public void save(Contents contents) throws IOException {
        file.save(encode(contents));
    }

    static String encode(Contents contents) {
        JsonObject root = new JsonObject();
        root.addProperty("schema", 1);
        root.addProperty("prefix", contents.prefix());
        com.google.gson.JsonArray leases = new com.google.gson.JsonArray();
        for (Lease lease : contents.leases()) {
            JsonObject one = new JsonObject();
            one.add("request", EnrolJson.toJson(lease.spec()));
            one.addProperty("address", lease.addressText());
            one.addProperty("id", lease.id());
            one.addProperty("group", lease.group());
            one.addProperty("groupId", lease.groupId());
            one.addProperty("ownGroup", lease.ownGroup());
            one.addProperty("started", lease.started().toString());
            one.addProperty("state", lease.state().name());
            leases.add(one);
        }
        root.add("leases", leases);
        JsonObject memory = new JsonObject();
        contents.memory().forEach((key, address) -> memory.addProperty(key, Ip.text4(address)));
        root.add("memory", memory);
        return GSON.toJson(root) + "\n";
    }

    /** Until 2026-11 the file began with a line that held a CRC of the rest. */
    private static Optional<String> withoutHeader(String text) {
        int line = text.indexOf('\n');
        String body = line < 0 ? "" : text.substring(line + 1).strip();
        CRC32 crc = new CRC32();
        crc.update(body.getBytes(StandardCharsets.UTF_8));
        boolean whole = line > 0 && Long.toHexString(crc.getValue()).equals(text.substring(0, line));
        return whole ? Optional.of(body) : Optional.empty();
    }

    static Contents decode(String body) throws RefusedException {
        JsonObject root = JsonParser.parseString(body).getAsJsonObject();
        if (root.get("schema").getAsInt() != 1) {
            throw new JsonParseException("schema " + root.get("schema") + ", expected 1");
        }
        List<Lease> leases = new ArrayList<>();
        for (JsonElement element : root.getAsJsonArray("leases")) {
            JsonObject one = element.getAsJsonObject();
            leases.add(new Lease(
                    EnrolRequest.parse(one.getAsJsonObject("request")),
                    Ip.number(one.get("address").getAsString()),
                    one.get("id").getAsInt(),
                    one.get("group").getAsString(),
                    one.get("groupId").getAsLong(),
                    one.get("ownGroup").getAsBoolean(),
                    Instant.parse(one.get("started").getAsString()),
                    State.valueOf(one.get("state").getAsString())));
        }
        Map<String, Integer> memory = new LinkedHashMap<>();
        root.getAsJsonObject("memory")
                .entrySet()
                .forEach(entry ->
                        memory.put(entry.getKey(), Ip.number(entry.getValue().getAsString())));
        return new Contents(root.get("prefix").getAsString(), leases, memory);
    }
}
