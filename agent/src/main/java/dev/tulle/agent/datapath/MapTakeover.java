package dev.tulle.agent.datapath;

import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfFs;
import dev.tulle.kernel.BpfLink;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.BpfProgram;
import dev.tulle.kernel.Btf;
import dev.tulle.kernel.LayoutException;
import dev.tulle.kernel.MapCodec;
import dev.tulle.kernel.MapCopy;
import dev.tulle.kernel.MapSpec;
import dev.tulle.kernel.MapType;
import dev.tulle.kernel.RecordLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What becomes of an earlier agent's pinned maps. A map's version is its layout, as the kernel keeps it: names, types and
 * places of all fields, sizes, flags. A field whose meaning changes gets another name. Equal: the pinned map is used, with
 * its entries. Different: a new map is made, pinned under {@code next/}, filled field by field by name, and moved over
 * the old pin once all programs use it. Owner thread only.
 *
 * <p>A crash at any line is repaired by the next agent: as long as no link uses a map of {@code next/}, that folder is
 * thrown away; from then on it is what counts, and the moves are finished.
 */
final class MapTakeover implements AutoCloseable {
    /** The folder of maps that are being filled. */
    static final String NEXT = "next";

    private static final System.Logger LOG = System.getLogger(MapTakeover.class.getName());
    private static final String CONFIG = "tulle_config";
    private static final String EVENTS = "tulle_events";

    /**
     * Entries that only the kernel can make, or that it changes in several maps at once: these layouts are frozen. Per
     * socket storage is not among them, see {@link #isRenewed}.
     */
    private static final Set<String> FROZEN = Set.of(
            "tulle_sockets",
            "tulle_accepting",
            "tulle_lending",
            "tulle_fronts",
            "tulle_entries",
            "tulle_http_clients",
            "tulle_http_pools",
            "tulle_leases");

    private final Path pins;
    private final Map<String, BpfMap> changed;
    private final Map<String, MapCopy> copies = new LinkedHashMap<>();
    private final List<String> notes = new ArrayList<>();
    private final Optional<OldEvents> events;

    /** The ring of an earlier version, with the layout of what is in it. */
    record OldEvents(BpfMap ring, RecordLayout layout) {}

    private MapTakeover(Path pins, Map<String, BpfMap> changed, Optional<OldEvents> events) {
        this.pins = pins;
        this.changed = changed;
        this.events = events;
    }

    /** Decides for each map of an object that is not loaded yet, and tells the object which pins to use. */
    static MapTakeover plan(BpfObject object, Path pins) throws IOException {
        Path maps = pins.resolve("maps");
        finishInterrupted(pins);
        Map<String, BpfMap> changed = new LinkedHashMap<>();
        Optional<OldEvents> events = Optional.empty();
        Optional<RecordLayout> oldEvent = oldEventLayout(pins);
        for (MapSpec spec : object.mapSpecs().values()) {
            String name = spec.name();
            Path pin = maps.resolve(name);
            if (name.contains(".")) {
                continue;
            }
            if (FROZEN.contains(name) || !Files.exists(pin)) {
                object.kept(name, pin);
                continue;
            }
            BpfMap found = BpfMap.openPinned(pin);
            if (spec.type() == MapType.PROG_ARRAY.number()) {
                // What programs go on to belongs to them: each version has its own.
                changed.put(name, found);
                continue;
            }
            boolean same = spec.differences(found.spec()).isEmpty();
            if (name.equals(CONFIG)) {
                same = same && hasOurSchema(found);
            } else if (name.equals(EVENTS) && oldEvent.isPresent()) {
                String wanted = object.btf()
                        .struct("tulle_event")
                        .map(RecordLayout::describe)
                        .orElse("");
                same = same && wanted.equals(oldEvent.get().describe());
                events = same ? Optional.empty() : oldEvent.map(layout -> new OldEvents(found, layout));
            }
            if (same) {
                object.pinned(name, pin);
                found.close();
            } else {
                changed.put(name, found);
            }
        }
        return new MapTakeover(pins, changed, events);
    }

    /** Another schema number makes the programs of either version ignore the other's configuration. */
    private static boolean hasOurSchema(BpfMap config) {
        Structs.Config value;
        try {
            value = config.typed(MapCodec.u32(), Structs.codec(Structs.Config.class, config.valueLayout()))
                    .get(0);
        } catch (LayoutException e) {
            return false;
        }
        return value == null || value.schema() == 0 || value.schema() == Structs.SCHEMA;
    }

    /** A ring buffer has no types of its own: its writers tell. */
    private static Optional<RecordLayout> oldEventLayout(Path pins) {
        Path pin = pins.resolve("links").resolve(Hook.CONNECT4.program());
        if (!Files.exists(pin)) {
            return Optional.empty();
        }
        try (BpfLink link = BpfLink.openPinned(pin)) {
            Optional<Btf> types = BpfProgram.infoOf(link.info().programId()).btf();
            return types.flatMap(btf -> btf.struct("tulle_event"));
        } catch (BpfException e) {
            LOG.log(System.Logger.Level.DEBUG, pin + ": " + e.getMessage());
            return Optional.empty();
        }
    }

    /**
     * Storage of open sockets cannot be listed from here; with another layout it begins anew. Nothing is lost by it but
     * speed: a spliced connection goes on over TCP, behind the bytes that wait. Rates and events begin anew as well.
     */
    private static boolean isRenewed(BpfMap map) {
        int type = map.spec().type();
        return type == MapType.SK_STORAGE.number()
                || type == MapType.PROG_ARRAY.number()
                || type == MapType.RINGBUF.number()
                || map.name().equals("tulle_rate");
    }

    /** Fills the new maps. The programs in force still use the old ones. */
    void copy(BpfObject object) throws IOException {
        if (changed.isEmpty()) {
            return;
        }
        Path next = Files.createDirectories(pins.resolve(NEXT));
        for (String name : changed.keySet()) {
            object.map(name).pin(next.resolve(name));
        }
        for (Map.Entry<String, BpfMap> entry : changed.entrySet()) {
            BpfMap to = object.map(entry.getKey());
            if (entry.getValue().spec().type() == MapType.PROG_ARRAY.number()) {
                continue;
            }
            if (isRenewed(entry.getValue())) {
                notes.add(entry.getKey() + ": new layout, begun anew");
                continue;
            }
            try {
                MapCopy copy = MapCopy.of(entry.getValue(), to);
                copy.copy();
                copies.put(entry.getKey(), copy);
            } catch (LayoutException e) {
                notes.add(entry.getKey() + ": new layout, no entry could be carried over: " + e.getMessage());
            }
        }
        if (changed.containsKey(CONFIG)) {
            BpfMap config = object.map(CONFIG);
            var typed = config.typed(MapCodec.u32(), Structs.codec(Structs.Config.class, config.valueLayout()));
            Structs.Config value = typed.get(0);
            if (value != null && value.schema() != 0) {
                typed.put(0, value.withSchema(Structs.SCHEMA));
            }
        }
    }

    /**
     * Once all programs are swapped: carries over what the old ones wrote last and puts the new pins in place.
     *
     * @return what is worth saying, one sentence a map
     */
    List<String> finish(BpfObject object) throws IOException {
        copies.forEach((name, copy) -> {
            if (!name.equals(CONFIG)) {
                copy.catchUp();
            }
            String lost = copy.lost() == 0 ? "" : ", " + copy.lost() + " could not be";
            String left = copy.leftFields().isEmpty() ? "" : "; without " + String.join(", ", copy.leftFields());
            notes.add(name + ": new layout, " + copy.carried() + " entries carried over" + lost + left);
        });
        moveNext(pins);
        changed.forEach((name, map) -> {
            if (!name.equals(EVENTS) || events.isEmpty()) {
                map.close();
            }
        });
        for (Path pin : BpfFs.list(pins.resolve("maps"))) {
            String name = pin.getFileName().toString();
            if (!object.mapSpecs().containsKey(name)) {
                BpfFs.unpin(pin);
                notes.add(name + ": no longer used, removed");
            }
        }
        notes.forEach(note -> LOG.log(System.Logger.Level.INFO, "take-over: " + note));
        return List.copyOf(notes);
    }

    private static void moveNext(Path pins) throws IOException {
        for (Path pin : BpfFs.list(pins.resolve(NEXT))) {
            Files.move(pin, pins.resolve("maps").resolve(pin.getFileName()), StandardCopyOption.ATOMIC_MOVE);
        }
        Files.deleteIfExists(pins.resolve(NEXT));
    }

    private static void finishInterrupted(Path pins) throws IOException {
        List<Path> begun = BpfFs.list(pins.resolve(NEXT));
        if (begun.isEmpty()) {
            return;
        }
        Map<Path, BpfMap> next = new LinkedHashMap<>();
        try {
            Set<Integer> ids = new HashSet<>();
            for (Path pin : begun) {
                BpfMap map = BpfMap.openPinned(pin);
                next.put(pin, map);
                ids.add(map.id());
            }
            if (!inUse(pins, ids)) {
                for (Path pin : begun) {
                    BpfFs.unpin(pin);
                }
                return;
            }
            LOG.log(System.Logger.Level.WARNING, "an agent ended while it put new maps in place: finished now");
            for (Map.Entry<Path, BpfMap> entry : next.entrySet()) {
                Path old = pins.resolve("maps").resolve(entry.getKey().getFileName());
                if (Files.exists(old) && !isRenewed(entry.getValue())) {
                    try (BpfMap from = BpfMap.openPinned(old)) {
                        MapCopy.of(from, entry.getValue()).copyMissing();
                    }
                }
            }
            moveNext(pins);
        } finally {
            next.values().forEach(BpfMap::close);
        }
    }

    private static boolean inUse(Path pins, Set<Integer> maps) throws IOException {
        for (Path pin : BpfFs.list(pins.resolve("links"))) {
            try (BpfLink link = BpfLink.openPinned(pin)) {
                List<Integer> used = BpfProgram.infoOf(link.info().programId()).mapIds();
                if (used.stream().anyMatch(maps::contains)) {
                    return true;
                }
            }
        }
        return false;
    }

    Optional<OldEvents> oldEvents() {
        return events;
    }

    @Override
    public void close() {
        changed.values().forEach(BpfMap::close);
    }
}
