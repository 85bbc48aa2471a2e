package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.ConnValue;
import dev.tulle.agent.datapath.Structs.SocketKey;
import dev.tulle.agent.datapath.Structs.TrafficValue;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.MapCodec;
import dev.tulle.kernel.PerCpuMap;
import dev.tulle.kernel.TypedMap;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The kernel's counters of bytes and its records of live connections. Counters belong to an address: they are set to zero
 * when it is given back. Owner thread only.
 */
final class Accounting {
    private static final TrafficValue ZERO = new TrafficValue(0, 0, 0, 0, 0, 0, 0, 0);

    private final PerCpuMap<Integer, TrafficValue> traffic;
    private final TypedMap<SocketKey, ConnValue> conns;
    private final int counted;
    private final Set<Integer> used = new HashSet<>();
    private boolean adopted;

    Accounting(BpfObject object) {
        BpfMap trafficMap = object.map("tulle_traffic");
        this.traffic = trafficMap.perCpu(MapCodec.u32(), Structs.codec(TrafficValue.class, trafficMap.valueLayout()));
        this.counted = trafficMap.spec().maxEntries();
        this.conns = Structs.map(object.map("tulle_conns"), SocketKey.class, ConnValue.class);
    }

    TypedMap<SocketKey, ConnValue> connections() {
        return conns;
    }

    /** Records of connections that there is room for. */
    int room() {
        return conns.map().spec().maxEntries();
    }

    /** The place of an address in the counters: its host part; 0: not counted. */
    private int placeOf(MeshNetwork network, int address) {
        int host = network.hostPart(address);
        return Integer.compareUnsigned(host, counted) < 0 ? host : 0;
    }

    /** Forgets what former holders of addresses did. */
    void reconcile(MeshNetwork network, Collection<Integer> addresses) {
        Set<Integer> places = new HashSet<>();
        addresses.forEach(address -> places.add(placeOf(network, address)));
        if (!adopted) {
            adopted = true;
            for (int place = 1; place < counted; place++) {
                used.add(place);
            }
        }
        for (int place : used) {
            if (!places.contains(place) && traffic.get(place).stream().anyMatch(cpu -> !cpu.equals(ZERO))) {
                traffic.put(place, List.of());
            }
        }
        used.clear();
        used.addAll(places);
    }

    /** What each workload has sent and received, by its number. */
    Map<Integer, WorkloadTraffic> of(MeshNetwork network, List<Lease> leases) {
        Map<Integer, Integer> live = new HashMap<>();
        conns.forEach((key, conn) -> {
            if (conn.ended() == 0 && conn.kind() == Structs.CONN_DIRECT) {
                live.merge(conn.client(), 1, Integer::sum);
                if (conn.server() != conn.client()) {
                    live.merge(conn.server(), 1, Integer::sum);
                }
            }
        });
        Map<Integer, WorkloadTraffic> found = new HashMap<>();
        for (Lease lease : leases) {
            int place = placeOf(network, lease.address());
            TrafficValue sum = place == 0 ? ZERO : traffic.get(place).stream().reduce(ZERO, Accounting::plus);
            found.put(
                    lease.id(),
                    new WorkloadTraffic(
                            sum.meshSent(),
                            sum.meshReceived(),
                            sum.wireSent(),
                            sum.wireReceived(),
                            sum.wireSentPackets(),
                            sum.wireReceivedPackets(),
                            sum.opened(),
                            sum.accepted(),
                            live.getOrDefault(lease.id(), 0)));
        }
        return found;
    }

    private static TrafficValue plus(TrafficValue a, TrafficValue b) {
        return new TrafficValue(
                a.meshSent() + b.meshSent(),
                a.meshReceived() + b.meshReceived(),
                a.wireSent() + b.wireSent(),
                a.wireReceived() + b.wireReceived(),
                a.wireSentPackets() + b.wireSentPackets(),
                a.wireReceivedPackets() + b.wireReceivedPackets(),
                a.opened() + b.opened(),
                a.accepted() + b.accepted());
    }
}
