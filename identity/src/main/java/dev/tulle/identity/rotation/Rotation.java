package dev.tulle.identity.rotation;

import dev.tulle.identity.rotation.RotationState.Phase;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * How one root takes the place of another without a moment in which somebody is not believed. Pure: what is known of the
 * world comes in, the next state comes out, and what it waits for. Two rules carry it:
 *
 * <ol>
 *   <li>A root signs only when every node that lives believes what it signs: because the node trusts that root, or the one
 *       before, which has signed the new one (its certificate is sent along until the old root goes).
 *   <li>A root stays trusted until no leaf below it lives, and every node that lives trusts the one after it.
 * </ol>
 *
 * A node lives while it is connected or holds a leaf that has not ended. What a node trusts is what it has said since the
 * authority last started: silence is never taken for consent.
 */
public final class Rotation {
    /** The part of a root's life at whose beginning its successor is announced: the last fifth. */
    private static final int LAST_PART = 5;

    /** At least so many lives of a leaf remain then. */
    private static final int LEAVES = 4;

    private Rotation() {}

    /**
     * What is known of the world.
     *
     * @param now the time
     * @param nodes those that live, and the roots that each says it trusts; empty for one that has not said
     * @param lastLeaf when the last leaf that was signed below the other root ends; any time past when there is none
     * @param oldEnd when the older one of two roots ends
     * @param crossed whether the newer root is signed by the older one
     * @param patience how long nodes that do not say that they trust a new root are waited for where it is signed by the old
     */
    public record View(
            Instant now,
            Map<String, Set<Integer>> nodes,
            Instant lastLeaf,
            Instant oldEnd,
            boolean crossed,
            Duration patience) {
        public View {
            nodes = Map.copyOf(nodes);
        }
    }

    /**
     * What follows.
     *
     * @param state the state from now on; the same when it has to wait
     * @param waiting for what, one sentence each; empty when it waits for nothing
     */
    public record Step(RotationState state, List<String> waiting) {
        public Step {
            waiting = List.copyOf(waiting);
        }
    }

    /** A second root is made and announced; the caller has it on the disk already. */
    public static RotationState begin(RotationState state, int next, Instant now) {
        if (state.phase() != Phase.STEADY || next <= state.current()) {
            throw new IllegalStateException("a rotation to root " + next + " cannot begin from " + state);
        }
        return new RotationState(Phase.ANNOUNCING, state.current(), next, now);
    }

    /** The next state of the world as it is known. */
    public static Step next(RotationState state, View view) {
        return switch (state.phase()) {
            case STEADY -> new Step(state, List.of());
            case ANNOUNCING -> announcing(state, view);
            case REPLACING -> replacing(state, view);
        };
    }

    private static Step announcing(RotationState state, View view) {
        List<String> waiting = unaware(state.other(), view);
        Instant patienceEnds = state.since().plus(view.patience());
        boolean bridged = view.crossed() && !view.now().isBefore(patienceEnds);
        // Past the old root's end nobody who trusts it alone believes anybody: there is nothing left to keep.
        boolean over = !view.now().isBefore(view.oldEnd());
        if (waiting.isEmpty() || bridged || over) {
            return new Step(new RotationState(Phase.REPLACING, state.other(), state.current(), view.now()), List.of());
        }
        if (view.crossed()) {
            waiting.add("not longer than until " + patienceEnds + ": the new root is signed by the old one");
        }
        return new Step(state, waiting);
    }

    private static Step replacing(RotationState state, View view) {
        if (!view.now().isBefore(view.oldEnd())) {
            return new Step(RotationState.steady(state.current(), view.now()), List.of());
        }
        List<String> waiting = unaware(state.current(), view);
        if (view.now().isBefore(view.lastLeaf())) {
            waiting.add("the last certificate below the old root ends at " + view.lastLeaf());
        }
        return waiting.isEmpty()
                ? new Step(RotationState.steady(state.current(), view.now()), List.of())
                : new Step(state, waiting);
    }

    private static List<String> unaware(int root, View view) {
        List<String> waiting = new ArrayList<>();
        new TreeMap<>(view.nodes()).forEach((node, trusts) -> {
            if (!trusts.contains(root)) {
                waiting.add("node " + node + " has not said that it trusts the new root");
            }
        });
        return waiting;
    }

    /**
     * When the successor of a root is announced by itself.
     *
     * @param begin when the root begins to hold
     * @param end when it ends
     * @param leafLife how long leaves hold
     */
    public static Instant due(Instant begin, Instant end, Duration leafLife) {
        Duration part = Duration.between(begin, end).dividedBy(LAST_PART);
        Duration leaves = leafLife.multipliedBy(LEAVES);
        return end.minus(part.compareTo(leaves) > 0 ? part : leaves);
    }
}
