package dev.tulle.agent.datapath;

import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import java.net.InetAddress;

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

    static InetAddress address(String text) {
        return Ip.parse(text).orElseThrow(() -> new IllegalArgumentException("no IP address: '" + text + "'"));
    }

    /** All zero: "no such address" in every map. */
    static InetAddress none() {
        return Ip.ofBytes(new byte[16]);
    }
}
