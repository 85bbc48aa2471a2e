package dev.tulle.model;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Consistent hashing of callers over endpoints by a look-up table (Maglev, NSDI 2016): equal shares by weight, and a
 * change of one endpoint moves few callers of the others. Kernel and proxy fill the table in the same way and hash
 * callers alike, so a caller meets the same endpoint on either path and on every node. Pure.
 */
public final class Maglev {
    /** Primes, each about four times the one before. */
    private static final int[] SIZES = {251, 1021, 4093};

    /** Slots that each endpoint should have, so that shares differ by at most about two per cent. */
    private static final int SLOTS_PER_ENDPOINT = 50;

    private Maglev() {}

    /** The size of the table for so many endpoints; a prime, at most 4093. */
    public static int sizeFor(int endpoints) {
        for (int size : SIZES) {
            if (size >= (long) endpoints * SLOTS_PER_ENDPOINT) {
                return size;
            }
        }
        return SIZES[SIZES.length - 1];
    }

    /**
     * Fills a table.
     *
     * @param names of the endpoints, each once; their order does not matter
     * @param weights 1 or more, in the order of the names
     * @param size a prime
     * @return for each slot the index of an endpoint; empty when there is none
     */
    public static int[] table(List<String> names, int[] weights, int size) {
        int count = names.size();
        if (count == 0) {
            return new int[0];
        }
        int[] order = IntStream.range(0, count)
                .boxed()
                .sorted(Comparator.comparing(names::get))
                .mapToInt(Integer::intValue)
                .toArray();
        long[] next = new long[count];
        long[] skip = new long[count];
        double[] credit = new double[count];
        double heaviest = Arrays.stream(weights).max().orElse(1);
        for (int i = 0; i < count; i++) {
            long hash = hash(names.get(i));
            next[i] = Long.remainderUnsigned(hash, size);
            skip[i] = Long.remainderUnsigned(mix(hash), size - 1) + 1;
        }
        int[] table = new int[size];
        Arrays.fill(table, -1);
        for (int filled = 0; ; ) {
            for (int i : order) {
                credit[i] += weights[i] / heaviest;
                if (credit[i] < 1) {
                    continue;
                }
                credit[i] -= 1;
                while (table[(int) next[i]] >= 0) {
                    next[i] = (next[i] + skip[i]) % size;
                }
                table[(int) next[i]] = i;
                if (++filled == size) {
                    return table;
                }
            }
        }
    }

    /**
     * The slot of a caller.
     *
     * @param address the caller's IPv4 address, the first byte highest; the kernel computes the same
     */
    public static int slot(int address, int size) {
        int h = address;
        h ^= h >>> 16;
        h *= 0x85ebca6b;
        h ^= h >>> 13;
        h *= 0xc2b2ae35;
        return Integer.remainderUnsigned(h ^ (h >>> 16), size);
    }

    /**
     * An address as {@link #slot} takes it: IPv4, or the last four bytes of IPv6, which in the mesh are the workload's
     * IPv4 address.
     */
    public static int callerOf(InetAddress address) {
        byte[] bytes = address.getAddress();
        return ByteBuffer.wrap(bytes).getInt(bytes.length - Integer.BYTES);
    }

    /** FNV-1a, mixed: the names differ in their last characters only. */
    private static long hash(String name) {
        long h = 0xcbf29ce484222325L;
        for (int i = 0; i < name.length(); i++) {
            h = (h ^ name.charAt(i)) * 0x100000001b3L;
        }
        return mix(h);
    }

    private static long mix(long h) {
        h = (h ^ (h >>> 30)) * 0xbf58476d1ce4e5b9L;
        h = (h ^ (h >>> 27)) * 0x94d049bb133111ebL;
        return h ^ (h >>> 31);
    }
}
