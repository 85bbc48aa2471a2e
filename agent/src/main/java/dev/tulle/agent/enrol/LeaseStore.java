package dev.tulle.agent.enrol;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.agent.enrol.Lease.State;
import dev.tulle.common.Ip;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;

/**
 * Keeps leases on disk, so that a restarted agent finds its workloads and their addresses again. One file, replaced
 * whole, with a checksum; the one before is kept beside it and read when the newer one is damaged. Owner thread only.
 */
public final class LeaseStore {
    private static final System.Logger LOG = System.getLogger(LeaseStore.class.getName());
    private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();

    private final Path file;
    private final Path before;

    /**
     * For a state directory, which is made.
     *
     * @throws IOException when it cannot be made
     */
    public LeaseStore(Path stateDirectory) throws IOException {
        Files.createDirectories(stateDirectory);
        this.file = stateDirectory.resolve("leases.json");
        this.before = stateDirectory.resolve("leases.before.json");
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

    /** Reads what was kept; a damaged file is reported in the log and the one before it is used. */
    public Contents load() {
        for (Path candidate : List.of(file, before)) {
            if (!Files.exists(candidate)) {
                continue;
            }
            try {
                return decode(Files.readString(candidate));
            } catch (IOException | RuntimeException | RefusedException e) {
                LOG.log(System.Logger.Level.ERROR, candidate + ": cannot be used: " + e.getMessage());
            }
        }
        return Contents.EMPTY;
    }

    /**
     * Replaces what is kept.
     *
     * @throws IOException when it cannot be written; what was kept before stays
     */
    public void save(Contents contents) throws IOException {
        Path fresh = file.resolveSibling("leases.json.new");
        try (FileChannel channel = FileChannel.open(
                fresh, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            ByteBuffer bytes = ByteBuffer.wrap(encode(contents).getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
        if (Files.exists(file)) {
            Files.copy(file, before, StandardCopyOption.REPLACE_EXISTING);
        }
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
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
        String body = GSON.toJson(root);
        return checksum(body) + "\n" + body + "\n";
    }

    static Contents decode(String text) throws RefusedException {
        int line = text.indexOf('\n');
        String body = line < 0 ? "" : text.substring(line + 1).strip();
        if (line < 0 || !checksum(body).equals(text.substring(0, line))) {
            throw new JsonParseException("its checksum does not match its contents");
        }
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

    private static String checksum(String body) {
        CRC32 crc = new CRC32();
        crc.update(body.getBytes(StandardCharsets.UTF_8));
        return Long.toHexString(crc.getValue());
    }
}
