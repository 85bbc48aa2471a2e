package dev.tulle.agent.datapath;

/**
 * What a workload has sent and received since it got its address.
 *
 * @param meshSent bytes on connections to workloads and the proxy of this host, payload only
 * @param meshReceived likewise
 * @param wireSent bytes of packets that left by a real interface
 * @param wireReceived likewise
 * @param wireSentPackets packets that left by a real interface
 * @param wireReceivedPackets likewise
 * @param opened connections of the mesh that it began
 * @param accepted connections of the mesh that it took
 * @param connections those to or from other workloads that live now
 */
public record WorkloadTraffic(
        long meshSent,
        long meshReceived,
        long wireSent,
        long wireReceived,
        long wireSentPackets,
        long wireReceivedPackets,
        long opened,
        long accepted,
        int connections) {
    /** Nothing yet. */
    public static final WorkloadTraffic NONE = new WorkloadTraffic(0, 0, 0, 0, 0, 0, 0, 0, 0);
}
