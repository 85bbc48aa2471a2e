package dev.tulle.agent.datapath;

import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.ports.MeshPort;
import dev.tulle.agent.service.Guards;
import dev.tulle.agent.service.ServiceView;
import dev.tulle.agent.tier.HookStatus;
import dev.tulle.agent.tier.KernelHttp;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.Reason;
import dev.tulle.kernel.TcpListener;
import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One way to bring connections to where they should go. Owner thread only. Level-triggered: {@link #apply} brings whatever
 * is there to what is wanted, and may be called at any time.
 */
public interface Datapath extends AutoCloseable {
    /** The tier that it is. */
    Tier tier();

    /**
     * Makes the host match.
     *
     * @param network the mesh's addresses
     * @param leases the workloads of this node
     * @param services the services that they use
     * @param guards what is known of the workloads' authorization policies
     * @throws IOException when the host refuses; what was in force before stays as far as possible
     */
    void apply(MeshNetwork network, List<Lease> leases, List<ServiceView> services, Guards guards) throws IOException;

    /**
     * Makes the kernel keep the mesh's own ports from everybody else, where it can.
     *
     * @param ports all of them
     * @param listeners the sockets of those that are held
     */
    default void keepPorts(List<MeshPort> ports, List<TcpListener> listeners) {}

    /** Its hooks, for people. */
    List<HookStatus> hooks();

    /** What became of an earlier agent's state that could not be used as it was, one sentence each. */
    default List<String> takeover() {
        return List.of();
    }

    /** Whether the kernel forwards requests. */
    default KernelHttp http() {
        return KernelHttp.off(Reason.HTTP_HOOKS, "tier " + tier().word() + " has no programs for it");
    }

    /** True when the kernel refuses connections to this node's workloads that their policies do not allow. */
    default boolean enforcesPolicies() {
        return false;
    }

    /** Connections that the kernel has refused since this agent's start, by policy. */
    default Map<String, Long> policyDenials() {
        return Map.of();
    }

    /** What the kernel has forwarded of requests since its maps were made. */
    default List<HttpCount> httpCounts() {
        return List.of();
    }

    /** How requests to the endpoints that the kernel knows ended. */
    default List<HttpOutcome> httpOutcomes() {
        return List.of();
    }

    /** Removes what {@link #httpCounts} says of pairs of workloads that are both gone. */
    default void forgetHttpCounts(Set<Integer> workloads) {}

    /** The addresses of the workloads that the kernel knows now, by the number of their group: at first an earlier agent's. */
    default Map<Long, Integer> enrolledBefore() {
        return Map.of();
    }

    /** What the kernel has balanced of connections since its maps were made. */
    default List<TcpCount> tcpCounts() {
        return List.of();
    }

    /** Removes what {@link #tcpCounts} says of the same workloads and services as these. */
    default void forgetTcpCounts(Collection<TcpCount> counts) {}

    /** The host name of the service with this number in the kernel's maps; empty when it was never served. */
    default String serviceOf(int number) {
        return "";
    }

    /** True when {@link #apply} should be called again soon, to remove what nothing uses any more. */
    default boolean lingers() {
        return false;
    }

    /** Counters by reason number; empty where the kernel counts nothing. */
    long[] counters();

    /** What workloads have sent and received, by their numbers; empty where the kernel counts nothing. */
    default Map<Integer, WorkloadTraffic> traffic(List<Lease> leases) {
        return Map.of();
    }

    /** Closes connections whose endpoint's drain time is over; to be called every second. */
    default void drain() {}

    /** Gives up this process's hold; what is in force stays in force. */
    @Override
    void close();
}
