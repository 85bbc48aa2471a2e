package dev.tulle.proxy.upstream;

import dev.tulle.proxy.transport.ProxyHeader;
import java.net.InetSocketAddress;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The connections to an endpoint that may serve the same requests: all of them where its address is dialled, those of one
 * caller where they carry who calls. Loop-confined.
 */
final class Lane {
    private final EndpointPool pool;
    private final @Nullable Way way;
    private final @Nullable From from;
    private final Exclusive exclusive;
    private final Multiplexed multiplexed;
    private final Set<Multiplexed> singles = new LinkedHashSet<>(0);

    /**
     * Of an endpoint.
     *
     * @param way how it is reached; null by its address
     * @param from whose connections they are; null for everybody's
     */
    Lane(EndpointPool pool, ConnectionLimit limit, @Nullable Way way, @Nullable From from) {
        this.pool = pool;
        this.way = way;
        this.from = from;
        this.exclusive = new Exclusive(pool, limit, this);
        this.multiplexed = new Multiplexed(this, null);
    }

    EndpointPool pool() {
        return pool;
    }

    /** Where its connections go. */
    Destination dial(InetSocketAddress address) {
        return new Destination(address, way, from);
    }

    Exclusive exclusive() {
        return exclusive;
    }

    Multiplexed multiplexed() {
        return multiplexed;
    }

    /** A connection of HTTP/2 for this request alone, which it then waits for. */
    @Nullable
    UpstreamStream single(UpstreamUser user, ProxyHeader.@Nullable Ends ends) {
        Multiplexed alone = new Multiplexed(this, ends);
        singles.add(alone);
        return alone.acquire(user);
    }

    /** It was connected, or could not be. */
    void ended(Multiplexed single) {
        singles.remove(single);
    }

    void cancel(UpstreamUser user) {
        multiplexed.cancel(user);
        singles.forEach(single -> single.cancel(user));
        exclusive.cancel(user);
    }

    /** A connection is idle. */
    void release(UpstreamConnection connection) {
        if (exclusive.serves(connection) && !pool.lender().lend(connection)) {
            exclusive.keep(connection);
        }
    }

    /** A connection has closed. */
    void closed(UpstreamConnection connection) {
        exclusive.closed(connection);
    }

    /** True when it has no connections, and nobody waits for one. */
    boolean isUnused() {
        return exclusive.isUnused() && multiplexed.isUnused() && singles.isEmpty();
    }

    void retire() {
        multiplexed.retire();
        exclusive.retire();
    }

    /** Connections that carry nothing. */
    int idleCount() {
        return exclusive.idleCount() + multiplexed.idleCount();
    }
}
