package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * Many entries per call (BPF_MAP_*_BATCH), and one by one where the kernel or the map's kind cannot. Stateless: whether a
 * map can is asked again each time, since the answer costs one refused call.
 */
final class MapBatch {
    private static final int FIRST_COUNT = 256;
    /** A hash bucket larger than this many entries is listed one by one instead. */
    private static final int COUNT_MAX = 1 << 16;

    private MapBatch() {}

    private static boolean unsupported(int result) {
        return result == -Errno.ENOTSUPP || result == -Errno.EOPNOTSUPP || result == -Errno.EINVAL;
    }

    static void update(BpfMap map, MemorySegment keys, MemorySegment values, int entries) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocateFrom(NativeLibrary.INT, entries);
            int result = BpfCalls.mapUpdateBatch(map.fd().number(), keys, values, count, MemorySegment.NULL);
            if (result == 0) {
                return;
            }
            if (!unsupported(result)) {
                throw map.updateFailed(result);
            }
        }
        int keySize = map.spec().keySize();
        for (int i = 0; i < entries; i++) {
            map.update(
                    keys.asSlice((long) i * keySize, keySize),
                    values.asSlice((long) i * map.stride(), map.stride()),
                    BpfMap.ANY);
        }
    }

    static void delete(BpfMap map, MemorySegment keys, int entries) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocateFrom(NativeLibrary.INT, entries);
            int result = BpfCalls.mapDeleteBatch(map.fd().number(), keys, count, MemorySegment.NULL);
            if (result == 0) {
                return;
            }
            // ENOENT stops the batch at an absent key; the loop below finishes the rest.
            if (!unsupported(result) && result != -Errno.ENOENT) {
                throw new BpfException("cannot delete from " + map, -result);
            }
        }
        int keySize = map.spec().keySize();
        for (int i = 0; i < entries; i++) {
            map.delete(keys.asSlice((long) i * keySize, keySize));
        }
    }

    static void forEach(BpfMap map, BiConsumer<MemorySegment, MemorySegment> action) {
        if (!listInBatches(map, action)) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment value = arena.allocate(map.stride(), Long.BYTES);
                forEachKey(map, key -> {
                    if (map.lookup(key, value)) {
                        action.accept(key, value);
                    }
                });
            }
        }
    }

    /** Key by key. A key deleted under the cursor makes the kernel start over, so the number of steps is bounded. */
    static void forEachKey(BpfMap map, Consumer<MemorySegment> action) {
        int keySize = map.spec().keySize();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment here = arena.allocate(keySize, Long.BYTES);
            MemorySegment next = arena.allocate(keySize, Long.BYTES);
            long left = 4L * Integer.toUnsignedLong(map.spec().maxEntries()) + 16;
            boolean more = map.nextKey(null, next);
            while (more && left-- > 0) {
                here.copyFrom(next);
                more = map.nextKey(here, next); // before the action, which may delete this key
                action.accept(here);
            }
        }
    }

    /** False if the map cannot be listed in batches and nothing was reported. */
    private static boolean listInBatches(BpfMap map, BiConsumer<MemorySegment, MemorySegment> action) {
        int keySize = map.spec().keySize();
        int stride = map.stride();
        int capacity = FIRST_COUNT;
        boolean started = false;
        try (Arena cursors = Arena.ofConfined()) {
            MemorySegment in = cursors.allocate(Math.max(keySize, Integer.BYTES), Long.BYTES);
            MemorySegment out = cursors.allocate(Math.max(keySize, Integer.BYTES), Long.BYTES);
            MemorySegment count = cursors.allocate(NativeLibrary.INT);
            while (true) {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment keys = arena.allocate((long) capacity * keySize, Long.BYTES);
                    MemorySegment values = arena.allocate((long) capacity * stride, Long.BYTES);
                    count.set(NativeLibrary.INT, 0, capacity);
                    int result = BpfCalls.mapLookupBatch(
                            map.fd().number(),
                            started ? in : MemorySegment.NULL,
                            out,
                            keys,
                            values,
                            count,
                            MemorySegment.NULL);
                    if (result == -Errno.ENOSPC && capacity < COUNT_MAX) {
                        capacity *= 2; // one hash bucket holds more than the buffer
                        continue;
                    }
                    if (!started && (unsupported(result) || result == -Errno.ENOSPC)) {
                        return false;
                    }
                    boolean end = result == -Errno.ENOENT;
                    if (!end) {
                        BpfException.check(result, "cannot list " + map);
                    }
                    int found = count.get(NativeLibrary.INT, 0);
                    for (int i = 0; i < found; i++) {
                        action.accept(
                                keys.asSlice((long) i * keySize, keySize), values.asSlice((long) i * stride, stride));
                    }
                    if (end) {
                        return true;
                    }
                    in.copyFrom(out);
                    started = true;
                }
            }
        }
    }
}
