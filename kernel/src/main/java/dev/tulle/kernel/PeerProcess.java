package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The process that connected a Unix-domain socket, held by a descriptor: its number is nobody else's as long as
 * {@link #isAlive} says so afterwards. Any thread; using it while another thread closes it is a bug.
 */
public final class PeerProcess implements AutoCloseable {
    private static final int SOL_SOCKET = 1;
    // since Linux 6.5
    private static final int SO_PEERPIDFD = 77;
    private static final short POLLIN = 1;
    private static final MemoryLayout POLLFD = MemoryLayout.structLayout(
            ValueLayout.JAVA_INT.withName("fd"),
            ValueLayout.JAVA_SHORT.withName("events"),
            ValueLayout.JAVA_SHORT.withName("revents"));

    private final long pid;
    private final Fd process;

    private PeerProcess(long pid, Fd process) {
        this.pid = pid;
        this.process = process;
    }

    /**
     * The process at the other end of an accepted connection.
     *
     * @param socket the connection's descriptor, which stays the caller's
     * @throws BpfException when it has ended, or the kernel is older than 6.5 and cannot tell ({@link Errno#ENOPROTOOPT})
     */
    public static PeerProcess of(int socket) {
        // The number first: the descriptor is that of the same noted process, which the kernel keeps from being
        // another's.
        long pid = PeerCredentials.read(socket).pid();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment descriptor = arena.allocate(ValueLayout.JAVA_INT);
            BpfException.check(
                    LibC.socketOption(socket, SOL_SOCKET, SO_PEERPIDFD, descriptor), "cannot hold the peer's process");
            int number = descriptor.get(ValueLayout.JAVA_INT, 0);
            return new PeerProcess(pid, Fd.own(number, "process " + pid, "cannot hold the peer's process"));
        }
    }

    /** Its number, in this process's namespace of them; 0 when it is outside of that. */
    public long pid() {
        return pid;
    }

    /** True while it has not ended. What was read of it by its number before this was asked is of no other one. */
    public boolean isAlive() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment polled = arena.allocate(POLLFD);
            polled.set(ValueLayout.JAVA_INT, 0, process.number());
            polled.set(ValueLayout.JAVA_SHORT, 4, POLLIN);
            return LibC.poll(polled, 1, 0) == 0;
        }
    }

    @Override
    public void close() {
        process.close();
    }
}
