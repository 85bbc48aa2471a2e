package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A per-CPU map through codecs: every key has one value for each possible CPU. Read and emptied by user space,
 * written by the programs. Any thread; its life is the {@link BpfMap}'s.
 *
 * @param <K> key
 * @param <V> value of one CPU
 */
public final class PerCpuMap<K, V> {
    private final BpfMap map;
    private final MapCodec<K> keys;
    private final MapCodec<V> values;

    PerCpuMap(BpfMap map, MapCodec<K> keys, MapCodec<V> values) {
        this.map = map;
        this.keys = Objects.requireNonNull(keys, "keys");
        this.values = Objects.requireNonNull(values, "values");
        if (keys.size() != map.spec().keySize() || values.size() != map.spec().valueSize()) {
            throw new LayoutException("codecs of " + map + " have " + keys.size() + " and " + values.size()
                    + " bytes, expected " + map.spec().keySize() + " and "
                    + map.spec().valueSize());
        }
    }

    /** A copy of the entries: the values of all CPUs, in their order. */
    public Map<K, List<V>> snapshot() {
        int stride = (values.size() + 7) & ~7;
        Map<K, List<V>> found = new LinkedHashMap<>();
        MapBatch.forEach(map, (k, all) -> {
            List<V> each = new ArrayList<>();
            for (long at = 0; at < map.stride(); at += stride) {
                each.add(values.decode(all.asSlice(at, values.size())));
            }
            found.put(keys.decode(k), List.copyOf(each));
        });
        return found;
    }

    /** The values of all CPUs, in their order; empty if the key is absent. */
    public List<V> get(K k) {
        int stride = (values.size() + 7) & ~7;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment key = arena.allocate(keys.size(), Long.BYTES);
            keys.encode(k, key);
            MemorySegment all = arena.allocate(map.stride(), Long.BYTES);
            if (!map.lookup(key, all)) {
                return List.of();
            }
            List<V> each = new ArrayList<>();
            for (long at = 0; at < map.stride(); at += stride) {
                each.add(values.decode(all.asSlice(at, values.size())));
            }
            return List.copyOf(each);
        }
    }

    /** Writes the values of all CPUs; fewer than there are leave the rest zero. */
    public void put(K k, List<? extends V> each) {
        int stride = (values.size() + 7) & ~7;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment key = arena.allocate(keys.size(), Long.BYTES);
            keys.encode(k, key);
            MemorySegment all = arena.allocate(map.stride(), Long.BYTES);
            for (int i = 0; i < each.size(); i++) {
                values.encode(each.get(i), all.asSlice((long) i * stride, values.size()));
            }
            map.update(key, all, BpfMap.ANY);
        }
    }

    /** Removes; false if the key is absent. */
    public boolean delete(K k) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment key = arena.allocate(keys.size(), Long.BYTES);
            keys.encode(k, key);
            return map.delete(key);
        }
    }

    @Override
    public String toString() {
        return map.toString();
    }
}
