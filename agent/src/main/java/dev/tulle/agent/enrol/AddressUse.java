package dev.tulle.agent.enrol;

import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import dev.tulle.kernel.SockDiag;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Set;

/**
 * Which addresses of a node's prefix some socket still has, at either end: of a lease that has ended such an address must
 * not be given to another. Owner thread only.
 */
@FunctionalInterface
public interface AddressUse {
    /** Nobody looks: for tests, and for tiers in which workloads have no addresses. */
    AddressUse NONE = prefix -> Set.of();

    /** The addresses in use. */
    Set<Integer> in(Cidr prefix);

    /**
     * As the kernel lists its sockets.
     *
     * @param range6 the first 96 bits of IPv6 twins in text form; empty where there are none
     */
    static AddressUse ofSockets(String range6) {
        return prefix -> {
            Set<Integer> used = new HashSet<>();
            try (SockDiag sockets = SockDiag.open()) {
                for (SockDiag.Listed socket : sockets.all()) {
                    if (socket.isAlive()) {
                        add(used, prefix, range6, socket.local().getAddress());
                        add(used, prefix, range6, socket.remote().getAddress());
                    }
                }
            }
            return used;
        };
    }

    private static void add(Set<Integer> used, Cidr prefix, String range6, InetAddress address) {
        ByteBuffer bytes = ByteBuffer.wrap(address.getAddress());
        int number = bytes.getInt(bytes.limit() - Integer.BYTES);
        boolean ours = address instanceof Inet4Address
                || (!range6.isEmpty() && Ip.text(address).equals(Ip.twin(range6, number)));
        if (ours && prefix.contains(number)) {
            used.add(number);
        }
    }
}
