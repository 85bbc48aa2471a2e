package dev.tulle.config;

import dev.tulle.model.ResourceRef;
import java.util.Comparator;

/**
 * What makes a resource one and the same over time and files. Ordered by kind, namespace and name.
 *
 * @param kind the kind as it is written; of two groups with a kind of one name that of the second with its group, as in
 *     {@code Gateway.gateway.networking.k8s.io} ({@link KindNames})
 * @param namespace empty for a kind whose objects are in no namespace
 */
public record ResourceKey(String kind, String namespace, String name) implements Comparable<ResourceKey> {
    private static final Comparator<ResourceKey> ORDER = Comparator.comparing(ResourceKey::kind)
            .thenComparing(ResourceKey::namespace)
            .thenComparing(ResourceKey::name);

    /** The key of the resource that a reference names. */
    public static ResourceKey of(ResourceRef ref) {
        return new ResourceKey(ref.kind(), ref.namespace(), ref.name());
    }

    @Override
    public int compareTo(ResourceKey other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return kind + " " + (namespace.isEmpty() ? "" : namespace + "/") + name;
    }
}
