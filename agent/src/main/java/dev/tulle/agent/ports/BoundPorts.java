package dev.tulle.agent.ports;

import dev.tulle.common.Ip;
import dev.tulle.kernel.SockDiag;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Where programs of control groups listen now, by the kernel's word, and whether they can be reached there. Pure; any thread. */
public final class BoundPorts {
    private BoundPorts() {}

    /**
     * The addresses on which each control group's sockets listen.
     *
     * @param listeners all of the host
     * @return by the group's number
     */
    public static Map<Long, List<InetSocketAddress>> byGroup(List<SockDiag.Listener> listeners) {
        Map<Long, List<InetSocketAddress>> found = new HashMap<>();
        for (SockDiag.Listener listener : listeners) {
            found.computeIfAbsent(listener.cgroupId(), _ -> new ArrayList<>()).add(listener.address());
        }
        return found;
    }

    /**
     * Why declared ports of a workload that does listen on them cannot be reached: it does so elsewhere than at its address.
     *
     * @param own the address at which the mesh reaches it
     * @param ports its declared TCP ports
     * @param listens where it listens
     * @return one sentence; empty when there is nothing to say
     */
    public static String unreachable(InetAddress own, List<Integer> ports, List<InetSocketAddress> listens) {
        List<String> sentences = new ArrayList<>();
        for (int port : ports) {
            Set<String> elsewhere = new TreeSet<>();
            boolean reachable = false;
            for (InetSocketAddress at : listens) {
                if (at.getPort() == port) {
                    reachable |= at.getAddress().isAnyLocalAddress()
                            || at.getAddress().equals(own);
                    elsewhere.add(Ip.text(at.getAddress(), port));
                }
            }
            if (!reachable && !elsewhere.isEmpty()) {
                sentences.add("port " + port + " listens on " + String.join(" and ", elsewhere) + ", not on "
                        + Ip.text(own, port));
            }
        }
        return String.join("; ", sentences);
    }
}
