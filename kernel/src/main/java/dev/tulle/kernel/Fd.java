package dev.tulle.kernel;

import java.util.concurrent.atomic.AtomicBoolean;

/** One open file descriptor, closed exactly once. Any thread; using it while another thread closes it is a bug. */
final class Fd implements AutoCloseable {
    private final int number;
    private final String what;
    private final long leakId;
    private final AtomicBoolean closed = new AtomicBoolean();

    private Fd(int number, String what) {
        this.number = number;
        this.what = what;
        this.leakId = LeakTracker.opened("descriptor", what);
    }

    /** Takes ownership of a descriptor; a negative errno becomes a {@link BpfException} about {@code action}. */
    static Fd own(int numberOrError, String what, String action) {
        return new Fd(BpfException.check(numberOrError, action), what);
    }

    /** A second descriptor of the same object, closed on exec. */
    static Fd duplicate(int number, String what) {
        return own(LibC.duplicate(number), what, "cannot duplicate the descriptor of " + what);
    }

    int number() {
        if (closed.get()) {
            throw new IllegalStateException(what + " is closed");
        }
        return number;
    }

    boolean isOpen() {
        return !closed.get();
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            LeakTracker.closed(leakId);
            LibC.close(number);
        }
    }
}
