package dev.tulle.agent.dns;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Questions that wait for somebody else (the control plane, the host's resolvers): so many of each share are under way,
 * so many more wait for one of these to end. Thread-safe.
 *
 * @param <K> a share
 * @param <T> a question
 */
final class SlowLane<K, T> {
    /** What becomes of a question. */
    enum Entry {
        /** It begins now; {@link #next} must be called at its end. */
        BEGIN,
        /** It waits; somebody's {@link #next} will return it. */
        WAIT,
        /** There is no place for it. */
        REFUSE
    }

    private final FairSlots<K> slots;
    private final int waitingMax;
    private final Map<K, ArrayDeque<T>> waiting = new HashMap<>();
    private final Map<K, Integer> underWay = new HashMap<>();

    /**
     * Empty.
     *
     * @param waitingMax questions of one share that wait at once
     */
    SlowLane(FairSlots<K> slots, int waitingMax) {
        this.slots = slots;
        this.waitingMax = waitingMax;
    }

    /** A question comes. */
    synchronized Entry enter(K share, T question) {
        if (slots.take(share)) {
            underWay.merge(share, 1, Integer::sum);
            return Entry.BEGIN;
        }
        ArrayDeque<T> own = waiting.computeIfAbsent(share, _ -> new ArrayDeque<>());
        // Without one under way nobody would ever come back for it.
        if (!underWay.containsKey(share) || own.size() >= waitingMax) {
            if (own.isEmpty()) {
                waiting.remove(share);
            }
            return Entry.REFUSE;
        }
        own.addLast(question);
        return Entry.WAIT;
    }

    /** A question has ended: the next one of its share, to be worked on in its place; empty when the place is given back. */
    synchronized Optional<T> next(K share) {
        boolean last = underWay.getOrDefault(share, 0) <= 1;
        ArrayDeque<T> own = waiting.get(share);
        if (own != null && (last || !slots.isOver(share))) {
            T question = own.removeFirst();
            if (own.isEmpty()) {
                waiting.remove(share);
            }
            return Optional.of(question);
        }
        underWay.computeIfPresent(share, (_, count) -> count == 1 ? null : count - 1);
        slots.give(share);
        return Optional.empty();
    }
}
