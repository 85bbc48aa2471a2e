package dev.tulle.proxy.downstream;

import dev.tulle.proxy.share.Held;
import io.netty.channel.Channel;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One connection's turn at its loop: how many requests it may begin before others have theirs, and what they cost its
 * client. Loop-confined.
 */
final class RequestTurn {
    /** Requests of one connection that are begun before others have their turn. */
    private static final int REQUESTS = 16;

    private final Channel channel;
    private final @Nullable Held held;
    private final Runnable next;
    private int begun;

    /** Since when the loop is busy with this connection's next request. */
    private long busySince;

    private boolean due;

    /**
     * Of a connection.
     *
     * @param held its client's place; null for none
     * @param next goes on with what had to wait for the next turn
     */
    RequestTurn(Channel channel, @Nullable Held held, Runnable next) {
        this.channel = channel;
        this.held = held;
        this.next = next;
    }

    /** A turn begins. */
    void begin() {
        begun = 0;
    }

    /** The loop is busy with the connection from now on. */
    void busy() {
        busySince = System.nanoTime();
    }

    /** Counts how long the request has kept the loop from others. */
    void took() {
        long now = System.nanoTime();
        Held place = held;
        if (place != null) {
            place.took(now - busySince);
        }
        busySince = now;
    }

    /** True when a request may begin now; otherwise the next turn is on its way. */
    // Whether the next turn comes is not asked.
    @SuppressWarnings("FutureReturnValueIgnored")
    boolean mayBegin() {
        Held place = held;
        if (begun < REQUESTS && (place == null || place.mayBegin(busySince))) {
            begun++;
            return true;
        }
        if (!due) {
            due = true;
            // Scheduled and not executed: a loop goes on with tasks that make tasks, and looks at no socket meanwhile.
            channel.eventLoop().schedule(this::come, 1, TimeUnit.NANOSECONDS);
        }
        return false;
    }

    private void come() {
        due = false;
        next.run();
    }
}
