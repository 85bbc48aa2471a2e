package dev.tulle.proxy.share;

import io.netty.channel.Channel;
import io.netty.util.AttributeKey;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** The connections of one loop by client: which of them go when a client wants more than its share. Loop-confined. */
// A failed close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class LoopShares {
    /** Connections of a client that are looked at for one that is idle. */
    private static final int LOOKS = 16;

    private static final AttributeKey<Held> HELD = AttributeKey.valueOf("held");

    /** A client's connections on this loop, in a ring: who was looked at goes to its end. */
    private static final class Ring {
        private @Nullable Held first;
        private int size;
        private final Set<Held> stalled = new LinkedHashSet<>();
        private final LoopTime.Taken taken = new LoopTime.Taken();
    }

    private final Shares all;
    private final LoopTime time;
    private final Map<String, Ring> rings = new HashMap<>();

    /**
     * None yet.
     *
     * @param passes how often the loop has looked at its sockets
     */
    public LoopShares(Shares all, LongSupplier passes) {
        this.all = all;
        this.time = new LoopTime(passes);
    }

    /** True when a request of the connection may begin in this pass of the loop. */
    boolean mayBegin(Held held, long now) {
        boolean may = time.allows(held.taken, now);
        if (!may) {
            held.share().over(Over.LOOP_TIME);
        }
        return may;
    }

    void took(Held held, long nanos) {
        time.used(held.taken, nanos);
    }

    Shares all() {
        return all;
    }

    /**
     * Takes a new connection in; null when the client has more than its share, and none that is idle: it is to be closed.
     *
     * @param client a workload as {@code namespace/name}, or an address where none is known (yet)
     * @param presumed true when this is no more than a guess, until {@link Held#belongsTo}: then only the bound of all
     *     connections holds, as others must not pay for the guess
     */
    public @Nullable Held accept(Channel channel, String client, boolean presumed) {
        Held held = new Held(this, all.enter(client), presumed);
        add(held);
        channel.attr(HELD).set(held);
        channel.closeFuture().addListener(closed -> held.release());
        if (presumed && all.isFull()) {
            held.share().over(Over.CONNECTIONS);
            return null;
        }
        return presumed || admits(held) ? held : null;
    }

    /** A connection's place; null where it was not accepted by a listener of the proxy. */
    public static @Nullable Held of(Channel channel) {
        return channel.attr(HELD).get();
    }

    boolean admits(Held newest) {
        Share share = newest.share();
        if (!all.isOver(share)) {
            return true;
        }
        Ring ring = rings.get(share.name());
        for (int i = 0; ring != null && i < Math.min(LOOKS, ring.size); i++) {
            Held oldest = ring.first;
            if (oldest == null) {
                break;
            }
            ring.first = oldest.next;
            if (oldest != newest && oldest.closeIfIdle()) {
                share.over(Over.IDLE);
                return true;
            }
        }
        share.over(Over.CONNECTIONS);
        return false;
    }

    void add(Held held) {
        Ring ring = rings.computeIfAbsent(held.share().name(), name -> new Ring());
        Held first = ring.first;
        if (first == null || first.previous == null) {
            held.next = held;
            held.previous = held;
            ring.first = held;
        } else {
            Held last = first.previous;
            last.next = held;
            held.previous = last;
            held.next = first;
            first.previous = held;
        }
        ring.size++;
        held.taken = ring.taken;
    }

    void remove(Held held) {
        Ring ring = rings.get(held.share().name());
        Held before = held.previous;
        Held after = held.next;
        if (ring == null || before == null || after == null) {
            return;
        }
        ring.stalled.remove(held);
        held.stalls = false;
        before.next = after;
        after.previous = before;
        held.next = null;
        held.previous = null;
        ring.size--;
        if (ring.size == 0) {
            rings.remove(held.share().name());
        } else if (ring.first == held) {
            ring.first = after;
        }
    }

    /** Somebody waits for a reader on this connection, or nobody does any more. */
    void stalls(Held held, boolean does) {
        if (held.stalls != does) {
            held.stalls = does;
            Ring ring = rings.get(held.share().name());
            if (ring != null && does) {
                ring.stalled.add(held);
                if (all.isStalledBeyondMinimum(held.share())) {
                    held.share().over(Over.STALLS);
                }
            } else if (ring != null) {
                ring.stalled.remove(held);
            }
        }
    }

    /** Closes connections of the client that have been stalled for longest until it is within its share. */
    void relieve(Held newest) {
        Share share = newest.share();
        while (all.isStalledOver(share)) {
            Ring ring = rings.get(share.name());
            if (ring == null || ring.stalled.isEmpty()) {
                return;
            }
            Held oldest = ring.stalled.iterator().next();
            share.over(Over.STALLED);
            stalls(oldest, false);
            oldest.closeStalled();
        }
    }
}
