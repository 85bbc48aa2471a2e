package dev.tulle.config;

import dev.tulle.model.ResourceRef;
import dev.tulle.model.RouteFilter;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The outer part of every resource, and its document as it was written.
 *
 * @param ref kind, namespace, name and place
 * @param apiVersion group and version as written, for example {@code networking.istio.io/v1}
 * @param labels the labels of its metadata
 * @param filters what its annotations do with all of its requests
 * @param content the whole document as maps, lists, strings, numbers and booleans, in the order of the file
 */
public record Manifest(
        ResourceRef ref,
        String apiVersion,
        Map<String, String> labels,
        List<RouteFilter> filters,
        Map<String, Object> content) {
    private static final String CREATED = "creationTimestamp";

    public Manifest {
        labels = java.util.Collections.unmodifiableMap(new TreeMap<>(labels));
        filters = List.copyOf(filters);
        content = java.util.Collections.unmodifiableMap(content);
    }

    /** Without the document, which may be a secret. */
    @Override
    public String toString() {
        return apiVersion + " " + ref;
    }

    /** When the object was made, as Kubernetes and {@code tulle apply} note it; {@link Instant#MIN} where it does not say. */
    public Instant created() {
        try {
            return creationTimestamp(content).map(Instant::parse).orElse(Instant.MIN);
        } catch (DateTimeException e) {
            // Not a time: it says nothing, as the rest of what only a cluster writes.
            return Instant.MIN;
        }
    }

    /** The text of {@link #created()}, where there is one. */
    static Optional<String> creationTimestamp(Map<String, Object> content) {
        return content.get("metadata") instanceof Map<?, ?> metadata && metadata.get(CREATED) instanceof String text
                ? Optional.of(text)
                : Optional.empty();
    }

    /** A document with a note of when its object was made, where it has none. */
    static Map<String, Object> madeAt(String time, Map<String, Object> content) {
        if (creationTimestamp(content).isPresent() || !(content.get("metadata") instanceof Map<?, ?> metadata)) {
            return content;
        }
        Map<Object, Object> noted = new LinkedHashMap<>(metadata);
        noted.put(CREATED, time);
        Map<String, Object> out = new LinkedHashMap<>(content);
        out.put("metadata", noted);
        return out;
    }
}
