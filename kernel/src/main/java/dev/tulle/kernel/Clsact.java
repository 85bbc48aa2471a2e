package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.OptionalInt;

/**
 * The clsact queueing discipline of a network interface of this process's network namespace, where kernels before 6.6
 * take tc programs. What is attached stays until it is detached or the interface is gone, also when this process ends.
 * Any thread.
 *
 * @param index the interface's number
 */
public record Clsact(int index) {
    /** A side of the interface. */
    public enum Side {
        /** What comes in. */
        INGRESS(TcCalls.INGRESS),
        /** What leaves. */
        EGRESS(TcCalls.EGRESS);

        private final int number;

        Side(int number) {
            this.number = number;
        }
    }

    /**
     * Which filter of a side is meant. Filters of one priority run by handle; a program that answers -1 (TC_ACT_UNSPEC)
     * lets the next one see the packet.
     *
     * @param handle the filter's number within its priority, not 0
     * @param priority 1 to 65535; lower ones run first
     */
    public record Filter(Side side, int handle, int priority) {
        public Filter {
            if (handle == 0 || priority < 1 || priority > 0xffff) {
                throw new IllegalArgumentException("filter handle " + handle + ", priority " + priority
                        + ": expected a handle other than 0 and a priority from 1 to 65535");
            }
        }
    }

    /**
     * Makes the discipline unless the interface has it.
     *
     * @return true when this call made it, so that whoever removes every trace knows that it may remove it
     */
    public boolean ensure() {
        NativeLibrary.libbpf();
        try (Arena arena = Arena.ofConfined()) {
            int result = TcCalls.hookCreate(TcCalls.hook(arena, index, TcCalls.INGRESS | TcCalls.EGRESS));
            if (result == -Errno.EEXIST) {
                return false;
            }
            BpfException.check(result, "cannot make " + this);
            return true;
        }
    }

    /** Removes the discipline with every filter in it, whoever put it there. Does nothing when it is gone. */
    public void remove() {
        try (Arena arena = Arena.ofConfined()) {
            int result = TcCalls.hookDestroy(TcCalls.hook(arena, index, TcCalls.INGRESS | TcCalls.EGRESS));
            if (result != -Errno.ENOENT && result != -Errno.EINVAL) {
                BpfException.check(result, "cannot remove " + this);
            }
        }
    }

    /** Puts a program there in direct action mode, in the place of the one that the filter had. */
    public void attach(Filter filter, BpfProgram program) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment options =
                    TcCalls.options(arena, program.fd().number(), TcCalls.REPLACE, filter.handle(), filter.priority());
            BpfException.check(
                    TcCalls.attach(TcCalls.hook(arena, index, filter.side().number), options),
                    "cannot attach " + program + " at " + filter.side() + " of " + this);
        }
    }

    /** The id of the filter's program; empty when there is no such filter, no discipline, or no interface. */
    public OptionalInt program(Filter filter) {
        NativeLibrary.libbpf();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment options = TcCalls.options(arena, 0, 0, filter.handle(), filter.priority());
            int result = TcCalls.query(TcCalls.hook(arena, index, filter.side().number), options);
            return result < 0 ? OptionalInt.empty() : OptionalInt.of(TcCalls.programId(options));
        }
    }

    /** Takes the filter away; false when there was none. */
    public boolean detach(Filter filter) {
        if (program(filter).isEmpty()) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment options = TcCalls.options(arena, 0, 0, filter.handle(), filter.priority());
            int result = TcCalls.detach(TcCalls.hook(arena, index, filter.side().number), options);
            BpfException.check(result, "cannot detach the filter at " + filter.side() + " of " + this);
            return true;
        }
    }

    @Override
    public String toString() {
        return "clsact of interface " + index;
    }
}
