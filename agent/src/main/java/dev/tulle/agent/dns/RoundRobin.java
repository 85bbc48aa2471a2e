package dev.tulle.agent.dns;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Work that waits for a thread, taken from each share in turn: whoever has much of it waits for himself. Thread-safe.
 *
 * @param <K> a share
 * @param <T> a piece of work
 */
final class RoundRobin<K, T> {
    private final int mostOfOne;
    private final Map<K, ArrayDeque<T>> waiting = new HashMap<>();
    private final ArrayDeque<K> turns = new ArrayDeque<>();
    private boolean closed;

    /**
     * Empty.
     *
     * @param mostOfOne pieces of one share that wait at once
     */
    RoundRobin(int mostOfOne) {
        this.mostOfOne = mostOfOne;
    }

    /** Adds work; false when the share has as much waiting as it may, or nobody takes any more. */
    synchronized boolean offer(K share, T work) {
        ArrayDeque<T> own = waiting.get(share);
        if (closed || (own != null && own.size() >= mostOfOne)) {
            return false;
        }
        if (own == null) {
            own = new ArrayDeque<>();
            waiting.put(share, own);
            turns.addLast(share);
        }
        own.addLast(work);
        notify();
        return true;
    }

    /** Waits for the next piece; empty once closed. */
    synchronized Optional<T> take() throws InterruptedException {
        while (turns.isEmpty() && !closed) {
            wait();
        }
        if (closed) {
            return Optional.empty();
        }
        K share = turns.removeFirst();
        ArrayDeque<T> own = waiting.get(share);
        T work = own == null ? null : own.pollFirst();
        if (own == null || work == null) {
            throw new IllegalStateException("a share without work had a turn");
        }
        if (own.isEmpty()) {
            waiting.remove(share);
        } else {
            turns.addLast(share);
        }
        return Optional.of(work);
    }

    /** Ends it: what waits is dropped. */
    synchronized void close() {
        closed = true;
        waiting.clear();
        turns.clear();
        notifyAll();
    }
}
