package dev.tulle.xds;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** All resources of one wire type at one moment, by name and by alias. Immutable. */
final class ResourceTable {
    static final ResourceTable EMPTY = new ResourceTable(Map.of(), Map.of(), Set.of());

    private final Map<String, EncodedResource> byName;
    private final Map<String, EncodedResource> byAlias;
    private final Set<String> awaited;

    private ResourceTable(
            Map<String, EncodedResource> byName, Map<String, EncodedResource> byAlias, Set<String> awaited) {
        this.byName = byName;
        this.byAlias = byAlias;
        this.awaited = awaited;
    }

    /** The resource that a client means by this name. */
    @Nullable
    EncodedResource resolve(String name) {
        EncodedResource resource = byName.get(name);
        return resource != null ? resource : byAlias.get(name);
    }

    boolean has(String canonicalName) {
        return byName.containsKey(canonicalName);
    }

    /** True for a name of which nobody is told that it does not exist: it may in a moment. */
    boolean isAwaited(String name) {
        return awaited.contains(name);
    }

    Iterable<EncodedResource> all() {
        return byName.values();
    }

    int size() {
        return byName.size();
    }

    /** This table with other resources in the place of those of the same name. */
    ResourceTable with(Map<String, EncodedResource> others) {
        Map<String, EncodedResource> changed = new HashMap<>(byName);
        changed.putAll(others);
        return new ResourceTable(changed, byAlias, awaited);
    }

    /** Builds the next table out of the present one, encoding only what differs. */
    static final class Builder {
        private final ResourceTable previous;
        private final Map<String, EncodedResource> byName = new HashMap<>();
        private final Map<String, EncodedResource> byAlias = new HashMap<>();
        private Set<String> awaited = Set.of();
        private boolean changed;

        Builder(ResourceTable previous) {
            this.previous = previous;
        }

        /**
         * Adds the resources.
         *
         * @param aliases further names of a value
         * @param problems told the name and reason of each resource that cannot be encoded; its last good version stays
         */
        <T> void add(Map<String, T> values, Function<T, List<String>> aliases, Problems problems) {
            values.forEach((name, value) -> {
                EncodedResource old = previous.byName.get(name);
                EncodedResource resource = old;
                if (old == null || !old.source().equals(value)) {
                    try {
                        resource = EncodedResource.of(name, aliases.apply(value), value);
                        changed = true;
                    } catch (IllegalArgumentException e) {
                        problems.report(name, String.valueOf(e.getMessage()));
                    }
                }
                if (resource != null) {
                    put(resource);
                }
            });
        }

        /** Says which names are awaited. */
        void await(Set<String> names) {
            awaited = Set.copyOf(names);
        }

        private void put(EncodedResource resource) {
            byName.put(resource.name(), resource);
            for (String alias : resource.aliases()) {
                byAlias.putIfAbsent(alias, resource);
            }
        }

        /** The table; the very same object as before when nothing changed. */
        ResourceTable build() {
            boolean same = !changed && byName.size() == previous.byName.size() && awaited.equals(previous.awaited);
            return same ? previous : new ResourceTable(byName, byAlias, awaited);
        }
    }

    /** Told of resources that cannot be encoded. */
    @FunctionalInterface
    interface Problems {
        void report(String name, String reason);
    }
}
