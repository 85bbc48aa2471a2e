package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.ConnValue;
import dev.tulle.agent.datapath.Structs.SocketKey;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.SockDiag;
import dev.tulle.kernel.TypedMap;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Ends the connections of leases that have ended: those with the lease's address at either end, and those that its
 * workload made from another address. What has no connection to end (a listener, a datagram socket) is refused everything
 * by the guard; its address is not given again while it lives. Owner thread only.
 */
final class EndedLeases {
    private static final System.Logger LOG = System.getLogger(EndedLeases.class.getName());

    private final TypedMap<SocketKey, ConnValue> connections;

    EndedLeases(TypedMap<SocketKey, ConnValue> connections) {
        this.connections = connections;
    }

    /**
     * Ends what is left of them; to be called when the kernel does not know them any more.
     *
     * @param leases their numbers
     * @param addresses their addresses, of both families
     */
    void end(Set<Long> leases, Set<InetAddress> addresses) {
        if (leases.isEmpty()) {
            return;
        }
        int ended = 0;
        try (SockDiag sockets = SockDiag.open()) {
            for (SocketKey key : made(leases)) {
                ended += sockets.destroy(
                                new InetSocketAddress(key.local(), key.lport()),
                                new InetSocketAddress(key.remote(), key.rport()))
                        ? 1
                        : 0;
            }
            for (SockDiag.Listed socket : sockets.all()) {
                boolean concerned = addresses.contains(socket.local().getAddress())
                        || addresses.contains(socket.remote().getAddress());
                if (concerned && socket.isConnection()) {
                    ended += sockets.destroy(socket) ? 1 : 0;
                }
            }
        } catch (BpfException e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "connections of workloads that have left the mesh go on until they close: " + e.getMessage());
        }
        int count = ended;
        LOG.log(System.Logger.Level.DEBUG, () -> count + " ends of connections of " + leases.size() + " leases ended");
    }

    private List<SocketKey> made(Set<Long> leases) {
        List<SocketKey> made = new ArrayList<>();
        connections.forEach((key, conn) -> {
            if (leases.contains(conn.lease()) && conn.ended() == 0) {
                made.add(key);
            }
        });
        return made;
    }
}
