package dev.tulle.model.regex;

import dev.tulle.model.regex.Node.Assertion;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An expression as states with at most two ways on, its repetitions written out. Built from the end to the beginning, so
 * that every state knows what follows it.
 */
final class Nfa {
    /** The state in which everything has matched. */
    static final int MATCH = 0;

    /** What a state needs to be passed. */
    sealed interface Step {
        /** A character of the set with this number. */
        record Read(int set, int next) implements Step {}

        /** Nothing. */
        record Fork(int one, int other) implements Step {}

        /** A place. */
        record Look(Assertion assertion, int next) implements Step {}

        /** Never passed. */
        record Accept() implements Step {}
    }

    private final List<Step> steps = new ArrayList<>(List.of(new Step.Accept()));
    private final List<CharSet> sets = new ArrayList<>();
    private final Map<CharSet, Integer> numbers = new HashMap<>();
    private final int start;
    private boolean lines;
    private boolean words;

    private Nfa(Node node) {
        start = build(node, MATCH);
    }

    static Nfa of(Node node) {
        return new Nfa(node);
    }

    private int add(Step step) {
        steps.add(step);
        return steps.size() - 1;
    }

    private int build(Node node, int next) {
        return switch (node) {
            case Node.Empty _ -> next;
            case Node.One(CharSet set) -> add(new Step.Read(number(set), next));
            case Node.Place(Assertion assertion) -> {
                lines |= assertion == Assertion.BEGIN_LINE || assertion == Assertion.END_LINE;
                words |= assertion == Assertion.WORD_BOUNDARY || assertion == Assertion.NO_WORD_BOUNDARY;
                yield add(new Step.Look(assertion, next));
            }
            case Node.Sequence(List<Node> parts) -> {
                int following = next;
                for (Node part : parts.reversed()) {
                    following = build(part, following);
                }
                yield following;
            }
            case Node.Choice(List<Node> parts) -> {
                int any = build(parts.getLast(), next);
                for (Node part : parts.subList(0, parts.size() - 1).reversed()) {
                    any = add(new Step.Fork(build(part, next), any));
                }
                yield any;
            }
            case Node.Repeat repeat -> repeat(repeat, next);
        };
    }

    private int repeat(Node.Repeat repeat, int next) {
        int following = next;
        if (repeat.most() == Node.UNBOUNDED) {
            int loop = add(new Step.Accept());
            int body = build(repeat.part(), loop);
            steps.set(loop, new Step.Fork(body, next));
            following = loop;
        } else {
            for (int i = repeat.least(); i < repeat.most(); i++) {
                following = add(new Step.Fork(build(repeat.part(), following), next));
            }
        }
        for (int i = 0; i < repeat.least(); i++) {
            following = build(repeat.part(), following);
        }
        return following;
    }

    private int number(CharSet set) {
        return numbers.computeIfAbsent(set, made -> {
            sets.add(made);
            return sets.size() - 1;
        });
    }

    int start() {
        return start;
    }

    int size() {
        return steps.size();
    }

    Step step(int state) {
        return steps.get(state);
    }

    List<CharSet> sets() {
        return sets;
    }

    /** True when it matters whether a character ends a line. */
    boolean looksAtLines() {
        return lines;
    }

    /** True when it matters whether a character belongs to a word. */
    boolean looksAtWords() {
        return words;
    }

    /** Where a step without a character leads; null for one that needs one, or leads nowhere. */
    int @Nullable [] free(int state, Neighbour before, Neighbour after) {
        return switch (steps.get(state)) {
            case Step.Fork(int one, int other) -> new int[] {one, other};
            case Step.Look(Assertion assertion, int next) -> holds(assertion, before, after) ? new int[] {next} : null;
            case Step.Read _, Step.Accept _ -> null;
        };
    }

    /** What stands beside a place. */
    enum Neighbour {
        /** Nothing: the text begins or ends. */
        EDGE('e'),
        NEWLINE('n'),
        WORD('w'),
        OTHER('o');

        private final char letter;

        Neighbour(char letter) {
            this.letter = letter;
        }

        /** A letter of its own. */
        char letter() {
            return letter;
        }
    }

    private static boolean holds(Assertion assertion, Neighbour before, Neighbour after) {
        return switch (assertion) {
            case BEGIN_TEXT -> before == Neighbour.EDGE;
            case END_TEXT -> after == Neighbour.EDGE;
            case BEGIN_LINE -> before == Neighbour.EDGE || before == Neighbour.NEWLINE;
            case END_LINE -> after == Neighbour.EDGE || after == Neighbour.NEWLINE;
            case WORD_BOUNDARY -> (before == Neighbour.WORD) != (after == Neighbour.WORD);
            case NO_WORD_BOUNDARY -> (before == Neighbour.WORD) == (after == Neighbour.WORD);
        };
    }
}
