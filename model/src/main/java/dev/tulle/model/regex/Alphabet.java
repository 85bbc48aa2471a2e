package dev.tulle.model.regex;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** The characters, in letters: those of one letter are in the same sets of an expression. Immutable. */
final class Alphabet {
    private static final int DIRECT = 256;

    /** Where another letter begins, and which. */
    private final int[] starts;

    private final int[] letters;
    private final byte[] direct = new byte[DIRECT];
    private final List<BitSet> members = new ArrayList<>();
    private final List<Integer> samples = new ArrayList<>();

    /** The letters that tell these sets apart. */
    Alphabet(List<CharSet> sets) {
        TreeSet<Integer> cuts = new TreeSet<>(List.of(0));
        for (CharSet set : sets) {
            int[] bounds = set.bounds();
            for (int i = 0; i < bounds.length; i += 2) {
                cuts.add(bounds[i]);
                if (bounds[i + 1] < CharSet.MAX) {
                    cuts.add(bounds[i + 1] + 1);
                }
            }
        }
        starts = cuts.stream().mapToInt(Integer::intValue).toArray();
        letters = new int[starts.length];
        Map<BitSet, Integer> known = new HashMap<>();
        for (int i = 0; i < starts.length; i++) {
            BitSet in = new BitSet();
            for (int set = 0; set < sets.size(); set++) {
                in.set(set, sets.get(set).contains(starts[i]));
            }
            Integer letter = known.get(in);
            if (letter == null) {
                letter = members.size();
                known.put(in, letter);
                members.add(in);
                samples.add(starts[i]);
            }
            letters[i] = letter;
        }
        if (size() <= DIRECT) {
            for (int c = 0; c < DIRECT; c++) {
                direct[c] = (byte) find(c);
            }
        }
    }

    int size() {
        return members.size();
    }

    /** The sets that hold the characters of a letter. */
    BitSet sets(int letter) {
        return members.get(letter);
    }

    /** A character of a letter. */
    int sample(int letter) {
        return samples.get(letter);
    }

    /** The letter of a character; only with at most 256 letters. */
    int letter(int codePoint) {
        return codePoint < DIRECT ? direct[codePoint] & 0xff : find(codePoint);
    }

    private int find(int codePoint) {
        int at = Arrays.binarySearch(starts, codePoint);
        return letters[at >= 0 ? at : -at - 2];
    }
}
