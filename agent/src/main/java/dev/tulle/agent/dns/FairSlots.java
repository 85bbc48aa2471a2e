package dev.tulle.agent.dns;

import java.util.HashMap;
import java.util.Map;

/**
 * Places that are used for a while, such as questions on their way or connections. Whoever uses none finds one: an asker
 * may have {@code capacity / (askers + 1)} of them, and {@code floor} in any case. Thread-safe.
 *
 * @param <K> a share
 */
final class FairSlots<K> {
    private final int capacity;
    private final int floor;
    private final Map<K, Integer> used = new HashMap<>();
    private int total;

    /**
     * All free.
     *
     * @param capacity places that are shared; only what is below the floors comes on top
     * @param floor what each share has in any case
     */
    FairSlots(int capacity, int floor) {
        this.capacity = capacity;
        this.floor = floor;
    }

    /** Takes a place; false when the share has all that it may have. */
    synchronized boolean take(K share) {
        int own = used.getOrDefault(share, 0);
        int askers = used.size() + (own == 0 ? 1 : 0);
        if (own >= floor && (own >= capacity / (askers + 1) || total >= capacity)) {
            return false;
        }
        used.put(share, own + 1);
        total++;
        return true;
    }

    /** True when the share uses more than it may by now, and should not go on with a place that it has. */
    synchronized boolean isOver(K share) {
        return used.getOrDefault(share, 0) > Math.max(floor, capacity / (used.size() + 1));
    }

    /** Gives a place back. */
    synchronized void give(K share) {
        used.computeIfPresent(share, (_, own) -> own == 1 ? null : own - 1);
        total--;
    }
}
