package dev.tulle.common;

/**
 * The number of a proxy's event loop in the kernel's maps: the number of its process and its place in it, so that two
 * proxies of one host never share one, and a loop whose process has gone can be told. Pure.
 */
public final class LoopNumber {
    /** A process has no more loops than that, as a power of two; with it a number has room for every process number. */
    private static final int BITS = 10;

    private LoopNumber() {}

    /**
     * The number of a loop.
     *
     * @param process the process number
     * @param place 0 to 1023
     */
    public static int of(long process, int place) {
        if (process < 0 || process >= 1L << (Integer.SIZE - BITS) || place < 0 || place >= 1 << BITS) {
            throw new IllegalArgumentException(
                    "loop " + place + " of process " + process + ": expected a process below "
                            + (1 << (Integer.SIZE - BITS)) + " and a place below " + (1 << BITS));
        }
        return (int) (process << BITS) | place;
    }

    /** The process number of a loop; 0 for one that belongs to no process. */
    public static int process(int loop) {
        return loop >>> BITS;
    }
}
