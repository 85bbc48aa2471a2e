package dev.tulle.model.regex;

import java.util.List;

/** A regular expression as it is written: no repetition is expanded yet. */
sealed interface Node {
    /** The empty text. */
    record Empty() implements Node {}

    /** One character of a set. */
    record One(CharSet set) implements Node {}

    /** A place between two characters. */
    record Place(Assertion assertion) implements Node {}

    /** One after the other. */
    record Sequence(List<Node> parts) implements Node {}

    /** Any of them. */
    record Choice(List<Node> parts) implements Node {}

    /**
     * Several times the same.
     *
     * @param most {@link #UNBOUNDED} for no end
     */
    record Repeat(Node part, int least, int most) implements Node {}

    /** No upper bound of a repetition. */
    int UNBOUNDED = -1;

    /** What is asked of a place. */
    enum Assertion {
        BEGIN_TEXT,
        END_TEXT,
        BEGIN_LINE,
        END_LINE,
        WORD_BOUNDARY,
        NO_WORD_BOUNDARY
    }

    /** Characters to match once every repetition is written out; at most {@link Long#MAX_VALUE} / 2. */
    default long size() {
        return switch (this) {
            case Empty _, Place _ -> 1;
            case One _ -> 1;
            case Sequence(List<Node> parts) -> sum(parts);
            case Choice(List<Node> parts) -> sum(parts);
            case Repeat(Node part, int least, int most) -> {
                long times = most == UNBOUNDED ? least + 1L : Math.max(1, most);
                long size = part.size();
                yield size > LARGE / times ? LARGE : size * times;
            }
        };
    }

    /** How deeply what may be left out nests once repetitions are written out: {@code x{0,3}} is {@code (x(x(x)?)?)?}. */
    default long depth() {
        return switch (this) {
            case Empty _, Place _, One _ -> 0;
            case Sequence(List<Node> parts) -> deepest(parts);
            case Choice(List<Node> parts) -> deepest(parts);
            case Repeat(Node part, int least, int most) ->
                part.depth() + (most == UNBOUNDED ? 1 : Math.max(1, most - least));
        };
    }

    /**
     * How many parts may be passed one after the other without a character once repetitions are written out, or more:
     * matchers with groups follow them in one go, each in a call of its own.
     */
    default long passed() {
        return switch (this) {
            case Empty _, Place _ -> 1;
            case One _ -> 0;
            case Sequence(List<Node> parts) -> passedIn(parts);
            case Choice(List<Node> parts) ->
                parts.size() + parts.stream().mapToLong(Node::passed).max().orElse(0);
            case Repeat(Node part, int _, int _) when !part.isOptional() -> 2 * part.passed() + 1;
            case Repeat(Node part, int least, int most) -> {
                long times = most == UNBOUNDED ? least + 1L : Math.max(1, most);
                long one = part.passed() + 1;
                yield one > LARGE / times ? LARGE : one * times;
            }
        };
    }

    /** True when it matches the empty text, somewhere. */
    default boolean isOptional() {
        return switch (this) {
            case Empty _, Place _ -> true;
            case One _ -> false;
            case Sequence(List<Node> parts) -> parts.stream().allMatch(Node::isOptional);
            case Choice(List<Node> parts) -> parts.stream().anyMatch(Node::isOptional);
            case Repeat(Node part, int least, int _) -> least == 0 || part.isOptional();
        };
    }

    private static long passedIn(List<Node> parts) {
        long most = 0;
        long run = 0;
        for (Node part : parts) {
            long own = part.passed();
            run = Math.min(LARGE, run + own);
            most = Math.max(most, run);
            run = part.isOptional() ? run : own;
        }
        return most;
    }

    private static long deepest(List<Node> parts) {
        return parts.stream().mapToLong(Node::depth).max().orElse(0);
    }

    /** A size that no bound allows. */
    long LARGE = 1L << 40;

    private static long sum(List<Node> parts) {
        long sum = 0;
        for (Node part : parts) {
            sum = Math.min(LARGE, sum + part.size());
        }
        return Math.max(1, sum);
    }
}
