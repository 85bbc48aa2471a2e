package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.PortKey;
import dev.tulle.agent.datapath.Structs.PortValue;
import dev.tulle.agent.datapath.Structs.SockAddr;
import dev.tulle.agent.ports.MeshPort;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.RecordCodec;
import dev.tulle.kernel.TcpListener;
import dev.tulle.kernel.TypedMap;
import java.net.InetSocketAddress;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Which ports are the mesh's own, and the sockets that connections to them go to, in the kernel. Owner thread only. */
final class PortMaps {
    private static final System.Logger LOG = System.getLogger(PortMaps.class.getName());

    /** The map of the mesh's own ports. */
    static final String PORTS = "tulle_ports";

    private final TypedMap<PortKey, PortValue> ports;
    private final BpfMap accepting;
    private final RecordCodec<SockAddr> address;
    private final Map<InetSocketAddress, TcpListener> given = new HashMap<>();
    private boolean told;

    PortMaps(BpfObject object) {
        this.ports = typed(object.map(PORTS));
        this.accepting = object.map("tulle_accepting");
        // Maps of sockets have no types of their own.
        this.address = Structs.codec(SockAddr.class, object.map("tulle_listen").keyLayout());
    }

    static TypedMap<PortKey, PortValue> typed(BpfMap map) {
        return Structs.map(map, PortKey.class, PortValue.class);
    }

    /** Brings both maps to what is wanted: a port is marked as held only when its sockets are in the map. */
    void reconcile(Collection<MeshPort> wanted, List<TcpListener> listeners) {
        Set<Integer> held = new HashSet<>();
        wanted.stream().filter(MeshPort::held).forEach(port -> held.add(port.number()));
        for (TcpListener listener : listeners) {
            if (held.contains(listener.address().getPort()) && !put(listener)) {
                held.remove(listener.address().getPort());
            }
        }
        long namespace = TcpListener.ownNamespace();
        Map<PortKey, PortValue> entries = new HashMap<>();
        for (MeshPort port : wanted) {
            int flags = (held.contains(port.number()) && port.held() ? Structs.PORT_HELD : 0)
                    | (port.everywhere() ? Structs.PORT_EVERYWHERE : 0)
                    | (port.roots() ? Structs.PORT_ROOT : 0);
            entries.merge(
                    new PortKey(port.number(), port.udp() ? Structs.UDP : Structs.TCP),
                    new PortValue(namespace, flags),
                    (one, other) -> new PortValue(namespace, one.flags() | other.flags()));
        }
        Map<PortKey, PortValue> found = ports.snapshot();
        entries.forEach((key, value) -> {
            if (!value.equals(found.get(key))) {
                ports.put(key, value);
            }
        });
        found.keySet().stream().filter(key -> !entries.containsKey(key)).forEach(ports::delete);
    }

    /** False where the kernel does not take the socket: whoever listens on its port is reached then. */
    private boolean put(TcpListener listener) {
        if (given.get(listener.address()) == listener) {
            return true;
        }
        try {
            InetSocketAddress at = listener.address();
            listener.putInto(accepting, address, new SockAddr(at.getAddress(), at.getPort()));
            given.put(at, listener);
            return true;
        } catch (BpfException e) {
            if (!told) {
                told = true;
                LOG.log(
                        System.Logger.Level.WARNING,
                        listener + " is not known to the kernel's guard: " + e.getMessage());
            }
            return false;
        }
    }
}
