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
import dev.tulle.kernel.ProgramInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The kernel object loaded, attached and, for real use, pinned: maps under {@code maps/}, links under {@code links/} and
 * the programs that spliced sockets hold under {@code programs/} of the pin directory. A later agent takes over the maps
 * with their entries ({@link MapTakeover}) and swaps the programs inside the links, so that no connection meets a hook
 * without its program. Owner thread only.
 */
final class KernelObject implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(KernelObject.class.getName());
    private static final Path NETNS = Path.of("/proc/self/ns/net");

    /** The slot of {@code tulle_entries} that the program on every spliced socket goes on to. */
    private static final int ENTRY_SKMSG = 0;

    private static final String ENTER = "tulle_enter";
    private static final String ENTRIES = "tulle_entries";
    private static final String SOCKETS = "tulle_sockets";
    private static final String CALLS = "tulle_http_calls";

    private final BpfObject object;
    private final LoadReport report;
    private final Optional<Path> pins;
    private final Optional<MapTakeover> takeover;
    private final Map<String, BpfProgram> kept;
    private final List<String> notes = new ArrayList<>();
    private final Map<Hook, HookStatus> status = new EnumMap<>(Hook.class);
    private final Optional<InterfaceTaps> taps;
    private final List<BpfLink> links = new ArrayList<>();

    /** A program that takes another one's place in a link. */
    private record Swap(Hook hook, BpfLink link, BpfProgram program, Path target) {}

    private KernelObject(
            BpfObject object,
            LoadReport report,
            Optional<Path> pins,
            Optional<MapTakeover> takeover,
            Map<String, BpfProgram> kept) {
        this.object = object;
        this.report = report;
        this.pins = pins;
        this.takeover = takeover;
        this.kept = kept;
        this.taps = pins.map(directory -> new InterfaceTaps(object, directory));
    }

    /**
     * Loads the programs and maps.
     *
     * @param pins where maps and links are pinned; empty for a trial that ends with the process
     * @param smallMaps true to make the maps small, for a trial
     * @throws BpfException when a program without which nothing works is refused
     */
    static KernelObject load(Path elf, Optional<Path> pins, boolean smallMaps) throws IOException {
        if (pins.isEmpty()) {
            return load(elf, smallMaps);
        }
        try {
            return takeOver(elf, pins.get());
        } catch (IncompatibleMapException e) {
            // Only maps that nobody can copy get here: connections in them go on without splicing.
            LOG.log(System.Logger.Level.WARNING, "everything pinned is set up anew: " + e.getMessage());
            KernelPins.stopAndRemove(pins.get());
            KernelObject anew = takeOver(elf, pins.get());
            anew.notes.add("everything was set up anew, nothing could be carried over: " + e.getMessage());
            return anew;
        }
    }

    private static KernelObject load(Path elf, boolean smallMaps) {
        BpfObject object = BpfObject.open(elf);
        try {
            RefusedHooks.keepOut(object);
            if (smallMaps) {
                for (String map : List.of(
                        "tulle_conns", SOCKETS, "tulle_peers", "tulle_datagrams", "tulle_asked", "tulle_callers")) {
                    object.maxEntries(map, 256);
                }
                object.maxEntries("tulle_events", 4096);
            }
            LoadReport report = object.load(Set.copyOf(Hook.requiredPrograms()));
            return new KernelObject(object, report, Optional.empty(), Optional.empty(), Map.of());
        } catch (RuntimeException e) {
            object.close();
            throw e;
        }
    }

    private static KernelObject takeOver(Path elf, Path pins) throws IOException {
        for (String directory : List.of("maps", "links", "programs")) {
            Files.createDirectories(pins.resolve(directory));
        }
        Map<String, BpfProgram> kept = new HashMap<>();
        BpfObject object = BpfObject.open(elf);
        MapTakeover takeover = null;
        try {
            takeover = MapTakeover.plan(object, pins);
            for (Hook hook : List.of(Hook.SKB_VERDICT, Hook.SK_MSG)) {
                String program = attached(hook);
                Path pin = pins.resolve("programs").resolve(program);
                if (Files.exists(pin)) {
                    // The sockets that are spliced now hold these very programs for as long as they live.
                    kept.put(program, BpfProgram.openPinned(pin, hook.attachType()));
                }
            }
            // What it goes on to is exchanged, and it never changes itself.
            object.autoload(ENTER, !kept.containsKey(ENTER));
            RefusedHooks.keepOut(object);
            LoadReport report = object.load(Set.copyOf(Hook.requiredPrograms()));
            keepUnlessChanged(object, kept);
            return new KernelObject(object, report, Optional.of(pins), Optional.of(takeover), kept);
        } catch (RuntimeException | IOException e) {
            kept.values().forEach(BpfProgram::close);
            if (takeover != null) {
                takeover.close();
            }
            object.close();
            throw e;
        }
    }

    /**
     * The verdict program has no other to go on to: a new version takes its place for the sockets that come, and those
     * that are there keep theirs. The same version is kept, so that restarts do not leave one program each.
     */
    private static void keepUnlessChanged(BpfObject object, Map<String, BpfProgram> kept) {
        String name = Hook.SKB_VERDICT.program();
        BpfProgram before = kept.get(name);
        if (before != null
                && object.hasProgram(name)
                && !before.info().tag().equals(object.program(name).info().tag())) {
            kept.remove(name);
            before.close();
        }
    }

    /** The program that is attached for a hook: its own, but for sk_msg, where it is the way to it. */
    private static String attached(Hook hook) {
        return hook == Hook.SK_MSG ? ENTER : hook.program();
    }

    /** Takes down everything that is pinned; the directories stay. */
    static void removePins(Path pins) throws IOException {
        for (Path link : BpfFs.list(pins.resolve("links"))) {
            try (BpfLink opened = BpfLink.openPinned(link)) {
                opened.detach();
            } catch (BpfException e) {
                LOG.log(System.Logger.Level.DEBUG, link + ": " + e.getMessage());
            }
            BpfFs.unpin(link);
        }
        new ClsactTaps(pins).keepOnly(Set.of());
        Files.deleteIfExists(pins.resolve("maps").resolve(SOCKETS));
        for (String directory : List.of("maps", MapTakeover.NEXT, "programs")) {
            for (Path pin : BpfFs.list(pins.resolve(directory))) {
                BpfFs.unpin(pin);
            }
        }
    }

    BpfObject object() {
        return object;
    }

    /**
     * Attaches every program, or swaps it into the link that an earlier agent pinned. Where maps have got another layout,
     * all links are swapped as close together as can be, between the copy of the entries and its catching up.
     *
     * @param root the cgroup directory for the programs of all processes
     * @param proxy the node proxy's cgroup directory
     * @param splice whether sockets' data is spliced; false takes the splicing programs off
     * @param guard whether the guard is attached
     * @param http whether the programs of kernel HTTP are attached
     */
    void attach(Path root, Path proxy, boolean splice, boolean guard, boolean http) throws IOException {
        List<Swap> swaps = new ArrayList<>();
        Map<Hook, Path> rest = new EnumMap<>(Hook.class);
        try {
            for (Hook hook : Hook.values()) {
                if (hook.place() == Hook.Place.INTERFACES) {
                    // They follow the interfaces that there are, below.
                    continue;
                }
                boolean wanted =
                        switch (hook.place()) {
                            case SOCKETS -> splice;
                            case NETNS -> guard;
                            case ROOT, PROXY, CALLS, INTERFACES -> !hook.onlyHttp() || http;
                        };
                Optional<String> refused = RefusedHooks.atLoad(hook);
                if (wanted && refused.isPresent()) {
                    off(hook);
                    status.put(hook, new HookStatus(hook.word(), false, refused.get()));
                } else if (!wanted) {
                    off(hook);
                    status.put(
                            hook,
                            new HookStatus(
                                    hook.word(),
                                    false,
                                    hook.onlyHttp() ? "kernel HTTP is off" : "not used in this tier"));
                } else if (!object.hasProgram(hook.program()) && !kept.containsKey(attached(hook))) {
                    off(hook);
                    String why = report.refusalOf(hook.program())
                            .map(refusal -> "the kernel refused it: " + refusal)
                            .orElse("not in the object");
                    status.put(hook, new HookStatus(hook.word(), false, why));
                } else {
                    Path target =
                            switch (hook.place()) {
                                case ROOT, SOCKETS, CALLS, INTERFACES -> root;
                                case PROXY -> proxy;
                                case NETNS -> NETNS;
                            };
                    boolean linked = hook.place() != Hook.Place.SOCKETS && hook.place() != Hook.Place.CALLS;
                    Optional<Swap> swap = linked ? swap(hook, target) : Optional.empty();
                    swap.ifPresentOrElse(swaps::add, () -> rest.put(hook, target));
                }
            }
            if (takeover.isPresent()) {
                takeover.get().copy(object);
            }
            for (Swap swap : swaps) {
                swap(swap, rest);
            }
            rest.forEach(this::attachOne);
            followInterfaces();
            if (takeover.isPresent()) {
                notes.addAll(takeover.get().finish(object));
                notes.addAll(stale(pins.orElseThrow()));
            }
        } finally {
            swaps.forEach(swap -> swap.link().close());
        }
    }

    /** Counts at the interfaces that the host has now. Only where links are pinned: not in a trial. */
    void followInterfaces() throws IOException {
        if (taps.isPresent()) {
            taps.get().reconcile();
        }
    }

    /** True when what arrives at lo is looked at: answers to fixed ports. */
    boolean onLoopback() {
        return taps.isPresent() && taps.get().onLoopback();
    }

    /** The pinned link of a hook, opened and ready; empty when there is none, or it belongs to a place that is gone. */
    private Optional<Swap> swap(Hook hook, Path target) {
        Optional<Path> pin = pins.map(directory -> directory.resolve("links").resolve(hook.program()))
                .filter(Files::exists);
        if (pin.isEmpty()) {
            return Optional.empty();
        }
        try {
            BpfLink link = BpfLink.openPinned(pin.get());
            long place = (Long) Files.getAttribute(target, "unix:ino");
            if (link.info().target() == place) {
                return Optional.of(new Swap(hook, link, object.program(hook.program()), target));
            }
            link.close();
        } catch (BpfException | IOException e) {
            LOG.log(System.Logger.Level.WARNING, pin.get() + ": attached anew: " + e.getMessage());
        }
        BpfFs.unpin(pin.get());
        return Optional.empty();
    }

    private void swap(Swap swap, Map<Hook, Path> rest) {
        try {
            RefusedHooks.checkAttach(swap.hook());
            swap.link().update(swap.program());
            status.put(swap.hook(), new HookStatus(swap.hook().word(), true, "attached"));
        } catch (BpfException e) {
            LOG.log(System.Logger.Level.WARNING, swap.hook().word() + ": attached anew: " + e.getMessage());
            pins.ifPresent(directory ->
                    BpfFs.unpin(directory.resolve("links").resolve(swap.hook().program())));
            rest.put(swap.hook(), swap.target());
        }
    }

    private void attachOne(Hook hook, Path target) {
        try {
            RefusedHooks.checkAttach(hook);
            switch (hook.place()) {
                case CALLS -> object.program(hook.program()).putInto(object.map(CALLS), hook.call());
                case ROOT, PROXY, NETNS -> link(hook, object.program(hook.program()), target);
                case SOCKETS -> attachSockets(hook);
                case INTERFACES -> throw new IllegalArgumentException(hook + " follows the interfaces");
            }
            status.put(hook, new HookStatus(hook.word(), true, "attached"));
        } catch (BpfException e) {
            if (hook.required()) {
                throw e;
            }
            status.put(hook, new HookStatus(hook.word(), false, String.valueOf(e.getMessage())));
        }
    }

    private void attachSockets(Hook hook) {
        String name = attached(hook);
        BpfMap sockets = object.map(SOCKETS);
        BpfProgram before = kept.get(name);
        BpfProgram program = before == null ? object.program(name) : before;
        if (hook == Hook.SK_MSG) {
            object.program(hook.program()).putInto(object.map(ENTRIES), ENTRY_SKMSG);
        }
        if (!BpfProgram.attachedTo(sockets, hook.attachType())
                .contains(program.info().id())) {
            program.attachSockets(sockets, hook.attachType());
        }
        if (before == null && pins.isPresent()) {
            Path pin = pins.get().resolve("programs").resolve(name);
            BpfFs.unpin(pin);
            program.pin(pin);
        }
    }

    private void link(Hook hook, BpfProgram program, Path target) {
        BpfLink link = hook.place() == Hook.Place.NETNS ? program.attachNetns(target) : program.attachCgroup(target);
        if (pins.isPresent()) {
            try (link) {
                link.pin(pins.get().resolve("links").resolve(hook.program()));
            }
        } else {
            links.add(link);
        }
    }

    private void off(Hook hook) {
        pins.map(directory -> directory.resolve("links").resolve(hook.program()))
                .filter(Files::exists)
                .ifPresent(BpfFs::unpin);
        if (hook.place() == Hook.Place.CALLS) {
            BpfProgram.clear(object.map(CALLS), hook.call());
        }
        if (hook.place() != Hook.Place.SOCKETS) {
            return;
        }
        if (hook == Hook.SK_MSG) {
            BpfProgram.clear(object.map(ENTRIES), ENTRY_SKMSG);
        }
        BpfProgram program = kept.get(attached(hook));
        if (program != null) {
            program.detachSockets(object.map(SOCKETS), hook.attachType());
        }
    }

    /** Programs in force that use a map which is not this object's, one sentence each: there must be none. */
    private List<String> stale(Path directory) throws IOException {
        Set<Integer> current = new HashSet<>();
        object.mapSpecs().keySet().forEach(map -> {
            if (object.hasMap(map)) {
                current.add(object.map(map).id());
            }
        });
        List<Integer> inForce = new ArrayList<>();
        for (Path pin : BpfFs.list(directory.resolve("links"))) {
            try (BpfLink link = BpfLink.openPinned(pin)) {
                inForce.add(link.info().programId());
            }
        }
        BpfProgram.idIn(object.map(ENTRIES), ENTRY_SKMSG).ifPresent(inForce::add);
        List<String> found = new ArrayList<>();
        for (int id : inForce) {
            ProgramInfo info = BpfProgram.infoOf(id);
            for (int map : info.mapIds()) {
                if (!current.contains(map)) {
                    found.add("program " + info.name() + " (" + id + ") still uses map " + map + " of another version");
                }
            }
        }
        found.forEach(text -> LOG.log(System.Logger.Level.ERROR, text));
        return found;
    }

    /** What became of the maps of an earlier agent, one sentence for each that was not used as it was. */
    List<String> takeoverNotes() {
        return List.copyOf(notes);
    }

    /** Lets go of the earlier agent's events; they have been read. */
    void releaseOldEvents() {
        takeover.ifPresent(MapTakeover::close);
    }

    /** Events of an earlier agent's programs that nobody has read; empty when there is nothing to read. */
    Optional<MapTakeover.OldEvents> oldEvents() {
        return takeover.flatMap(MapTakeover::oldEvents);
    }

    /** Takes off what only kernel HTTP uses. */
    void dropHttp() {
        for (Hook hook : Hook.values()) {
            if (hook.onlyHttp() && active(hook)) {
                off(hook);
                status.put(hook, new HookStatus(hook.word(), false, "kernel HTTP is off"));
            }
        }
    }

    /** True when the program of a hook is in force. */
    boolean active(Hook hook) {
        HookStatus found = status.get(hook);
        return found != null && found.active();
    }

    /** All hooks. */
    List<HookStatus> hooks() {
        List<HookStatus> all = new ArrayList<>(status.values());
        taps.ifPresent(at -> all.addAll(at.hooks()));
        return List.copyOf(all);
    }

    /** Gives up this process's hold. What is pinned stays in force. */
    @Override
    public void close() {
        if (pins.isEmpty() && object.hasProgram(ENTER)) {
            object.program(ENTER).detachSockets(object.map(SOCKETS), Hook.SK_MSG.attachType());
        }
        takeover.ifPresent(MapTakeover::close);
        kept.values().forEach(BpfProgram::close);
        links.forEach(BpfLink::close);
        links.clear();
        object.close();
    }
}
