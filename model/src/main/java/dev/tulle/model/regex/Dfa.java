package dev.tulle.model.regex;

import dev.tulle.model.regex.Nfa.Neighbour;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * An expression as a table: a state and a letter give the next state, so that a text costs one look-up per character
 * whatever the expression is. Made whole beforehand: an expression whose table would be too large is refused. Immutable,
 * any thread.
 */
final class Dfa {
    /** Entries of a table, two bytes each. */
    static final int MAX_ENTRIES = 1 << 15;

    /** Steps to make a table: about ten milliseconds. */
    private static final long MAX_WORK = 1_000_000;

    private static final int NOWHERE = 0;

    private final Alphabet alphabet;
    private final int letters;
    private final char[] next;
    private final BitSet accepting;
    private final int widest;

    private Dfa(Alphabet alphabet, char[] next, BitSet accepting, int widest) {
        this.alphabet = alphabet;
        this.letters = alphabet.size();
        this.next = next;
        this.accepting = accepting;
        this.widest = widest;
    }

    /**
     * Makes the table.
     *
     * @throws RegexException when it would be too large
     */
    static Dfa of(Nfa nfa) {
        return new Builder(nfa).build();
    }

    /** True when the whole text matches. */
    boolean matches(String text) {
        int state = 1;
        int length = text.length();
        for (int i = 0; i < length; i++) {
            int c = text.charAt(i);
            if (c >= 0xd800 && c < 0xe000) {
                c = text.codePointAt(i);
                i += c > 0xffff ? 1 : 0;
            }
            state = next[state * letters + alphabet.letter(c)];
            if (state == NOWHERE) {
                return false;
            }
        }
        return accepting.get(state);
    }

    /** The most states of the expression that are possible at once: what a matcher without a table has to do per character. */
    int widest() {
        return widest;
    }

    /** Entries of the table. */
    int entries() {
        return next.length;
    }

    private static final class Builder {
        private final Nfa nfa;
        private final Alphabet alphabet;
        private final Map<String, Integer> numbers = new HashMap<>();
        private final List<int[]> cores = new ArrayList<>();
        private final List<Neighbour> before = new ArrayList<>();
        private final BitSet accepting = new BitSet();
        private final int[] seen;
        private final int[] stack;
        private final int[] found;
        private int generation;
        private long work;
        private int widest;

        Builder(Nfa nfa) {
            this.nfa = nfa;
            List<CharSet> sets = new ArrayList<>(nfa.sets());
            if (nfa.looksAtWords()) {
                sets.add(CharSets.WORD);
            }
            if (nfa.looksAtLines()) {
                sets.add(CharSet.of('\n', '\n'));
            }
            this.alphabet = new Alphabet(sets);
            this.seen = new int[nfa.size()];
            this.found = new int[nfa.size()];
            this.stack = new int[3 * nfa.size() + 2];
        }

        private static RegexException tooLarge() {
            return new RegexException(
                    "this regular expression is too dear to match",
                    "one with fewer counted repetitions after a part that can match anything");
        }

        Dfa build() {
            if (alphabet.size() > 256) {
                throw tooLarge();
            }
            number(new int[0], Neighbour.OTHER);
            number(new int[] {nfa.start()}, Neighbour.EDGE);
            List<char[]> rows = new ArrayList<>(List.of(new char[alphabet.size()]));
            for (int state = 1; state < cores.size(); state++) {
                rows.add(row(state));
                if ((long) cores.size() * alphabet.size() > MAX_ENTRIES) {
                    throw tooLarge();
                }
            }
            char[] table = new char[rows.size() * alphabet.size()];
            for (int state = 0; state < rows.size(); state++) {
                System.arraycopy(rows.get(state), 0, table, state * alphabet.size(), alphabet.size());
            }
            return new Dfa(alphabet, table, accepting, widest);
        }

        private int number(int[] core, Neighbour left) {
            char[] key = new char[core.length + 1];
            key[0] = left.letter();
            for (int i = 0; i < core.length; i++) {
                key[i + 1] = (char) core[i];
            }
            return numbers.computeIfAbsent(new String(key), _ -> {
                cores.add(core);
                before.add(left);
                widest = Math.max(widest, core.length);
                return cores.size() - 1;
            });
        }

        private char[] row(int state) {
            Map<Neighbour, int[]> readers = new HashMap<>();
            char[] row = new char[alphabet.size()];
            if (Arrays.stream(reach(cores.get(state), before.get(state), Neighbour.EDGE))
                    .anyMatch(reached -> reached == Nfa.MATCH)) {
                accepting.set(state);
            }
            for (int letter = 0; letter < row.length; letter++) {
                Neighbour right = neighbour(letter);
                int[] reached =
                        readers.computeIfAbsent(right, after -> reach(cores.get(state), before.get(state), after));
                int[] core = step(reached, alphabet.sets(letter));
                row[letter] = (char) (core.length == 0 ? NOWHERE : number(core, right));
            }
            return row;
        }

        private Neighbour neighbour(int letter) {
            int sample = alphabet.sample(letter);
            if (nfa.looksAtLines() && sample == '\n') {
                return Neighbour.NEWLINE;
            }
            return nfa.looksAtWords() && CharSets.WORD.contains(sample) ? Neighbour.WORD : Neighbour.OTHER;
        }

        /** The states that need a character, and the one that accepts, which are reached without one. */
        private int[] reach(int[] core, Neighbour left, Neighbour right) {
            generation++;
            int count = 0;
            int top = 0;
            for (int state : core) {
                stack[top++] = state;
            }
            while (top > 0) {
                int state = stack[--top];
                if (seen[state] == generation) {
                    continue;
                }
                seen[state] = generation;
                spend(1);
                int[] free = nfa.free(state, left, right);
                if (free != null) {
                    for (int one : free) {
                        stack[top++] = one;
                    }
                } else if (!(nfa.step(state) instanceof Nfa.Step.Look)) {
                    found[count++] = state;
                }
            }
            return Arrays.copyOf(found, count);
        }

        private int[] step(int[] reached, BitSet letterSets) {
            generation++;
            int count = 0;
            spend(reached.length);
            for (int state : reached) {
                if (nfa.step(state) instanceof Nfa.Step.Read(int set, int next)
                        && letterSets.get(set)
                        && seen[next] != generation) {
                    seen[next] = generation;
                    found[count++] = next;
                }
            }
            int[] core = Arrays.copyOf(found, count);
            Arrays.sort(core);
            return core;
        }

        private void spend(long steps) {
            work += steps;
            if (work > MAX_WORK) {
                throw tooLarge();
            }
        }
    }
}
