package dev.tulle.proxy.hbone;

import dev.tulle.common.pki.SpiffeId;
import java.net.InetSocketAddress;
import java.util.Set;

/**
 * Where a tunnel leads to.
 *
 * @param node the address at which the workload's node, or the workload itself, takes tunnels
 * @param identities one of which its certificate must be for: that of the node's proxy, or of the workload
 */
public record TunnelTarget(InetSocketAddress node, Set<SpiffeId> identities) {
    /** The port at which tunnels are taken. */
    public static final int PORT = 15008;

    public TunnelTarget {
        identities = Set.copyOf(identities);
        if (identities.isEmpty()) {
            throw new IllegalArgumentException("a tunnel to " + node + " needs to know who is there");
        }
    }
}
