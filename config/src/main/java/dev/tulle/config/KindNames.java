package dev.tulle.config;

import java.util.List;

/**
 * What kinds are called by those who ask for resources: by the kind as manifests write it, or with its group
 * ({@code Gateway.gateway.networking.k8s.io}), which tells kinds apart that are written alike. Pure.
 */
public final class KindNames {
    private KindNames() {}

    /** What resources are known by ({@link ResourceKey#kind}) that a word means; none for a kind that there is not. */
    public static List<String> meant(String word) {
        return Kinds.meant(word).stream().map(Kinds.Kind::name).toList();
    }

    /** The keys that a resource may have that somebody names. */
    public static List<ResourceKey> keys(String word, String namespace, String name) {
        return Kinds.meant(word).stream()
                .map(kind -> new ResourceKey(kind.name(), kind.namespaced() ? namespace : "", name))
                .toList();
    }

    /** The kinds as manifests write them, each once. */
    public static List<String> written() {
        return Kinds.names();
    }
}
