package dev.tulle.it.fuzz;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/**
 * Bounds what a parser may spend on an input: memory that grows with the input's length and no faster, and CPU time of
 * this thread. A parser that is quadratic or that believes a length it is told breaks it.
 */
public final class Cost {
    /** CPU time for any one input, in nanoseconds: far above what is needed, also with the fuzzer's instrumentation. */
    private static final long NANOS_MAX = 1_500_000_000L;

    private static final int TRIES_MAX = 3;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private Cost() {}

    /** A parser at work. */
    @FunctionalInterface
    public interface Work {
        /** Parses, and throws what the target does not declare. */
        void run();
    }

    /**
     * Runs a parser.
     *
     * @param length of the input, in bytes
     * @param once bytes that any input may cost
     * @param perByte bytes that each byte of the input may cost
     * @throws AssertionError when it costs more, or when it overflows the stack
     */
    public static void within(int length, long once, long perByte, Work work) {
        // What the first run loads and initialises is not the input's doing.
        for (int tries = 1; !isWithin(length, once, perByte, work, tries == TRIES_MAX); tries++) {}
    }

    private static boolean isWithin(int length, long once, long perByte, Work work, boolean last) {
        long bytes = THREADS.getCurrentThreadAllocatedBytes();
        long nanos = THREADS.getCurrentThreadCpuTime();
        try {
            work.run();
        } catch (StackOverflowError e) {
            throw new AssertionError("an input of " + length + " bytes overflows the stack", e);
        }
        bytes = THREADS.getCurrentThreadAllocatedBytes() - bytes;
        nanos = THREADS.getCurrentThreadCpuTime() - nanos;
        boolean small = bytes <= once + perByte * length;
        boolean quick = nanos <= NANOS_MAX;
        must(small || !last, "an input of " + length + " bytes costs " + bytes + " bytes of memory");
        must(quick || !last, "an input of " + length + " bytes costs " + nanos / 1_000_000 + " ms of CPU");
        return small && quick;
    }

    /** Fails with words. */
    public static void must(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }
}
