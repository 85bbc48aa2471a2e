package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A map through codecs. Any thread: calls share one pair of native buffers under a lock, so a put allocates no native
 * memory. Its life is the {@link BpfMap}'s; it needs no close of its own.
 *
 * @param <K> key
 * @param <V> value
 */
public final class TypedMap<K, V> {
    /** Entries moved by one batch call: large enough to hide the call, small enough for a buffer on demand. */
    private static final int BATCH = 256;

    private final BpfMap map;
    private final MapCodec<K> keys;
    private final MapCodec<V> values;
    private final MemorySegment key;
    private final MemorySegment value;

    TypedMap(BpfMap map, MapCodec<K> keys, MapCodec<V> values) {
        this.map = map;
        this.keys = Objects.requireNonNull(keys, "keys");
        this.values = Objects.requireNonNull(values, "values");
        checkSize("key", keys.size(), map.spec().keySize());
        checkSize("value", values.size(), map.spec().valueSize());
        // Two small heap-managed buffers: they hold no kernel resource, so the collector may free them.
        Arena buffers = Arena.ofAuto();
        this.key = buffers.allocate(keys.size(), Long.BYTES);
        this.value = buffers.allocate(values.size(), Long.BYTES);
    }

    private void checkSize(String part, int codec, int expected) {
        if (codec != expected) {
            throw new LayoutException(part + " codec of " + map + " has " + codec + " bytes, expected " + expected);
        }
    }

    /** The map behind this view. */
    public BpfMap map() {
        return map;
    }

    /** The value, or null if the key is absent. */
    public synchronized @Nullable V get(K k) {
        encodeKey(k);
        return map.lookup(key, value) ? values.decode(value) : null;
    }

    /** Creates or replaces. */
    public synchronized void put(K k, V v) {
        encode(k, v);
        map.update(key, value, BpfMap.ANY);
    }

    /** Creates; false, with nothing changed, if the key is there. */
    public synchronized boolean putNew(K k, V v) {
        encode(k, v);
        int result = map.tryUpdate(key, value, BpfMap.NO_EXIST);
        if (result < 0 && result != -Errno.EEXIST) {
            throw map.updateFailed(result);
        }
        return result == 0;
    }

    /** Replaces; false, with nothing changed, if the key is absent. */
    public synchronized boolean replace(K k, V v) {
        encode(k, v);
        int result = map.tryUpdate(key, value, BpfMap.EXIST);
        if (result < 0 && result != -Errno.ENOENT) {
            throw map.updateFailed(result);
        }
        return result == 0;
    }

    /** Removes; false if the key is absent. Array maps have no delete (EINVAL). */
    public synchronized boolean delete(K k) {
        encodeKey(k);
        return map.delete(key);
    }

    /** Every key at some moment during the call. */
    public List<K> keys() {
        List<K> found = new ArrayList<>();
        MapBatch.forEachKey(map, bytes -> found.add(keys.decode(bytes)));
        return found;
    }

    /** Calls {@code action} for every entry; entries that come or go meanwhile may be missed or seen. */
    public void forEach(BiConsumer<? super K, ? super V> action) {
        MapBatch.forEach(map, (k, v) -> action.accept(keys.decode(k), values.decode(v)));
    }

    /** A copy of the entries, in the kernel's order. */
    public Map<K, V> snapshot() {
        Map<K, V> found = new LinkedHashMap<>();
        forEach(found::put);
        return found;
    }

    /** Creates or replaces many entries, in batches where the kernel can; not atomic as a whole. */
    public void putAll(Map<? extends K, ? extends V> entries) {
        List<Map.Entry<? extends K, ? extends V>> list = new ArrayList<>(entries.entrySet());
        try (Arena arena = Arena.ofConfined()) {
            int capacity = Math.min(list.size(), BATCH);
            MemorySegment k = arena.allocate(Math.max(1L, (long) capacity * keys.size()), Long.BYTES);
            MemorySegment v = arena.allocate(Math.max(1L, (long) capacity * values.size()), Long.BYTES);
            for (int from = 0; from < list.size(); from += BATCH) {
                int count = Math.min(BATCH, list.size() - from);
                k.fill((byte) 0);
                v.fill((byte) 0);
                for (int i = 0; i < count; i++) {
                    keys.encode(list.get(from + i).getKey(), slice(k, i, keys.size()));
                    values.encode(list.get(from + i).getValue(), slice(v, i, values.size()));
                }
                MapBatch.update(map, k, v, count);
            }
        }
    }

    /** Removes many keys, in batches where the kernel can; absent keys are no error. */
    public void deleteAll(Collection<? extends K> absent) {
        List<K> list = List.copyOf(absent);
        try (Arena arena = Arena.ofConfined()) {
            int capacity = Math.min(list.size(), BATCH);
            MemorySegment k = arena.allocate(Math.max(1L, (long) capacity * keys.size()), Long.BYTES);
            for (int from = 0; from < list.size(); from += BATCH) {
                int count = Math.min(BATCH, list.size() - from);
                k.fill((byte) 0);
                for (int i = 0; i < count; i++) {
                    keys.encode(list.get(from + i), slice(k, i, keys.size()));
                }
                MapBatch.delete(map, k, count);
            }
        }
    }

    private static MemorySegment slice(MemorySegment all, int index, int size) {
        return all.asSlice((long) index * size, size);
    }

    private void encodeKey(K k) {
        key.fill((byte) 0);
        keys.encode(k, key);
    }

    private void encode(K k, V v) {
        encodeKey(k);
        value.fill((byte) 0);
        values.encode(v, value);
    }

    @Override
    public String toString() {
        return map.toString();
    }
}
