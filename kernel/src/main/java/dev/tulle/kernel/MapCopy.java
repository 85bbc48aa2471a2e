package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Carries the entries of a map over to one of another layout or size, in two passes: {@link #copy} while programs still
 * write the old map, {@link #catchUp} once none does any more. Fields are matched by name. Owner thread only.
 */
public final class MapCopy {
    private final BpfMap from;
    private final BpfMap to;
    private final RecordConversion keys;
    private final RecordConversion values;
    private final Map<ByteBuffer, byte[]> seen = new HashMap<>();
    private long carried;
    private long lost;

    private MapCopy(BpfMap from, BpfMap to, RecordConversion keys, RecordConversion values) {
        this.from = from;
        this.to = to;
        this.keys = keys;
        this.values = values;
    }

    /**
     * Plans a copy.
     *
     * @throws LayoutException when the maps' kinds differ or a side has no BTF and another size
     */
    public static MapCopy of(BpfMap from, BpfMap to) {
        if (isPerCpu(from) != isPerCpu(to)) {
            throw new LayoutException(from + " is " + from.spec().typeName() + ", expected "
                    + to.spec().typeName());
        }
        return new MapCopy(
                from,
                to,
                conversion(from, to, from.spec().keySize(), to.spec().keySize(), true),
                conversion(from, to, from.spec().valueSize(), to.spec().valueSize(), false));
    }

    private static RecordConversion conversion(BpfMap from, BpfMap to, int fromSize, int toSize, boolean key) {
        String fromText = key ? from.spec().keyLayout() : from.spec().valueLayout();
        String toText = key ? to.spec().keyLayout() : to.spec().valueLayout();
        if (fromText.isEmpty() || toText.isEmpty() || fromText.equals(toText)) {
            if (fromSize != toSize) {
                throw new LayoutException((key ? "keys" : "values") + " of " + from + " are " + fromSize
                        + " bytes without BTF, expected " + toSize);
            }
            return RecordConversion.asTheyAre(toSize);
        }
        return RecordConversion.of(
                key ? from.keyLayout() : from.valueLayout(), key ? to.keyLayout() : to.valueLayout());
    }

    private static boolean isPerCpu(BpfMap map) {
        return map.stride() != map.spec().valueSize();
    }

    private static boolean isArray(BpfMap map) {
        return map.spec().type() == MapType.ARRAY.number() || map.spec().type() == MapType.PERCPU_ARRAY.number();
    }

    /** Copies all entries, and remembers them for {@link #catchUp}. */
    public void copy() {
        MapBatch.forEach(from, (key, value) -> {
            if (isArray(from) && isZero(value)) {
                return; // a new array is zero already
            }
            seen.put(ByteBuffer.wrap(bytes(key)), bytes(value));
            count(write(key, value));
        });
    }

    /** Copies what the new map does not have: for a copy that another process began and did not end. */
    public void copyMissing() {
        MapBatch.forEach(from, (key, value) -> {
            if (stillAsCopied(key, null) && !(isArray(from) && isZero(value))) {
                count(write(key, value));
            }
        });
    }

    private void count(boolean done) {
        if (done) {
            carried++;
        } else {
            lost++;
        }
    }

    /**
     * Brings over what the old map's last writers changed after {@link #copy}: an entry of the new map that is no longer
     * as it was copied belongs to the new programs and stays.
     */
    public void catchUp() {
        Map<ByteBuffer, byte[]> before = new HashMap<>(seen);
        MapBatch.forEach(from, (key, value) -> {
            byte[] then = before.remove(ByteBuffer.wrap(bytes(key)));
            boolean unchanged =
                    then == null ? isArray(from) && isZero(value) : java.util.Arrays.equals(then, bytes(value));
            if (unchanged) {
                return;
            }
            if (stillAsCopied(key, then)) {
                count(write(key, value));
            } else {
                lost++; // both sides have written: the new programs' word counts
            }
        });
        if (isArray(from)) {
            return;
        }
        before.forEach((key, then) -> {
            MemorySegment old = MemorySegment.ofBuffer(key);
            if (stillAsCopied(old, then)) {
                remove(old);
            }
        });
    }

    /** Whether the new map holds what {@link #copy} put there (nothing, for {@code then} null). */
    private boolean stillAsCopied(MemorySegment key, byte @org.jspecify.annotations.Nullable [] then) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment newKey = arena.allocate(to.spec().keySize(), Long.BYTES);
            MemorySegment now = arena.allocate(to.stride(), Long.BYTES);
            if (!keys.convert(aligned(arena, key), newKey) || !to.lookup(newKey, now)) {
                return then == null;
            }
            if (then == null) {
                return isArray(to) && isZero(now);
            }
            MemorySegment expected = arena.allocate(to.stride(), Long.BYTES);
            return convertValue(aligned(arena, MemorySegment.ofArray(then)), expected) && expected.mismatch(now) < 0;
        }
    }

    private void remove(MemorySegment key) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment newKey = arena.allocate(to.spec().keySize(), Long.BYTES);
            if (keys.convert(aligned(arena, key), newKey)) {
                to.delete(newKey);
            }
        }
    }

    private boolean write(MemorySegment key, MemorySegment value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment newKey = arena.allocate(to.spec().keySize(), Long.BYTES);
            MemorySegment newValue = arena.allocate(to.stride(), Long.BYTES);
            if (!keys.convert(key, newKey) || !convertValue(value, newValue)) {
                return false;
            }
            // Refused when the new map is full or the key lies outside it.
            return to.tryUpdate(newKey, newValue, BpfMap.ANY) == 0;
        }
    }

    private boolean convertValue(MemorySegment value, MemorySegment newValue) {
        if (!isPerCpu(from)) {
            return values.convert(value, newValue);
        }
        int oldStep = (from.spec().valueSize() + 7) & ~7;
        int newStep = (to.spec().valueSize() + 7) & ~7;
        boolean fits = true;
        for (int cpu = 0; cpu * oldStep < from.stride(); cpu++) {
            fits &= values.convert(
                    value.asSlice((long) cpu * oldStep, from.spec().valueSize()),
                    newValue.asSlice((long) cpu * newStep, to.spec().valueSize()));
        }
        return fits;
    }

    private static MemorySegment aligned(Arena arena, MemorySegment bytes) {
        return arena.allocate(bytes.byteSize(), Long.BYTES).copyFrom(bytes);
    }

    private static byte[] bytes(MemorySegment segment) {
        return segment.toArray(ValueLayout.JAVA_BYTE);
    }

    private static boolean isZero(MemorySegment value) {
        for (long i = 0; i < value.byteSize(); i++) {
            if (value.get(ValueLayout.JAVA_BYTE, i) != 0) {
                return false;
            }
        }
        return true;
    }

    /** Entries carried over so far, changed ones counted again. */
    public long carried() {
        return carried;
    }

    /** Entries that were not: no room, a value that does not fit, or both sides had written. */
    public long lost() {
        return lost;
    }

    /** Fields of the old layout for which the new one has no place. */
    public List<String> leftFields() {
        return java.util.stream.Stream.concat(keys.left().stream(), values.left().stream())
                .toList();
    }
}
