package dev.tulle.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One compiled BPF object in two steps: {@link #open} reads the ELF file and nothing else, {@link #load} puts its maps and
 * programs into the kernel. In between programs are switched off, maps are sized, and pins are named. Owner thread only
 * until loaded; the maps and programs may then be used from any thread.
 *
 * <p>Closing gives up this process's hold on all maps and programs of the object; what is pinned or attached stays.
 */
public final class BpfObject implements AutoCloseable {
    private final Path path;
    private final Map<String, ProgramSpec> programSpecs = new LinkedHashMap<>();
    private final Map<String, MapSpec> mapSpecs = new LinkedHashMap<>();
    private final Set<String> off = new TreeSet<>();
    private final Map<String, Integer> maxEntries = new HashMap<>();
    private final Map<String, Path> pins = new LinkedHashMap<>();
    private final Set<String> kept = new TreeSet<>();
    /** Type ids of each map's key and value in {@link #btf}: libbpf forgets them once it is given another map to use. */
    private final Map<String, int[]> typeIds = new HashMap<>();

    private final Map<String, BpfProgram> programs = new LinkedHashMap<>();
    private final Map<String, BpfMap> maps = new LinkedHashMap<>();
    private final Btf btf;
    private boolean loaded;
    private boolean closed;

    private BpfObject(Path path) {
        this.path = path;
        List<String> messages = LibBpfMessages.list();
        MemorySegment object = NativeObject.open(path, messages);
        try {
            for (MemorySegment program : NativeObject.programs(object)) {
                ProgramSpec spec = new ProgramSpec(
                        NativeLibrary.string(LibBpf.programName(program)),
                        NativeLibrary.string(LibBpf.programSection(program)),
                        LibBpf.programType(program),
                        LibBpf.programAttachType(program),
                        LibBpf.programInstructions(program));
                programSpecs.put(spec.name(), spec);
                if (!LibBpf.programAutoload(program)) {
                    off.add(spec.name()); // SEC("?…") in the source
                }
            }
            MemorySegment types = LibBpf.objectBtf(object);
            if (types.equals(MemorySegment.NULL)) {
                throw new BpfException(path + " has no BTF: compile it with -g");
            }
            btf = Btf.of(types);
            for (MemorySegment map : NativeObject.maps(object)) {
                MapSpec spec = NativeObject.spec(map, btf);
                mapSpecs.put(spec.name(), spec);
                typeIds.put(spec.name(), new int[] {LibBpf.mapKeyTypeId(map), LibBpf.mapValueTypeId(map)});
            }
        } finally {
            LibBpf.objectClose(object);
        }
    }

    /** Reads an ELF file. Throws {@link BpfException} for a file that is missing or is no BPF object. */
    public static BpfObject open(Path elf) {
        Objects.requireNonNull(elf, "elf");
        NativeLibrary.libbpf();
        if (!Files.isReadable(elf)) {
            throw new BpfException("cannot read the BPF object " + elf, Errno.ENOENT);
        }
        return new BpfObject(elf);
    }

    /** The programs of the file, by name, in its order. */
    public Map<String, ProgramSpec> programSpecs() {
        return Collections.unmodifiableMap(programSpecs);
    }

    /** The maps of the file, by name, in its order; those with a dot in the name hold global variables. */
    public Map<String, MapSpec> mapSpecs() {
        return Collections.unmodifiableMap(mapSpecs);
    }

    /** One program of the file; throws if there is none of that name. */
    public ProgramSpec programSpec(String name) {
        return known(programSpecs, name, "program");
    }

    /** One map of the file, with the size that {@link #maxEntries} gave it; throws if there is none of that name. */
    public MapSpec mapSpec(String name) {
        return known(mapSpecs, name, "map");
    }

    /** The types of the file. */
    public Btf btf() {
        return btf;
    }

    /** Switches a program on (the default) or off for {@link #load}. */
    public BpfObject autoload(String program, boolean on) {
        checkNotLoaded();
        known(programSpecs, program, "program");
        if (on) {
            off.remove(program);
        } else {
            off.add(program);
        }
        return this;
    }

    /** Sets a map's size in entries (bytes for a ring buffer). */
    public BpfObject maxEntries(String map, int entries) {
        checkNotLoaded();
        MapSpec spec = known(mapSpecs, map, "map");
        if (entries <= 0) {
            throw new IllegalArgumentException("max_entries of map " + map + " is " + entries + ", expected 1 or more");
        }
        maxEntries.put(map, entries);
        mapSpecs.put(
                map,
                new MapSpec(
                        spec.name(),
                        spec.type(),
                        spec.keySize(),
                        spec.valueSize(),
                        entries,
                        spec.flags(),
                        spec.keyLayout(),
                        spec.valueLayout()));
        return this;
    }

    /**
     * Names a map's pin. At {@link #load} a map that is pinned there is used, with its entries, if type, sizes, flags and
     * layouts agree ({@link IncompatibleMapException} otherwise); if there is none, the new map is pinned there.
     */
    public BpfObject pinned(String map, Path pin) {
        checkNotLoaded();
        known(mapSpecs, map, "map");
        pins.put(map, Objects.requireNonNull(pin, "pin"));
        return this;
    }

    /**
     * As {@link #pinned}, for a map whose entries only the kernel can make: the pinned one is used with its own number of
     * entries, if type and sizes agree; what its fields are called does not count.
     */
    public BpfObject kept(String map, Path pin) {
        pinned(map, pin);
        kept.add(map);
        return this;
    }

    /** Loads; every program that is switched on is required. */
    public LoadReport load() {
        return load(programSpecs.keySet());
    }

    /**
     * Loads. A refused program that is not in {@code required} is switched off and the load tried again, so that one
     * program that this kernel does not like costs nothing but itself. Nothing stays in the kernel on failure.
     *
     * @throws BpfLoadException if a required program, or the object as a whole, is refused
     * @throws IncompatibleMapException if a pinned map does not fit
     */
    public LoadReport load(Set<String> required) {
        checkNotLoaded();
        required.forEach(name -> known(programSpecs, name, "program"));
        long start = System.nanoTime();
        Map<String, BpfMap> reused = new LinkedHashMap<>();
        List<BpfLoadException.Refusal> refused = new ArrayList<>();
        try {
            openPins(reused);
            while (true) {
                BpfLoadException.Refusal refusal = attempt(reused);
                if (refusal == null) {
                    break;
                }
                String name = refusal.program();
                if (name.isEmpty() || required.contains(name) || !off.add(name)) {
                    throw new BpfLoadException(path, refusal);
                }
                refused.add(refusal);
            }
            pinNew(reused.keySet());
            loaded = true;
        } catch (RuntimeException e) {
            closeAll();
            throw e;
        } finally {
            reused.values().forEach(BpfMap::close);
        }
        return new LoadReport(
                List.copyOf(programs.keySet()),
                refused,
                List.copyOf(reused.keySet()),
                Duration.ofNanos(System.nanoTime() - start));
    }

    private void openPins(Map<String, BpfMap> reused) {
        for (Map.Entry<String, Path> pin : pins.entrySet()) {
            if (!Files.exists(pin.getValue())) {
                continue;
            }
            BpfMap found = BpfMap.openPinned(pin.getValue());
            reused.put(pin.getKey(), found);
            MapSpec wanted = known(mapSpecs, pin.getKey(), "map");
            List<String> differences = kept.contains(pin.getKey())
                    ? wanted.sizeDifferences(found.spec())
                    : wanted.differences(found.spec());
            if (!differences.isEmpty()) {
                throw new IncompatibleMapException(pin.getKey(), pin.getValue(), differences);
            }
        }
    }

    /** One try with a fresh native object (libbpf loads an object once only); null if it worked. */
    private BpfLoadException.@Nullable Refusal attempt(Map<String, BpfMap> reused) {
        List<String> messages = LibBpfMessages.list();
        MemorySegment object = NativeObject.open(path, messages);
        MemorySegment log = LibC.allocate(NativeObject.LOG_SIZE);
        try {
            log.set(ValueLayout.JAVA_BYTE, 0, (byte) 0);
            for (MemorySegment program : NativeObject.programs(object)) {
                String name = NativeLibrary.string(LibBpf.programName(program));
                boolean on = !off.contains(name);
                BpfException.check(LibBpf.setAutoload(program, on), "cannot switch program " + name);
                if (on) {
                    // One buffer serves all: only a refused program is loaded again with a log, and it is the last.
                    BpfException.check(
                            LibBpf.setLogBuffer(program, log, log.byteSize()), "cannot keep the log of " + name);
                }
            }
            for (MemorySegment map : NativeObject.maps(object)) {
                prepare(map, reused);
            }
            int result = LibBpfMessages.collect(messages, () -> LibBpf.objectLoad(object));
            if (result < 0) {
                return NativeObject.refusal(log.getString(0), messages, -result);
            }
            keep(object);
            return null;
        } finally {
            LibBpf.objectClose(object);
            LibC.free(log);
        }
    }

    private void prepare(MemorySegment map, Map<String, BpfMap> reused) {
        String name = NativeLibrary.string(LibBpf.mapName(map));
        Integer entries = maxEntries.get(name);
        if (entries != null) {
            BpfException.check(LibBpf.setMaxEntries(map, entries), "cannot set max_entries of map " + name);
        }
        BpfMap pinned = reused.get(name);
        if (pinned != null) {
            BpfException.check(LibBpf.reuseFd(map, pinned.fd().number()), "cannot reuse the pinned map " + name);
        }
    }

    /** Second descriptors of everything, so that libbpf's own object, with its ELF copy, can go at once. */
    private void keep(MemorySegment object) {
        for (MemorySegment program : NativeObject.programs(object)) {
            int fd = LibBpf.programFd(program);
            if (fd >= 0) {
                String name = NativeLibrary.string(LibBpf.programName(program));
                int hook = LibBpf.programAttachType(program);
                programs.put(name, new BpfProgram(Fd.duplicate(fd, "program " + name), name, hook));
            }
        }
        for (MemorySegment map : NativeObject.maps(object)) {
            int fd = LibBpf.mapFd(map);
            if (fd >= 0) {
                String name = NativeLibrary.string(LibBpf.mapName(map));
                MapSpec wanted = known(mapSpecs, name, "map");
                int[] ids = known(typeIds, name, "map");
                Fd own = Fd.duplicate(fd, "map " + name);
                maps.put(name, new BpfMap(own, wanted, btf, ids[0], ids[1]));
            }
        }
    }

    private void pinNew(Set<String> reused) {
        List<Path> done = new ArrayList<>();
        try {
            for (Map.Entry<String, Path> pin : pins.entrySet()) {
                if (!reused.contains(pin.getKey())) {
                    map(pin.getKey()).pin(pin.getValue());
                    done.add(pin.getValue());
                }
            }
        } catch (RuntimeException e) {
            for (Path path : done) {
                BpfFs.unpin(path);
            }
            throw e;
        }
    }

    /** A loaded program; throws if it was switched off or refused. */
    public BpfProgram program(String name) {
        return known(programs, name, "loaded program");
    }

    /** Whether a program of that name is in the kernel. */
    public boolean hasProgram(String name) {
        return programs.containsKey(name);
    }

    /** Whether a map of that name is in the kernel. */
    public boolean hasMap(String name) {
        return maps.containsKey(name);
    }

    /** A loaded map. */
    public BpfMap map(String name) {
        return known(maps, name, "loaded map");
    }

    private <T> T known(Map<String, T> from, String name, String kind) {
        T found = from.get(Objects.requireNonNull(name, "name"));
        if (found == null) {
            throw new IllegalArgumentException(
                    path + " has no " + kind + " " + name + "; it has " + String.join(", ", from.keySet()));
        }
        return found;
    }

    private void checkNotLoaded() {
        if (closed || loaded) {
            throw new IllegalStateException(path + " is " + (closed ? "closed" : "loaded already"));
        }
    }

    private void closeAll() {
        programs.values().forEach(BpfProgram::close);
        maps.values().forEach(BpfMap::close);
        programs.clear();
        maps.clear();
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            closeAll();
        }
    }

    @Override
    public String toString() {
        return "object " + path;
    }
}
