package dev.tulle.xds;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.tulle.model.ResourceRef;
import dev.tulle.xds.proto.envoy.config.core.v3.Metadata;
import java.util.LinkedHashMap;
import java.util.Map;

/** Tulle's own facts in Envoy's metadata, under {@code filter_metadata["dev.tulle"]}: texts by name. */
final class MetadataCodec {
    static final String KEY = "dev.tulle";

    private MetadataCodec() {}

    static Metadata encode(Map<String, String> facts) {
        Struct.Builder struct = Struct.newBuilder();
        facts.forEach((name, text) ->
                struct.putFields(name, Value.newBuilder().setStringValue(text).build()));
        return Metadata.newBuilder().putFilterMetadata(KEY, struct.build()).build();
    }

    static Map<String, String> decode(Metadata metadata) {
        Struct struct = metadata.getFilterMetadataMap().get(KEY);
        if (struct == null) {
            return Map.of();
        }
        Map<String, String> facts = new LinkedHashMap<>();
        struct.getFieldsMap().forEach((name, value) -> facts.put(name, value.getStringValue()));
        return facts;
    }

    /** Adds the facts of an origin; the default origin is left out. */
    static void putOrigin(Map<String, String> facts, ResourceRef origin) {
        if (origin.equals(ResourceRef.DEFAULT)) {
            return;
        }
        facts.put("kind", origin.kind());
        facts.put("namespace", origin.namespace());
        facts.put("name", origin.name());
        if (!origin.file().isEmpty()) {
            facts.put("file", origin.file());
        }
        if (origin.line() > 0) {
            facts.put("line", Integer.toString(origin.line()));
        }
    }

    static ResourceRef origin(Map<String, String> facts) {
        if (!facts.containsKey("kind")) {
            return ResourceRef.DEFAULT;
        }
        return new ResourceRef(
                facts.getOrDefault("kind", ""),
                facts.getOrDefault("namespace", ""),
                facts.getOrDefault("name", ""),
                facts.getOrDefault("file", ""),
                number(facts.getOrDefault("line", "0")));
    }

    static int number(String text) {
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("metadata " + KEY + ": '" + text + "' is not a number", e);
        }
    }
}
