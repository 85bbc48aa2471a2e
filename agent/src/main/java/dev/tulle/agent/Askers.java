package dev.tulle.agent;

import dev.tulle.agent.dns.Asker;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.common.Ip;
import java.net.InetAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Whose question a source address makes it. Immutable.
 *
 * @param byAddress the workloads' addresses, IPv4 and their IPv6 twins
 * @param others whoever has none of them
 */
record Askers(Map<InetAddress, Asker> byAddress, Asker others) {
    /** Nobody is enrolled. */
    static final Askers NONE = new Askers(Map.of(), Asker.OTHERS);

    Askers {
        byAddress = Map.copyOf(byAddress);
    }

    /**
     * Those of some workloads.
     *
     * @param ownAddresses whether each workload has an address of its own
     * @param range6 the first 96 bits of the workloads' IPv6 twins; empty for none
     */
    static Askers of(List<Lease> leases, boolean ownAddresses, String range6) {
        if (!ownAddresses) {
            List<String> namespaces = leases.stream()
                    .map(lease -> lease.spec().namespace())
                    .distinct()
                    .toList();
            return new Askers(Map.of(), namespaces.size() == 1 ? new Asker("", namespaces.getFirst()) : Asker.OTHERS);
        }
        Map<InetAddress, Asker> byAddress = new HashMap<>();
        for (Lease lease : leases) {
            if (lease.live()) {
                Asker asker = new Asker(lease.key(), lease.spec().namespace());
                Ip.parse(lease.addressText()).ifPresent(address -> byAddress.put(address, asker));
                if (!range6.isEmpty()) {
                    Ip.parse(Ip.twin(range6, lease.address())).ifPresent(address -> byAddress.put(address, asker));
                }
            }
        }
        return new Askers(byAddress, Asker.OTHERS);
    }

    /** Who has an address. */
    Asker at(InetAddress address) {
        return byAddress.getOrDefault(address, others);
    }
}
