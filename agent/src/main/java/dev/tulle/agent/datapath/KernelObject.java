package dev.tulle.agent.datapath;

import dev.tulle.agent.tier.HookStatus;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfFs;
import dev.tulle.kernel.BpfLink;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.BpfProgram;
import dev.tulle.kernel.IncompatibleMapException;
import dev.tulle.kernel.LoadReport;
import dev.tulle.kernel.MapCodec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The kernel object loaded, attached and, for real use, pinned: maps under {@code maps/}, links under {@code links/} of
 * the pin directory. A later agent takes over the maps with their entries and swaps the programs inside the links, so
 * that no connection meets a hook without its program. Owner thread only.
 */
final class KernelObject implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(KernelObject.class.getName());
    private static final Path NETNS = Path.of("/proc/self/ns/net");

    private final BpfObject object;
    private final LoadReport report;
    private final Optional<Path> pins;
    private final Map<Hook, HookStatus> status = new EnumMap<>(Hook.class);
    private final List<BpfLink> links = new ArrayList<>();

    private KernelObject(BpfObject object, LoadReport report, Optional<Path> pins) {
        this.object = object;
        this.report = report;
        this.pins = pins;
    }

    /**
     * Loads the programs and maps.
     *
     * @param pins where maps and links are pinned; empty for a trial that ends with the process
     * @param smallMaps true to make the maps small, for a trial
     * @throws BpfException when a program without which nothing works is refused
     */
    static KernelObject load(Path elf, Optional<Path> pins, boolean smallMaps) throws IOException {
        if (pins.isPresent()) {
            Files.createDirectories(pins.get().resolve("maps"));
            Files.createDirectories(pins.get().resolve("links"));
            dropOtherSchema(pins.get());
        }
        BpfObject object = BpfObject.open(elf);
        try {
            for (String map : object.mapSpecs().keySet()) {
                if (map.contains(".")) {
                    continue;
                }
                if (pins.isPresent()) {
                    object.pinned(map, pins.get().resolve("maps").resolve(map));
                }
            }
            if (smallMaps) {
                for (String map : List.of("tulle_origdst", "tulle_sockets", "tulle_peers", "tulle_datagrams")) {
                    object.maxEntries(map, 256);
                }
                object.maxEntries("tulle_events", 4096);
            }
            LoadReport report = object.load(Set.copyOf(Hook.requiredPrograms()));
            return new KernelObject(object, report, pins);
        } catch (IncompatibleMapException e) {
            object.close();
            if (pins.isEmpty()) {
                throw e;
            }
            LOG.log(System.Logger.Level.WARNING, "pins of another version are replaced: " + e.getMessage());
            removePins(pins.get());
            return load(elf, pins, smallMaps);
        } catch (RuntimeException e) {
            object.close();
            throw e;
        }
    }

    /** Pins whose layout this agent does not know are taken down whole; what they carried begins anew. */
    private static void dropOtherSchema(Path pins) throws IOException {
        Path pin = pins.resolve("maps").resolve("tulle_config");
        if (!Files.exists(pin)) {
            return;
        }
        int schema = 0;
        try (BpfMap map = BpfMap.openPinned(pin)) {
            var config = map.typed(MapCodec.u32(), Structs.codec(Structs.Config.class, map.valueLayout()))
                    .get(0);
            schema = config == null ? 0 : config.schema();
        } catch (BpfException | dev.tulle.kernel.LayoutException e) {
            schema = -1;
        }
        if (schema != 0 && schema != Structs.SCHEMA) {
            LOG.log(System.Logger.Level.WARNING, "pins in " + pins + " have schema " + schema + ", replaced");
            removePins(pins);
        }
    }

    /** Takes down everything that is pinned; the directories stay. */
    static void removePins(Path pins) throws IOException {
        Path sockets = pins.resolve("maps").resolve("tulle_sockets");
        for (Path link : BpfFs.list(pins.resolve("links"))) {
            try (BpfLink opened = BpfLink.openPinned(link)) {
                opened.detach();
            } catch (BpfException e) {
                LOG.log(System.Logger.Level.DEBUG, link + ": " + e.getMessage());
            }
            BpfFs.unpin(link);
        }
        Files.deleteIfExists(sockets);
        for (Path map : BpfFs.list(pins.resolve("maps"))) {
            BpfFs.unpin(map);
        }
    }

    BpfObject object() {
        return object;
    }

    /**
     * Attaches every program, or swaps it into the link that an earlier agent pinned.
     *
     * @param root the cgroup directory for the programs of all processes
     * @param proxy the node proxy's cgroup directory
     * @param splice whether sockets' data is spliced; false takes the splicing programs off
     * @param guard whether the guard is attached
     */
    void attach(Path root, Path proxy, boolean splice, boolean guard) {
        for (Hook hook : Hook.values()) {
            boolean wanted =
                    switch (hook.place()) {
                        case SOCKETS -> splice;
                        case NETNS -> guard;
                        case ROOT, PROXY -> true;
                    };
            if (!wanted) {
                off(hook);
                status.put(hook, new HookStatus(hook.word(), false, "not used in this tier"));
            } else if (!object.hasProgram(hook.program())) {
                off(hook);
                String why = report.refusalOf(hook.program())
                        .map(refusal -> "the kernel refused it: " + refusal)
                        .orElse("not in the object");
                status.put(hook, new HookStatus(hook.word(), false, why));
            } else {
                attachOne(hook, root, proxy);
            }
        }
    }

    private void attachOne(Hook hook, Path root, Path proxy) {
        BpfProgram program = object.program(hook.program());
        try {
            switch (hook.place()) {
                case ROOT -> link(hook, program, root);
                case PROXY -> link(hook, program, proxy);
                case NETNS -> link(hook, program, NETNS);
                case SOCKETS -> program.attachSockets(object.map("tulle_sockets"), hook.attachType());
            }
            status.put(hook, new HookStatus(hook.word(), true, "attached"));
        } catch (BpfException e) {
            if (hook.required()) {
                throw e;
            }
            status.put(hook, new HookStatus(hook.word(), false, String.valueOf(e.getMessage())));
        }
    }

    private void link(Hook hook, BpfProgram program, Path target) {
        Optional<Path> pin = pins.map(directory -> directory.resolve("links").resolve(hook.program()));
        if (pin.isPresent() && Files.exists(pin.get())) {
            if (adopt(pin.get(), program, target)) {
                return;
            }
            BpfFs.unpin(pin.get());
        }
        BpfLink link = hook.place() == Hook.Place.NETNS ? program.attachNetns(target) : program.attachCgroup(target);
        if (pin.isPresent()) {
            try (link) {
                link.pin(pin.get());
            }
        } else {
            links.add(link);
        }
    }

    /** Swaps the program into a pinned link; false when the link belongs to a place that is gone. */
    private static boolean adopt(Path pin, BpfProgram program, Path target) {
        try (BpfLink link = BpfLink.openPinned(pin)) {
            long place = (Long) Files.getAttribute(target, "unix:ino");
            if (link.info().target() != place) {
                return false;
            }
            link.update(program);
            return true;
        } catch (BpfException | IOException e) {
            LOG.log(System.Logger.Level.WARNING, pin + ": attached anew: " + e.getMessage());
            return false;
        }
    }

    private void off(Hook hook) {
        pins.map(directory -> directory.resolve("links").resolve(hook.program()))
                .filter(Files::exists)
                .ifPresent(BpfFs::unpin);
        if (hook.place() == Hook.Place.SOCKETS && object.hasProgram(hook.program())) {
            // Only the program that is attached can be taken off, and that may be an earlier load's: replace it first.
            BpfProgram program = object.program(hook.program());
            BpfMap sockets = object.map("tulle_sockets");
            program.attachSockets(sockets, hook.attachType());
            program.detachSockets(sockets, hook.attachType());
        }
    }

    /** True when the program of a hook is in force. */
    boolean active(Hook hook) {
        HookStatus found = status.get(hook);
        return found != null && found.active();
    }

    /** All hooks. */
    List<HookStatus> hooks() {
        return List.copyOf(status.values());
    }

    /** Gives up this process's hold. What is pinned stays in force. */
    @Override
    public void close() {
        if (pins.isEmpty() && object.hasProgram(Hook.SK_MSG.program())) {
            BpfMap sockets = object.map("tulle_sockets");
            object.program(Hook.SK_MSG.program()).detachSockets(sockets, Hook.SK_MSG.attachType());
        }
        links.forEach(BpfLink::close);
        links.clear();
        object.close();
    }
}
