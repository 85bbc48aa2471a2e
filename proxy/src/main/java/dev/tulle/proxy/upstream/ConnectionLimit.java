package dev.tulle.proxy.upstream;

import java.util.ArrayDeque;

/** The circuit breakers of one cluster on one loop: each loop has its share of the proxy's bounds. Loop-confined. */
final class ConnectionLimit {
    /** A user who waits for a connection to become free. */
    record Waiter(UpstreamUser user, Exclusive at) {}

    private int maxConnections;
    private int maxPending;
    int connections;
    final ArrayDeque<Waiter> waiters = new ArrayDeque<>();

    /** Sets the bounds of the whole proxy (0 for none), to be divided by the number of loops. */
    void bound(int connectionsMax, int pendingMax, int loops) {
        maxConnections = connectionsMax <= 0 ? Integer.MAX_VALUE : Math.max(1, connectionsMax / loops);
        maxPending = pendingMax <= 0 ? Integer.MAX_VALUE : Math.max(1, pendingMax / loops);
    }

    boolean isFull() {
        return connections >= maxConnections;
    }

    boolean isQueueFull() {
        return waiters.size() >= maxPending;
    }
}
