package dev.tulle.agent.dns;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A bounded store in which each entry belongs to a share. When it is full, the share that holds most loses what it used
 * longest ago: whoever fills it pushes himself out. An entry that somebody else uses goes over to him if he holds less.
 * Not thread-safe.
 *
 * @param <S> a share
 * @param <K> a key
 * @param <V> a value
 */
final class FairLru<S, K, V> {
    private final long weightMax;
    private final Map<K, Held<S, V>> entries = new HashMap<>();
    private final Map<S, Part<K>> parts = new HashMap<>();
    private long weight;

    private record Held<S, V>(S share, V value, int weight) {}

    private static final class Part<K> {
        final LinkedHashMap<K, Integer> keys = new LinkedHashMap<>(16, 0.75f, true);
        long weight;
    }

    /**
     * Empty.
     *
     * @param weightMax the most that all entries weigh together
     */
    FairLru(long weightMax) {
        this.weightMax = weightMax;
    }

    /** What is held under a key; counts as used by this share. */
    Optional<V> get(S share, K key) {
        Held<S, V> held = entries.get(key);
        if (held == null) {
            return Optional.empty();
        }
        if (!held.share.equals(share) && weightOf(share) < weightOf(held.share)) {
            remove(key);
            add(share, key, held.value, held.weight);
        } else {
            part(held.share).keys.get(key);
        }
        return Optional.of(held.value);
    }

    /** Holds a value for a share, in the place of what was under the key. */
    void put(S share, K key, V value, int entryWeight) {
        remove(key);
        if (entryWeight > weightMax) {
            return;
        }
        add(share, key, value, entryWeight);
        while (weight > weightMax) {
            removeEldest();
        }
    }

    /** Forgets a key. */
    void remove(K key) {
        Held<S, V> held = entries.remove(key);
        if (held != null) {
            Part<K> part = part(held.share);
            part.keys.remove(key);
            part.weight -= held.weight;
            weight -= held.weight;
            if (part.keys.isEmpty()) {
                parts.remove(held.share);
            }
        }
    }

    /** Entries held. */
    int size() {
        return entries.size();
    }

    private long weightOf(S share) {
        Part<K> part = parts.get(share);
        return part == null ? 0 : part.weight;
    }

    private Part<K> part(S share) {
        return parts.computeIfAbsent(share, _ -> new Part<>());
    }

    private void add(S share, K key, V value, int entryWeight) {
        entries.put(key, new Held<>(share, value, entryWeight));
        Part<K> part = part(share);
        part.keys.put(key, entryWeight);
        part.weight += entryWeight;
        weight += entryWeight;
    }

    private void removeEldest() {
        Part<K> heaviest = null;
        for (Part<K> part : parts.values()) {
            if (heaviest == null || part.weight > heaviest.weight) {
                heaviest = part;
            }
        }
        if (heaviest == null) {
            throw new IllegalStateException("entries without a share");
        }
        remove(heaviest.keys.firstEntry().getKey());
    }
}
