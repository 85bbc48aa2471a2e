package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Waits until a descriptor can be read, or until another thread wants the waiting to end. Of a socket that several
 * processes hold nothing is shut down by that. One thread waits; any thread may end it.
 */
final class ReadWait implements AutoCloseable {
    private static final short POLLIN = 1;
    private static final MemoryLayout POLLFD = MemoryLayout.structLayout(
            ValueLayout.JAVA_INT.withName("fd"),
            ValueLayout.JAVA_SHORT.withName("events"),
            ValueLayout.JAVA_SHORT.withName("revents"));

    private final Fd awaited;
    private final Fd wake;
    private volatile boolean ended;

    ReadWait(Fd awaited, String what) {
        this.awaited = awaited;
        this.wake = Fd.own(LibC.eventFd(), what, "cannot make a wake-up descriptor for " + what);
    }

    /** True when there may be something to read, false when the waiting has ended for good. */
    boolean await() {
        if (ended) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment polled = arena.allocate(POLLFD, 2);
            polled.set(ValueLayout.JAVA_INT, 0, awaited.number());
            polled.set(ValueLayout.JAVA_SHORT, 4, POLLIN);
            polled.set(ValueLayout.JAVA_INT, 8, wake.number());
            polled.set(ValueLayout.JAVA_SHORT, 12, POLLIN);
            // Interrupted, or no memory just now: as if there were something, which reading finds out.
            var _ = LibC.poll(polled, 2, -1);
        }
        return !ended;
    }

    boolean ended() {
        return ended;
    }

    /** Ends the waiting for good, and is over when the thread that waits is. Idempotent. */
    void end(Thread waits) {
        if (ended) {
            return;
        }
        wakeUp();
        try {
            waits.join();
            close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void wakeUp() {
        ended = true;
        try (Arena arena = Arena.ofConfined()) {
            var _ = LibC.write(wake.number(), arena.allocateFrom(ValueLayout.JAVA_LONG, 1));
        }
    }

    /** Frees the descriptor; nobody waits any more. */
    @Override
    public void close() {
        wake.close();
    }
}
