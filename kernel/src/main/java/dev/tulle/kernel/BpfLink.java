package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Objects;

/**
 * One attachment. Any thread. {@link #close} ends this process's hold: the kernel then detaches the program unless the link
 * is pinned; a pinned link stays in force when the process dies and is opened again by {@link #openPinned}.
 */
public final class BpfLink implements AutoCloseable {
    private final Fd fd;
    private final String what;

    BpfLink(Fd fd, String what) {
        this.fd = fd;
        this.what = what;
    }

    /**
     * What the kernel says of a link.
     *
     * @param id the kernel's id
     * @param type the kernel's number of the kind of link (3 cgroup, 5 network namespace)
     * @param programId the program that runs now
     * @param target the cgroup's id, or the inode of the network namespace; 0 for other kinds, and for a cgroup that is
     *     gone
     * @param attachType the kernel's number of the hook, see {@link AttachType}; -1 for other kinds
     */
    public record Info(int id, int type, int programId, long target, int attachType) {}

    /** Opens a pinned link. */
    public static BpfLink openPinned(Path pin) {
        NativeLibrary.libbpf();
        return new BpfLink(Pins.open(Objects.requireNonNull(pin, "pin"), "link"), "pinned at " + pin);
    }

    /** Swaps the program atomically: no connection sees the hook without one. The kinds must match. */
    public void update(BpfProgram program) {
        BpfException.check(
                BpfCalls.linkUpdate(fd.number(), program.fd().number(), MemorySegment.NULL),
                "cannot put " + program + " into the link " + what);
    }

    /** Takes the program off its hook at once, pinned or not. The link stays, without effect. */
    public void detach() {
        BpfException.check(BpfCalls.linkDetach(fd.number()), "cannot detach the link " + what);
    }

    /** Pins this link, so that it outlives the process. */
    public void pin(Path path) {
        Pins.pin(fd, path, "the link " + what);
    }

    public Info info() {
        try (Arena arena = Arena.ofConfined()) {
            var layout = KernelInfo.LINK;
            MemorySegment info = KernelInfo.read(arena, fd, layout, toString());
            int type = KernelInfo.u32(info, layout, "type");
            int id = KernelInfo.u32(info, layout, "id");
            int program = KernelInfo.u32(info, layout, "prog_id");
            return switch (type) {
                case CGROUP ->
                    new Info(
                            id,
                            type,
                            program,
                            KernelInfo.u64(info, layout, "target", "cgroup", "cgroup_id"),
                            KernelInfo.u32(info, layout, "target", "cgroup", "attach_type"));
                case NETNS ->
                    new Info(
                            id,
                            type,
                            program,
                            KernelInfo.u32(info, layout, "target", "netns", "netns_ino") & 0xffffffffL,
                            KernelInfo.u32(info, layout, "target", "netns", "attach_type"));
                default -> new Info(id, type, program, 0, -1);
            };
        }
    }

    private static final int CGROUP = 3;
    private static final int NETNS = 5;

    @Override
    public void close() {
        fd.close();
    }

    public boolean isOpen() {
        return fd.isOpen();
    }

    @Override
    public String toString() {
        return "link " + what;
    }
}
