package dev.tulle.config;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Kubernetes' Secret that holds a certificate with its key, authorities, or both. Nothing of it is ever shown.
 *
 * @param pair what to prove with who one is
 * @param authorities PEM of those who may have issued others' certificates; empty for none
 */
public record Secret(Manifest manifest, Optional<Pair> pair, String authorities) implements ConfigResource {
    /** Where kubectl keeps what it applied, word for word. */
    private static final String APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

    /** A certificate with those of its issuers, and its key, as PEM. */
    public record Pair(String certificate, String key) {
        @Override
        public String toString() {
            return "a certificate and its key";
        }
    }

    /** The document with the size of each value in the value's place. */
    @Override
    public Map<String, Object> shown() {
        Map<String, Object> out = new LinkedHashMap<>(manifest.content());
        for (String part : new String[] {"data", "stringData"}) {
            if (out.get(part) instanceof Map<?, ?> values) {
                Map<String, Object> sizes = new LinkedHashMap<>();
                values.forEach((key, value) -> sizes.put(
                        String.valueOf(key),
                        "(not shown: " + String.valueOf(value).length() + " characters)"));
                out.put(part, sizes);
            }
        }
        if (out.get("metadata") instanceof Map<?, ?> metadata
                && metadata.get("annotations") instanceof Map<?, ?> notes) {
            Map<Object, Object> others = new LinkedHashMap<>(notes);
            others.remove(APPLIED);
            Map<Object, Object> rest = new LinkedHashMap<>(metadata);
            rest.put("annotations", others);
            out.put("metadata", rest);
        }
        return out;
    }

    @Override
    public String toString() {
        return String.valueOf(ref());
    }
}
