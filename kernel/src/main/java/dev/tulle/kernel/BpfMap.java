package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One kernel map: of a loaded object or opened from a pin. Keys and values are bytes here; {@link #typed} adds codecs. Any
 * thread; closing while another thread uses it is a bug. Closing ends this process's hold only: pins and attached programs
 * keep the map.
 */
public final class BpfMap implements AutoCloseable {
    /** Flag of {@link #update}: create or replace. */
    public static final long ANY = 0;
    /** Flag of {@link #update}: fails with EEXIST if the key is there. */
    public static final long NO_EXIST = 1;
    /** Flag of {@link #update}: fails with ENOENT if the key is not there. */
    public static final long EXIST = 2;

    private final Fd fd;
    private final MapSpec spec;
    private final @Nullable Btf btf;
    private final int keyTypeId;
    private final int valueTypeId;
    private final int stride;

    BpfMap(Fd fd, MapSpec spec, @Nullable Btf btf, int keyTypeId, int valueTypeId) {
        this.fd = fd;
        this.spec = spec;
        this.btf = btf;
        this.keyTypeId = keyTypeId;
        this.valueTypeId = valueTypeId;
        this.stride = isPerCpu(spec.type()) ? ((spec.valueSize() + 7) & ~7) * Cpus.possible() : spec.valueSize();
    }

    /** Opens a pin; the layouts come from the BTF that the kernel keeps with the map. */
    public static BpfMap openPinned(Path pin) {
        NativeLibrary.libbpf();
        return of(Pins.open(Objects.requireNonNull(pin, "pin"), "map"), "map pinned at " + pin);
    }

    static BpfMap of(Fd fd, String what) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = KernelInfo.read(arena, fd, KernelInfo.MAP, what);
            int btfId = KernelInfo.u32(info, KernelInfo.MAP, "btf_id");
            int keyType = KernelInfo.u32(info, KernelInfo.MAP, "btf_key_type_id");
            int valueType = KernelInfo.u32(info, KernelInfo.MAP, "btf_value_type_id");
            Btf btf = btfId == 0 ? null : Btf.fromKernel(btfId);
            MapSpec spec = new MapSpec(
                    KernelInfo.text(info, KernelInfo.MAP, "name"),
                    KernelInfo.u32(info, KernelInfo.MAP, "type"),
                    KernelInfo.u32(info, KernelInfo.MAP, "key_size"),
                    KernelInfo.u32(info, KernelInfo.MAP, "value_size"),
                    KernelInfo.u32(info, KernelInfo.MAP, "max_entries"),
                    KernelInfo.u32(info, KernelInfo.MAP, "map_flags"),
                    describe(btf, keyType),
                    describe(btf, valueType));
            return new BpfMap(fd, spec, btf, keyType, valueType);
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    static String describe(@Nullable Btf btf, int typeId) {
        return btf == null || typeId == 0 ? "" : RecordLayout.of(btf, typeId).describe();
    }

    private static boolean isPerCpu(int type) {
        return type == MapType.PERCPU_ARRAY.number()
                || type == MapType.PERCPU_HASH.number()
                || type == MapType.LRU_PERCPU_HASH.number();
    }

    public String name() {
        return spec.name();
    }

    public MapSpec spec() {
        return spec;
    }

    /** The kernel's id of this map now; changes with every new map. */
    public int id() {
        try (Arena arena = Arena.ofConfined()) {
            return KernelInfo.u32(KernelInfo.read(arena, fd, KernelInfo.MAP, toString()), KernelInfo.MAP, "id");
        }
    }

    /** The key's fields; throws {@link LayoutException} for a map whose key has no BTF. */
    public RecordLayout keyLayout() {
        return layout(keyTypeId, "key");
    }

    /** The value's fields; throws {@link LayoutException} for a map whose value has no BTF. */
    public RecordLayout valueLayout() {
        return layout(valueTypeId, "value");
    }

    private RecordLayout layout(int typeId, String part) {
        if (btf == null || typeId == 0) {
            throw new LayoutException(this + " has no BTF for its " + part
                    + ": declare it with __type(), not with a size, and build with -g");
        }
        return RecordLayout.of(btf, typeId);
    }

    /** The types of the object that made this map; empty for a map without BTF. */
    public Optional<Btf> btf() {
        return Optional.ofNullable(btf);
    }

    /** Bytes that a look-up writes: the value size, or the padded size times the possible CPUs of a per-CPU map. */
    public int stride() {
        return stride;
    }

    /** This map through codecs; throws {@link LayoutException} at once if a size differs. */
    public <K, V> TypedMap<K, V> typed(MapCodec<K> keys, MapCodec<V> values) {
        if (stride != spec.valueSize()) {
            throw new IllegalArgumentException(this + " is per CPU: read it with sumPerCpu or lookup");
        }
        return new TypedMap<>(this, keys, values);
    }

    /** This per-CPU map through codecs; throws {@link LayoutException} at once if a size differs. */
    public <K, V> PerCpuMap<K, V> perCpu(MapCodec<K> keys, MapCodec<V> values) {
        if (!isPerCpu(spec.type())) {
            throw new IllegalArgumentException(this + " is not per CPU");
        }
        return new PerCpuMap<>(this, keys, values);
    }

    /** Reads the value of {@code key} into {@code value} ({@link #stride} bytes); false if the key is absent. */
    public boolean lookup(MemorySegment key, MemorySegment value) {
        checkSize(key, spec.keySize(), "key");
        checkSize(value, stride, "value");
        int result = BpfCalls.mapLookup(fd.number(), key, value);
        if (result == -Errno.ENOENT) {
            return false;
        }
        BpfException.check(result, result < 0 ? "cannot read " + this : "");
        return true;
    }

    /** Writes an entry; about 1 µs, allocates nothing. {@code flags}: {@link #ANY}, {@link #NO_EXIST}, {@link #EXIST}. */
    public void update(MemorySegment key, MemorySegment value, long flags) {
        int result = tryUpdate(key, value, flags);
        if (result < 0) {
            throw updateFailed(result);
        }
    }

    /** As {@link #update}, but answers 0 or -errno. */
    int tryUpdate(MemorySegment key, MemorySegment value, long flags) {
        checkSize(key, spec.keySize(), "key");
        checkSize(value, stride, "value");
        return BpfCalls.mapUpdate(fd.number(), key, value, flags);
    }

    BpfException updateFailed(int result) {
        String full = result == -Errno.E2BIG || result == -Errno.ENOSPC
                ? " (its " + Integer.toUnsignedString(spec.maxEntries())
                        + " entries are all used, or the key is outside)"
                : "";
        return new BpfException("cannot update " + this + full, -result);
    }

    /** Removes an entry; false if the key is absent. */
    public boolean delete(MemorySegment key) {
        checkSize(key, spec.keySize(), "key");
        int result = BpfCalls.mapDelete(fd.number(), key);
        if (result == -Errno.ENOENT) {
            return false;
        }
        BpfException.check(result, result < 0 ? "cannot delete from " + this : "");
        return true;
    }

    /** Writes the key after {@code key} (null: the first) into {@code next}; false at the end. */
    public boolean nextKey(@Nullable MemorySegment key, MemorySegment next) {
        checkSize(next, spec.keySize(), "key");
        int result = BpfCalls.mapNextKey(fd.number(), key == null ? MemorySegment.NULL : key, next);
        if (result == -Errno.ENOENT) {
            return false;
        }
        BpfException.check(result, result < 0 ? "cannot list " + this : "");
        return true;
    }

    /**
     * Sums a per-CPU array of u64 over all CPUs.
     *
     * @return one sum per index
     */
    public long[] sumPerCpu() {
        if (spec.type() != MapType.PERCPU_ARRAY.number() || spec.valueSize() != Long.BYTES) {
            throw new IllegalStateException(this + " is not a per-CPU array of u64");
        }
        long[] sums = new long[spec.maxEntries()];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment key = arena.allocate(Integer.BYTES, Integer.BYTES);
            MemorySegment values = arena.allocate(stride, Long.BYTES);
            for (int i = 0; i < sums.length; i++) {
                key.set(ValueLayout.JAVA_INT, 0, i);
                if (lookup(key, values)) {
                    for (long at = 0; at < stride; at += Long.BYTES) {
                        sums[i] += values.get(ValueLayout.JAVA_LONG, at);
                    }
                }
            }
        }
        return sums;
    }

    /** Pins this map; the directory must be on a bpf file system. */
    public void pin(Path path) {
        Pins.pin(fd, path, toString());
    }

    @Override
    public void close() {
        fd.close();
    }

    public boolean isOpen() {
        return fd.isOpen();
    }

    Fd fd() {
        return fd;
    }

    private void checkSize(MemorySegment segment, int expected, String part) {
        if (segment.byteSize() != expected) {
            throw new IllegalArgumentException(
                    part + " of " + this + " is given " + segment.byteSize() + " bytes, expected " + expected);
        }
    }

    @Override
    public String toString() {
        return "map " + spec.name();
    }
}
