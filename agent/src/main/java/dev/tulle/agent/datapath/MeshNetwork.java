package dev.tulle.agent.datapath;

import dev.tulle.agent.enrol.EnrolRequest;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import dev.tulle.model.Workload.WorkloadPort;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The addresses of the mesh as seen from one node.
 *
 * @param range the range of all workloads
 * @param services the range of service addresses
 * @param prefix the node's own part of the range
 * @param range6 the first 96 bits of workloads' IPv6 twins in text form; empty where IPv6 is off
 * @param services6 the same of service addresses
 * @param outboundPort the node proxy's port for captured connections, on 127.0.0.1 and ::1
 * @param dnsPort the agent's DNS port, likewise
 */
public record MeshNetwork(
        Cidr range, Cidr services, Cidr prefix, String range6, String services6, int outboundPort, int dnsPort) {
    private static final int HOST = 1;
    private static final int PROXY = 2;
    private static final int AGENT = 3;

    /** From the outbound port to the first of the ports behind: 15001 and 15100. */
    private static final int BEHIND = 99;

    private static final int LAST_OF_ALL = 65_535;

    /** True when IPv6 is in use. */
    public boolean ipv6() {
        return !range6.isEmpty();
    }

    /** The node's own mesh address: callers outside every workload arrive from it. */
    public String hostAddress() {
        return Ip.text4(prefix.host(HOST));
    }

    /** The node proxy's source address. */
    public String proxyAddress() {
        return Ip.text4(prefix.host(PROXY));
    }

    /** The agent's source address. */
    public String agentAddress() {
        return Ip.text4(prefix.host(AGENT));
    }

    /** What tells an address of the node's prefix from the others: its place in the kernel's arrays of addresses. */
    int hostPart(int address) {
        return address & ~prefix.mask();
    }

    /** The IPv6 twin of a workload's address; the unspecified address where IPv6 is off. */
    InetAddress twin(int address) {
        return ipv6() ? address(Ip.twin(range6, address)) : none();
    }

    /**
     * The port that a workload's sockets for one of its declared ports are bound to in truth, at its own address, so that
     * the host can use the declared one.
     *
     * @param index the port's place among those that the workload declares
     * @return 0 where there is none: the sockets are bound to the declared port itself
     */
    public int portBehind(int index) {
        int port = outboundPort + BEHIND + index;
        return port <= LAST_OF_ALL ? port : 0;
    }

    /** The last port of a mesh with this outbound port: the one behind the last that a workload may declare. */
    public static int lastPort(int outboundPort) {
        return Math.min(outboundPort + BEHIND + EnrolRequest.PORTS_MAX - 1, LAST_OF_ALL);
    }

    /** Where a workload's sockets are reached, by what they are bound to behind the ports that it declares. */
    public Map<InetSocketAddress, InetSocketAddress> fronts(Lease lease) {
        Map<InetSocketAddress, InetSocketAddress> fronts = new HashMap<>();
        List<WorkloadPort> ports = lease.spec().ports();
        for (InetAddress own : addresses(lease)) {
            for (int i = 0; i < ports.size(); i++) {
                fronts.put(
                        new InetSocketAddress(own, portBehind(i)),
                        new InetSocketAddress(own, ports.get(i).number()));
            }
        }
        return fronts;
    }

    /** A workload's own addresses, of one or both families. */
    public List<InetAddress> addresses(Lease lease) {
        InetAddress four = address(lease.addressText());
        return ipv6() ? List.of(four, twin(lease.address())) : List.of(four);
    }

    static InetAddress address(String text) {
        return Ip.parse(text).orElseThrow(() -> new IllegalArgumentException("no IP address: '" + text + "'"));
    }

    /** All zero: "no such address" in every map. */
    static InetAddress none() {
        return Ip.ofBytes(new byte[16]);
    }
}
