package dev.tulle.model.regex;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** A set of code points, as sorted ranges that do not touch. Immutable. */
final class CharSet {
    static final int MAX = 0x10ffff;

    /** First and last of each range in turn. */
    private final int[] bounds;

    private CharSet(int[] bounds) {
        this.bounds = bounds;
    }

    /** The union of ranges, first and last of each in turn, in any order. */
    static CharSet of(int... ranges) {
        List<int[]> sorted = new ArrayList<>();
        for (int i = 0; i < ranges.length; i += 2) {
            sorted.add(new int[] {ranges[i], ranges[i + 1]});
        }
        sorted.sort(Comparator.comparingInt(range -> range[0]));
        int[] out = new int[ranges.length];
        int at = 0;
        for (int[] range : sorted) {
            if (at > 0 && range[0] <= out[at - 1] + 1) {
                out[at - 1] = Math.max(out[at - 1], range[1]);
            } else {
                out[at++] = range[0];
                out[at++] = range[1];
            }
        }
        return new CharSet(Arrays.copyOf(out, at));
    }

    static CharSet union(List<CharSet> sets) {
        int length = sets.stream().mapToInt(set -> set.bounds.length).sum();
        int[] all = new int[length];
        int at = 0;
        for (CharSet set : sets) {
            System.arraycopy(set.bounds, 0, all, at, set.bounds.length);
            at += set.bounds.length;
        }
        return of(all);
    }

    CharSet complement() {
        int[] out = new int[bounds.length + 2];
        int at = 0;
        int next = 0;
        for (int i = 0; i < bounds.length; i += 2) {
            if (bounds[i] > next) {
                out[at++] = next;
                out[at++] = bounds[i] - 1;
            }
            next = bounds[i + 1] + 1;
        }
        if (next <= MAX) {
            out[at++] = next;
            out[at++] = MAX;
        }
        return new CharSet(Arrays.copyOf(out, at));
    }

    boolean contains(int codePoint) {
        int low = 0;
        int high = bounds.length / 2 - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (codePoint < bounds[2 * middle]) {
                high = middle - 1;
            } else if (codePoint > bounds[2 * middle + 1]) {
                low = middle + 1;
            } else {
                return true;
            }
        }
        return false;
    }

    /** First and last of each range in turn. */
    int[] bounds() {
        return bounds.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CharSet set && Arrays.equals(bounds, set.bounds);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bounds);
    }
}
