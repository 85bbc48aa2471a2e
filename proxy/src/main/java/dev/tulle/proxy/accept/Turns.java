package dev.tulle.proxy.accept;

import io.netty.channel.EventLoop;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * New connections of one loop begin in turns: one of each client in a pass of the loop, so that a client who opens
 * thousands delays what the others have under way by one of his, not by all. To accept is cheap and never waits, or a
 * client would stand in the kernel's queue behind the thousands of another. Loop-confined.
 */
public final class Turns {
    /** Clients served in one pass; the others are the first of the next. */
    private static final int A_PASS = 16;

    /** What waits for its turn. */
    @FunctionalInterface
    interface Turn {
        /** Begins; false when there is nothing to begin any more, which costs no turn. */
        boolean begin();
    }

    private final EventLoop loop;
    private final Map<String, Queue<Turn>> waiting = new LinkedHashMap<>();
    /** Who has had a turn since the loop looked at its sockets last. */
    private final Set<String> served = new HashSet<>();

    private boolean ends;

    /** Nobody waits on the loop yet. */
    public Turns(EventLoop loop) {
        this.loop = loop;
    }

    /** Begins at once, or when it is the client's turn again. */
    void take(String client, Turn turn) {
        if (waiting.containsKey(client) || served.size() >= A_PASS || !served.add(client)) {
            waiting.computeIfAbsent(client, _ -> new ArrayDeque<>()).add(turn);
        } else if (!turn.begin()) {
            served.remove(client);
        }
        endPass();
    }

    /** What the loop's sockets had to say is done: a new pass, after they have been looked at again if somebody waits. */
    // How a task on the loop ends is seen there.
    @SuppressWarnings("FutureReturnValueIgnored")
    private void endPass() {
        if (ends) {
            return;
        }
        ends = true;
        loop.execute(() -> {
            ends = false;
            served.clear();
            if (!waiting.isEmpty()) {
                ends = true;
                // A task that is merely executed would run before the sockets' turn.
                loop.schedule(this::pass, 1, TimeUnit.NANOSECONDS);
            }
        });
    }

    private void pass() {
        ends = false;
        Map<String, Queue<Turn>> more = new LinkedHashMap<>();
        Iterator<Map.Entry<String, Queue<Turn>>> clients = waiting.entrySet().iterator();
        while (clients.hasNext() && served.size() < A_PASS) {
            Map.Entry<String, Queue<Turn>> client = clients.next();
            Queue<Turn> turns = client.getValue();
            clients.remove();
            beginOne(client.getKey(), turns);
            if (!turns.isEmpty()) {
                more.put(client.getKey(), turns);
            }
        }
        waiting.putAll(more);
        endPass();
    }

    private void beginOne(String client, Queue<Turn> turns) {
        for (Turn next = turns.poll(); next != null; next = turns.poll()) {
            if (next.begin()) {
                served.add(client);
                return;
            }
        }
    }
}
