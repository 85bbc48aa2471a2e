package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.KernelPins.Lender;
import dev.tulle.agent.datapath.Structs.LentValue;
import dev.tulle.agent.datapath.Structs.PermitKey;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.MapCodec;
import dev.tulle.kernel.SockDiag;
import dev.tulle.kernel.TcpListener;
import dev.tulle.kernel.TypedMap;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/** The host's ports that lead to workloads while a mesh is stopped, in the maps that are pinned. One thread at a time. */
final class Lending {
    static final String PORTS = "tulle_lent";
    static final String SOCKETS = "tulle_lending";

    private Lending() {}

    /** The key of a socket: port, then whether for loopback, in the order of struct tulle_lending_key. */
    private static int key(int port, boolean loopback) {
        return port | (loopback ? 1 << 16 : 0);
    }

    /**
     * What workloads listen on now is lent, but for ports of the host's own programs. A port that several workloads listen
     * on is lent to one of them alone.
     */
    static SortedSet<Integer> begin(Path maps, Map<InetAddress, Lender> workloads) {
        SortedSet<Integer> lent = new TreeSet<>();
        List<SockDiag.Listener> theirs = new ArrayList<>();
        Set<Integer> hosts = new HashSet<>();
        try (SockDiag sockets = SockDiag.open();
                BpfMap portMap = BpfMap.openPinned(maps.resolve(PORTS));
                BpfMap socketMap = BpfMap.openPinned(maps.resolve(SOCKETS));
                BpfMap permitMap = BpfMap.openPinned(maps.resolve("tulle_permit"))) {
            for (SockDiag.Listener listener : sockets.listeners()) {
                if (workloads.containsKey(listener.address().getAddress())) {
                    theirs.add(listener);
                } else {
                    hosts.add(listener.address().getPort());
                }
            }
            // Where a workload listens in both families the IPv4 socket counts, which comes last.
            theirs.sort(Comparator.comparing(one -> !(one.address().getAddress() instanceof Inet6Address)));
            TypedMap<PermitKey, Byte> permits =
                    permitMap.typed(Structs.codec(PermitKey.class, permitMap.keyLayout()), MapCodec.u8());
            TypedMap<Integer, LentValue> ports = ports(portMap);
            Map<Integer, Integer> lenders = new HashMap<>();
            for (SockDiag.Listener listener : theirs) {
                InetAddress address = listener.address().getAddress();
                Lender lender = Objects.requireNonNull(workloads.get(address));
                if (permits.get(new PermitKey(lender.address(), 0, Structs.SOURCE_GUARDED)) != null) {
                    continue;
                }
                socket(listener, lender.processes()).ifPresent(socket -> {
                    // Not the one it is bound to, but the one that its program asked for.
                    int port = socket.address().getPort();
                    boolean free =
                            !hosts.contains(port) && lenders.getOrDefault(port, lender.workload()) == lender.workload();
                    if (free) {
                        lenders.put(port, lender.workload());
                        lend(socketMap, socket, port);
                        ports.put(port, new LentValue(TcpListener.ownNamespace(), lender.workload()));
                        lent.add(port);
                    } else {
                        socket.close();
                    }
                });
            }
        }
        return lent;
    }

    private static TypedMap<Integer, LentValue> ports(BpfMap map) {
        return map.typed(MapCodec.u32(), Structs.codec(LentValue.class, map.valueLayout()));
    }

    private static Optional<TcpListener> socket(SockDiag.Listener listener, List<Long> processes) {
        for (long process : processes) {
            Optional<TcpListener> found = TcpListener.ofProcess(process, listener.inode());
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }

    /** The socket says loopback where its program bound that. */
    private static void lend(BpfMap sockets, TcpListener socket, int port) {
        try (socket) {
            socket.putInto(sockets, MapCodec.u32(), key(port, true));
            if (!socket.address().getAddress().isLoopbackAddress()) {
                socket.putInto(sockets, MapCodec.u32(), key(port, false));
            }
        }
    }

    /** Takes everything back. */
    static void end(BpfMap portMap, BpfMap socketMap) {
        TypedMap<Integer, LentValue> ports = ports(portMap);
        List.copyOf(ports.keys()).forEach(ports::delete);
        TypedMap<Integer, Long> sockets = socketMap.typed(MapCodec.u32(), MapCodec.u64());
        List.copyOf(sockets.keys()).forEach(sockets::delete);
    }
}
