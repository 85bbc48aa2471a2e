package dev.tulle.config;

import dev.tulle.model.ResourceRef;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;

/**
 * The outer part of every resource, and its document as it was written.
 *
 * @param ref kind, namespace, name and place
 * @param apiVersion group and version as written, for example {@code networking.istio.io/v1}
 * @param labels the labels of its metadata
 * @param content the whole document as maps, lists, strings, numbers and booleans, in the order of the file
 */
public record Manifest(ResourceRef ref, String apiVersion, Map<String, String> labels, Map<String, Object> content) {
    public Manifest {
        labels = java.util.Collections.unmodifiableMap(new TreeMap<>(labels));
        content = java.util.Collections.unmodifiableMap(content);
    }

    /** When the object was made, as Kubernetes notes it; {@link Instant#MIN} where it does not say. */
    public Instant created() {
        if (content.get("metadata") instanceof Map<?, ?> metadata
                && metadata.get("creationTimestamp") instanceof String text) {
            try {
                return Instant.parse(text);
            } catch (DateTimeException e) {
                // Not a time: it says nothing, as the rest of what only a cluster writes.
                return Instant.MIN;
            }
        }
        return Instant.MIN;
    }
}
