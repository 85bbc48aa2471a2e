package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;

/**
 * One loaded program: of an object or opened from a pin. Any thread. Closing ends this process's hold only; pins, links and
 * other attachments keep the program.
 */
public final class BpfProgram implements AutoCloseable {
    private static final int QUERY_EFFECTIVE = 1;
    private static final int QUERY_MAX = 256;

    private final Fd fd;
    private final String name;
    private final int attachType;

    BpfProgram(Fd fd, String name, int attachType) {
        this.fd = fd;
        this.name = name;
        this.attachType = attachType;
    }

    /**
     * Opens a pin.
     *
     * @param hook where it attaches, which the kernel does not tell of a pinned program
     */
    public static BpfProgram openPinned(Path pin, AttachType hook) {
        NativeLibrary.libbpf();
        Objects.requireNonNull(hook, "hook");
        Fd fd = Pins.open(Objects.requireNonNull(pin, "pin"), "program");
        try {
            return new BpfProgram(
                    fd, ProgramInfo.of(fd, "program pinned at " + pin).name(), hook.number());
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    public String name() {
        return name;
    }

    /** The kernel's number of its hook, see {@link AttachType}. */
    public int attachType() {
        return attachType;
    }

    public ProgramInfo info() {
        return ProgramInfo.of(fd, toString());
    }

    /** Attaches to a cgroup directory and everything below it, for as long as the link is open or pinned. */
    public BpfLink attachCgroup(Path cgroup) {
        return attachTo(cgroup, "cgroup " + cgroup);
    }

    /**
     * Attaches to a network namespace (sk_lookup, flow dissector).
     *
     * @param namespace such as {@code /proc/self/ns/net}
     */
    public BpfLink attachNetns(Path namespace) {
        return attachTo(namespace, "network namespace " + namespace);
    }

    /**
     * Attaches to a network interface of this process's network namespace (tcx, kernel 6.6), behind what is there.
     *
     * @param index the interface's number
     */
    public BpfLink attachInterface(int index, AttachType hook) {
        String what = this + " at " + hook + " of interface " + index;
        Fd link = Fd.own(
                BpfCalls.linkCreate(fd.number(), index, hook.number(), MemorySegment.NULL),
                "link of " + what,
                "cannot attach " + what);
        return new BpfLink(link, what);
    }

    private BpfLink attachTo(Path target, String where) {
        String what = this + " at " + where;
        try (Fd directory = OpenFile.readOnly(target, where)) {
            Fd link = Fd.own(
                    BpfCalls.linkCreate(fd.number(), directory.number(), attachType, MemorySegment.NULL),
                    "link of " + what,
                    "cannot attach " + what);
            return new BpfLink(link, what);
        }
    }

    /**
     * Attaches a message or skb verdict to a SOCKMAP or SOCKHASH; replaces the verdict that is there. The kernel has no
     * link for this before 6.10, so the map holds the program until it is detached or the map is gone, also when this
     * process ends.
     */
    public void attachSockets(BpfMap sockets) {
        attachSockets(sockets, attachType);
    }

    /** The same for a section that does not say its hook, such as plain {@code sk_skb}. */
    public void attachSockets(BpfMap sockets, AttachType hook) {
        attachSockets(sockets, hook.number());
    }

    private void attachSockets(BpfMap sockets, int hook) {
        BpfException.check(
                BpfCalls.attach(fd.number(), sockets.fd().number(), hook, 0),
                "cannot attach " + this + " to " + sockets);
    }

    /** Undoes {@link #attachSockets}; false if this program is not the one attached. */
    public boolean detachSockets(BpfMap sockets) {
        return detachSockets(sockets, attachType);
    }

    /** Undoes {@link #attachSockets(BpfMap, AttachType)}. */
    public boolean detachSockets(BpfMap sockets, AttachType hook) {
        return detachSockets(sockets, hook.number());
    }

    private boolean detachSockets(BpfMap sockets, int hook) {
        int result = BpfCalls.detach(fd.number(), sockets.fd().number(), hook);
        if (result == -Errno.ENOENT) {
            return false;
        }
        BpfException.check(result, "cannot detach " + this + " from " + sockets);
        return true;
    }

    /** Makes this program the target of tail calls through a slot of a PROG_ARRAY; replaces the one that is there. */
    public void putInto(BpfMap programs, int slot) {
        try (Arena arena = Arena.ofConfined()) {
            programs.update(
                    arena.allocateFrom(NativeLibrary.INT, slot),
                    arena.allocateFrom(NativeLibrary.INT, fd.number()),
                    BpfMap.ANY);
        }
    }

    /** The id of the program in a slot of a PROG_ARRAY; empty when there is none. */
    public static OptionalInt idIn(BpfMap programs, int slot) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment id = arena.allocate(NativeLibrary.INT);
            return programs.lookup(arena.allocateFrom(NativeLibrary.INT, slot), id)
                    ? OptionalInt.of(id.get(NativeLibrary.INT, 0))
                    : OptionalInt.empty();
        }
    }

    /** Empties a slot of a PROG_ARRAY; a tail call through it then does nothing. */
    public static void clear(BpfMap programs, int slot) {
        try (Arena arena = Arena.ofConfined()) {
            programs.delete(arena.allocateFrom(NativeLibrary.INT, slot));
        }
    }

    /**
     * Ids of the programs at a hook of a cgroup.
     *
     * @param effective true: all that run there, inherited ones too; false: those attached to this very cgroup
     */
    public static List<Integer> attachedTo(Path cgroup, AttachType hook, boolean effective) {
        NativeLibrary.libbpf();
        try (Arena arena = Arena.ofConfined();
                Fd directory = OpenFile.readOnly(cgroup, "cgroup " + cgroup)) {
            return query(arena, directory, hook, effective ? QUERY_EFFECTIVE : 0, "cgroup " + cgroup);
        }
    }

    /** Ids of the programs that give the verdict of a SOCKMAP or SOCKHASH (kernel 5.15 or newer). */
    public static List<Integer> attachedTo(BpfMap sockets, AttachType hook) {
        try (Arena arena = Arena.ofConfined()) {
            return query(arena, sockets.fd(), hook, 0, sockets.toString());
        }
    }

    private static List<Integer> query(Arena arena, Fd target, AttachType hook, int flags, String where) {
        MemorySegment ids = arena.allocate(NativeLibrary.INT, QUERY_MAX);
        MemorySegment count = arena.allocateFrom(NativeLibrary.INT, QUERY_MAX);
        MemorySegment attachFlags = arena.allocate(NativeLibrary.INT);
        BpfException.check(
                BpfCalls.query(target.number(), hook.number(), flags, attachFlags, ids, count),
                "cannot list the programs at " + hook + " of " + where);
        List<Integer> found = new ArrayList<>();
        for (int i = 0; i < count.get(NativeLibrary.INT, 0); i++) {
            found.add(ids.getAtIndex(NativeLibrary.INT, i));
        }
        return found;
    }

    /** What the kernel says of any loaded program, by its id. */
    public static ProgramInfo infoOf(int id) {
        NativeLibrary.libbpf();
        String what = "program " + id;
        try (Fd program = Fd.own(BpfCalls.programById(id), what, "cannot open " + what)) {
            return ProgramInfo.of(program, what);
        }
    }

    /** Pins this program; the directory must be on a bpf file system. */
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

    @Override
    public String toString() {
        return "program " + name;
    }
}
