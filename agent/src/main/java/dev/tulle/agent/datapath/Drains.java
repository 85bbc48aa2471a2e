package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.ConnValue;
import dev.tulle.agent.datapath.Structs.SockAddr;
import dev.tulle.agent.datapath.Structs.SocketKey;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.SockDiag;
import dev.tulle.kernel.TypedMap;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntFunction;

/**
 * Ends connections to endpoints that a service no longer has. New connections stop with the change of the slots; those that
 * live go on until they end by themselves or the drain time is over, and are then reset. Level-triggered: an endpoint is
 * draining while some connection leads to it and its service does not name it, so an agent that was restarted goes on
 * (the time begins anew). Owner thread only.
 */
final class Drains implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Drains.class.getName());

    /** Passes of {@link #pass} between two looks at the connections when nothing has changed and nothing drains. */
    private static final int IDLE_PASSES = 10;

    /** After this a record of which only one end has closed is given up; the other end was never counted. */
    private static final Duration HALF_ENDED = Duration.ofSeconds(60);

    private final TypedMap<SocketKey, ConnValue> connections;
    private final Duration time;
    /** When each draining endpoint was first seen without its service. */
    private final Map<Draining, Long> since = new HashMap<>();

    private final Map<SocketKey, Long> halfEnded = new HashMap<>();
    private final Map<Integer, Integer> open = new HashMap<>();
    private Optional<SockDiag> sockets = Optional.empty();
    private boolean refused;
    private int idle = IDLE_PASSES;
    private long ended;

    private record Draining(int service, SockAddr endpoint) {}

    /** @param time how long connections may go on */
    Drains(TypedMap<SocketKey, ConnValue> connections, Duration time) {
        this.connections = connections;
        this.time = time;
    }

    /** Connections that were ended so far. */
    long ended() {
        return ended;
    }

    /** The endpoints of some service have changed: the next pass looks at the connections. */
    void changed() {
        idle = IDLE_PASSES;
    }

    /**
     * Looks at the connections and ends those whose time is over.
     *
     * @param endpointsOf the endpoints of a service by its number; none when the service is gone; empty when it is not the
     *     kernel that serves it now, which ends no connection
     * @param now nanoseconds of a monotonic clock
     * @return how many records there are of the callers in each place; none where this pass did not look
     */
    Map<Integer, Integer> pass(IntFunction<Optional<Set<SockAddr>>> endpointsOf, long now) {
        if (since.isEmpty() && halfEnded.isEmpty() && ++idle < IDLE_PASSES) {
            return Map.of();
        }
        idle = 0;
        Map<Draining, List<SocketKey>> draining = new HashMap<>();
        Map<Integer, Optional<Set<SockAddr>>> known = new HashMap<>();
        Set<SocketKey> half = new HashSet<>();
        open.clear();
        connections.forEach((key, conn) -> {
            open.merge(conn.place(), 1, Integer::sum);
            if (conn.ended() != 0) {
                half.add(key);
                return;
            }
            if (conn.service() == 0) {
                return;
            }
            SockAddr endpoint = new SockAddr(key.remote(), key.rport());
            Optional<Set<SockAddr>> endpoints = known.computeIfAbsent(conn.service(), endpointsOf::apply);
            if (endpoints.isPresent() && !endpoints.get().contains(endpoint)) {
                draining.computeIfAbsent(new Draining(conn.service(), endpoint), _ -> new ArrayList<>())
                        .add(key);
            }
        });
        since.keySet().retainAll(draining.keySet());
        draining.forEach((endpoint, keys) -> {
            long begun = since.computeIfAbsent(endpoint, _ -> now);
            if (now - begun >= time.toNanos()) {
                keys.forEach(this::end);
            }
        });
        forgetHalfEnded(half, now);
        return Map.copyOf(open);
    }

    private void forgetHalfEnded(Set<SocketKey> half, long now) {
        halfEnded.keySet().retainAll(half);
        for (SocketKey key : half) {
            long begun = halfEnded.computeIfAbsent(key, _ -> now);
            if (now - begun >= HALF_ENDED.toNanos()) {
                connections.delete(key);
                halfEnded.remove(key);
            }
        }
    }

    private void end(SocketKey key) {
        if (refused) {
            return;
        }
        try {
            if (sockets.isEmpty()) {
                sockets = Optional.of(SockDiag.open());
            }
            if (sockets.get()
                    .destroy(
                            new InetSocketAddress(key.local(), key.lport()),
                            new InetSocketAddress(key.remote(), key.rport()))) {
                ended++;
            }
        } catch (BpfException e) {
            refused = true;
            LOG.log(
                    System.Logger.Level.WARNING,
                    "connections to endpoints that are gone cannot be ended, they go on until they close: "
                            + e.getMessage());
        }
    }

    /** Endpoints that are draining now. */
    int draining() {
        return since.size();
    }

    @Override
    public void close() {
        sockets.ifPresent(SockDiag::close);
        sockets = Optional.empty();
    }
}
