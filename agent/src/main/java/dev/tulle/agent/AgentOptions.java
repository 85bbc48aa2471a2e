package dev.tulle.agent;

import dev.tulle.agent.datapath.KernelDatapath.OutboundPolicy;
import dev.tulle.agent.join.LiveMembership;
import dev.tulle.agent.ports.MeshPort;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import dev.tulle.common.LocalUsers;
import dev.tulle.model.Locality;
import dev.tulle.xds.ControlAddress;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * How a node agent runs. Every name, path, range and port can be changed, so that several meshes run side by side.
 * Immutable; {@link #builder} starts from the defaults.
 *
 * @param meshName names the control group, the nftables table and the pins; default {@code tulle}
 * @param node the node's name, unique in the mesh and stable; default the host's name
 * @param runDirectory sockets and pid files; default {@code /run/tulle}
 * @param stateDirectory leases and last-good state; default {@code /var/lib/tulle}
 * @param pinDirectory on a bpf file system; default {@code /sys/fs/bpf/tulle}
 * @param bpfObject the compiled kernel object; default {@code bpf/build/tulle.bpf.o} under the working directory
 * @param range workloads' addresses; default {@code 100.64.0.0/10}
 * @param serviceRange services' virtual addresses; default {@code 240.240.0.0/16}
 * @param range6 the first 96 bits of workloads' IPv6 twins; default {@code fd74:756c:6c65::}; empty: no IPv6
 * @param serviceRange6 the first 96 bits of services' IPv6 twins; default {@code fd74:756c:6c66::}
 * @param domain the mesh's DNS domain; default {@code cluster.local}
 * @param membership the mesh of another host that this one has joined; default none: the control plane is on this host
 * @param nodeAddress where other nodes reach this one; default empty: it is reached by none
 * @param tunnelPort the node proxy's port for tunnels of other nodes; default 15008
 * @param outboundPort the node proxy's port for captured connections; default 15001
 * @param dnsPort the agent's DNS port; default 15053
 * @param explicitPort the node proxy's port as an HTTP proxy; default 15080
 * @param metricsPort the agent's metrics and readiness; default 15020; 0: none
 * @param proxyMetricsPort the node proxy's metrics, read for reports; default 15090
 * @param controlMetricsPort the control plane's metrics, not to be published; default 15014
 * @param proxyReadinessPort the node proxy's readiness; default 15021
 * @param tier the tier to use and no other; default empty: the best that passes its self-test
 * @param cgroupRoot the cgroup v2 mount point; default empty: found among the mounts
 * @param users the node proxy's user, who may use {@code node.sock}, and the group that administers the mesh; default
 *     65534 and none
 * @param outboundPolicy what happens to destinations outside the mesh; default {@link OutboundPolicy#ALLOW_ANY}
 * @param resolverFile the host's resolver configuration; default {@code /etc/resolv.conf}
 * @param resolverPort the port of the host's resolvers; default 53
 * @param selfTest whether a tier is tried before it is used; default true
 * @param kernelHttp whether the kernel may forward requests by itself where it can; default true
 * @param locality where the node is; default: not known
 * @param httpSample of the requests that the kernel forwards, one in how many is reported; default 1,000; 1: all; 0: none
 * @param accessLog where these are written as lines: a file, {@code -} for the standard output; default empty: nowhere
 * @param drainTime how long connections go on whose endpoint its service has lost; default 45 s
 * @param life a pipe whose other end is this process's and that of whoever would start its successor: as long as one of
 *     them lives, look-ups wait for an agent; default empty: they are refused while none runs
 */
public record AgentOptions(
        String meshName,
        String node,
        Path runDirectory,
        Path stateDirectory,
        Path pinDirectory,
        Path bpfObject,
        Cidr range,
        Cidr serviceRange,
        String range6,
        String serviceRange6,
        String domain,
        Optional<LiveMembership> membership,
        String nodeAddress,
        int tunnelPort,
        int outboundPort,
        int dnsPort,
        int explicitPort,
        int metricsPort,
        int proxyMetricsPort,
        int controlMetricsPort,
        int proxyReadinessPort,
        Optional<Tier> tier,
        Optional<Path> cgroupRoot,
        LocalUsers users,
        OutboundPolicy outboundPolicy,
        Path resolverFile,
        int resolverPort,
        boolean selfTest,
        boolean kernelHttp,
        Locality locality,
        int httpSample,
        String accessLog,
        Duration drainTime,
        Optional<Path> life) {
    private static final String XDS_SOCKET = "xds.sock";

    public AgentOptions {
        if (!meshName.matches("[a-z][a-z0-9-]{0,39}")) {
            throw new IllegalArgumentException(
                    "mesh name '" + meshName + "': expected a lower-case letter, then at most 39 letters, digits, '-'");
        }
        if (!node.matches("[A-Za-z0-9]([-A-Za-z0-9.]{0,252})")) {
            throw new IllegalArgumentException("node name '" + node + "': expected a host name");
        }
        if (!nodeAddress.isEmpty() && Ip.parse(nodeAddress).isEmpty()) {
            throw new IllegalArgumentException(
                    "node address '" + nodeAddress + "': expected an IP address, where other nodes reach this one");
        }
        if (!range6.isEmpty()
                && (Ip.parse(range6).isEmpty() || Ip.parse(serviceRange6).isEmpty())) {
            throw new IllegalArgumentException("IPv6 prefixes '" + range6 + "' and '" + serviceRange6
                    + "': expected IPv6 addresses such as fd74:756c:6c65::");
        }
        if (httpSample < 0) {
            throw new IllegalArgumentException("http sample " + httpSample + ": expected 0 (none) or more");
        }
        if (range.bits() > 24) {
            throw new IllegalArgumentException("workload range " + range + ": expected a /24 or larger");
        }
        for (int port : new int[] {tunnelPort, outboundPort, dnsPort, explicitPort, metricsPort, resolverPort}) {
            if (port < 0 || port > 65535) {
                throw new IllegalArgumentException("port " + port + ": expected 0 to 65535");
            }
        }
    }

    /** The defaults, to be changed. */
    public static Builder builder() {
        return new Builder();
    }

    /** The mesh's own control group, relative to the hierarchy. */
    public String meshGroup() {
        return "/" + meshName;
    }

    /** The control group of what keeps the sockets for look-ups while no agent runs. */
    String keeperGroup() {
        return meshGroup() + "/keeper";
    }

    /** The user of the node proxy. */
    public int proxyUid() {
        return users.proxy();
    }

    /** The agent's local API. */
    public Path agentSocket() {
        return runDirectory.resolve("agent.sock");
    }

    /** Where the agent finds the control plane. */
    ControlAddress control() {
        return membership.map(LiveMembership::control).orElseGet(() -> ControlAddress.of(xdsSocket()));
    }

    /** Where the node's proxies find the control plane; if that is on another host, the agent passes on what they say. */
    public Path xdsSocket() {
        return runDirectory.resolve(XDS_SOCKET);
    }

    /** What the node proxy asks the agent on. */
    public Path nodeSocket() {
        return runDirectory.resolve("node.sock");
    }

    /** Where the node's proxies get certificates and keys. */
    public Path sdsSocket() {
        return runDirectory.resolve("sds.sock");
    }

    /** Where workloads get their own certificate and key. */
    public Path workloadSocket() {
        return runDirectory.resolve("workload.sock");
    }

    /** Ports that the mesh uses itself. */
    Set<Integer> ownPorts() {
        Set<Integer> ports =
                new HashSet<>(List.of(controlMetricsPort, outboundPort, dnsPort, explicitPort, metricsPort));
        ports.addAll(List.of(proxyMetricsPort, proxyReadinessPort, tunnelPort));
        ports.addAll(gatewayPorts());
        return ports;
    }

    /** Readiness and metrics of the gateway: the numbers after the proxy's. */
    private List<Integer> gatewayPorts() {
        return List.of(proxyReadinessPort + 1, proxyMetricsPort + 1);
    }

    /** Where captured connections arrive, and in the tier without capture those that programs send to the proxy. */
    List<InetSocketAddress> proxyAddresses(Tier tier, boolean ipv6) {
        List<InetSocketAddress> addresses = new ArrayList<>();
        addresses.add(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), outboundPort));
        if (ipv6) {
            addresses.add(new InetSocketAddress(InetAddress.ofLiteral("::1"), outboundPort));
        }
        if (tier == Tier.EXPLICIT) {
            addresses.add(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), explicitPort));
        }
        return addresses;
    }

    /** The ports of the mesh on the host's loopback addresses that nobody else may have. */
    List<MeshPort> meshPorts() {
        List<MeshPort> ports = new ArrayList<>(List.of(
                MeshPort.held(outboundPort),
                MeshPort.control(controlMetricsPort),
                MeshPort.kept(explicitPort, false),
                MeshPort.kept(proxyReadinessPort, false),
                MeshPort.kept(proxyMetricsPort, false),
                MeshPort.kept(dnsPort, false),
                MeshPort.kept(dnsPort, true)));
        gatewayPorts().forEach(port -> ports.add(MeshPort.kept(port, false)));
        if (metricsPort != 0) {
            ports.add(MeshPort.kept(metricsPort, false));
        }
        return ports;
    }

    private static String hostName() {
        try {
            String name = InetAddress.getLocalHost().getHostName();
            return name.isEmpty() ? "localhost" : name;
        } catch (UnknownHostException e) {
            return "localhost";
        }
    }

    /** Changes options one by one; not thread-safe. */
    public static final class Builder {
        private String meshName = "tulle";
        private Optional<String> node = Optional.empty();
        private Path runDirectory = Path.of("/run/tulle");
        private Path stateDirectory = Path.of("/var/lib/tulle");
        private Path pinDirectory = Path.of("/sys/fs/bpf/tulle");
        private Path bpfObject = Path.of("bpf/build/tulle.bpf.o");
        private Cidr range = Cidr.of("workload range", "100.64.0.0/10");
        private Cidr serviceRange = Cidr.of("service range", "240.240.0.0/16");
        private String range6 = "fd74:756c:6c65::";
        private String serviceRange6 = "fd74:756c:6c66::";
        private String domain = "cluster.local";
        private Optional<LiveMembership> membership = Optional.empty();
        private String nodeAddress = "";
        private int tunnelPort = 15008;
        private int outboundPort = 15001;
        private int dnsPort = 15053;
        private int explicitPort = 15080;
        private int metricsPort = 15020;
        private int proxyMetricsPort = 15090;
        private int controlMetricsPort = 15014;
        private int proxyReadinessPort = 15021;
        private Optional<Tier> tier = Optional.empty();
        private Optional<Path> cgroupRoot = Optional.empty();
        private LocalUsers users = new LocalUsers(65534, "");
        private OutboundPolicy outboundPolicy = OutboundPolicy.ALLOW_ANY;
        private Path resolverFile = Path.of("/etc/resolv.conf");
        private int resolverPort = 53;
        private boolean selfTest = true;
        private boolean kernelHttp = true;
        private Locality locality = Locality.NONE;
        private int httpSample = 1_000;
        private String accessLog = "";
        private Duration drainTime = Duration.ofSeconds(45);
        private Optional<Path> life = Optional.empty();

        private Builder() {}

        public Builder meshName(String value) {
            meshName = value;
            return this;
        }

        public Builder node(String value) {
            node = Optional.of(value);
            return this;
        }

        public Builder runDirectory(Path value) {
            runDirectory = value;
            return this;
        }

        public Builder stateDirectory(Path value) {
            stateDirectory = value;
            return this;
        }

        public Builder pinDirectory(Path value) {
            pinDirectory = value;
            return this;
        }

        public Builder bpfObject(Path value) {
            bpfObject = value;
            return this;
        }

        public Builder range(String value) {
            range = Cidr.of("workload range", value);
            return this;
        }

        public Builder serviceRange(String value) {
            serviceRange = Cidr.of("service range", value);
            return this;
        }

        public Builder range6(String workloads, String services) {
            range6 = workloads;
            serviceRange6 = services;
            return this;
        }

        public Builder domain(String value) {
            domain = value;
            return this;
        }

        /** Empty: the control plane is on this host. */
        public Builder membership(Optional<LiveMembership> value) {
            membership = value;
            return this;
        }

        /** Empty: other nodes reach none of its workloads. */
        public Builder nodeAddress(String value) {
            nodeAddress = value;
            return this;
        }

        public Builder tunnelPort(int value) {
            tunnelPort = value;
            return this;
        }

        public Builder outboundPort(int value) {
            outboundPort = value;
            return this;
        }

        public Builder dnsPort(int value) {
            dnsPort = value;
            return this;
        }

        public Builder explicitPort(int value) {
            explicitPort = value;
            return this;
        }

        public Builder metricsPort(int value) {
            metricsPort = value;
            return this;
        }

        public Builder proxyMetricsPort(int value) {
            proxyMetricsPort = value;
            return this;
        }

        /** The control plane's metrics, and the node proxy's readiness. */
        public Builder otherPorts(int controlMetrics, int proxyReadiness) {
            controlMetricsPort = controlMetrics;
            proxyReadinessPort = proxyReadiness;
            return this;
        }

        /** Empty: the best that passes its self-test. */
        public Builder tier(Optional<Tier> value) {
            tier = value;
            return this;
        }

        public Builder cgroupRoot(Path value) {
            cgroupRoot = Optional.of(value);
            return this;
        }

        public Builder users(LocalUsers value) {
            users = value;
            return this;
        }

        public Builder outboundPolicy(OutboundPolicy value) {
            outboundPolicy = value;
            return this;
        }

        public Builder resolver(Path file, int port) {
            resolverFile = file;
            resolverPort = port;
            return this;
        }

        /** Empty: look-ups are refused while no agent runs. */
        public Builder life(Optional<Path> value) {
            life = value;
            return this;
        }

        public Builder drainTime(Duration value) {
            drainTime = value;
            return this;
        }

        public Builder selfTest(boolean value) {
            selfTest = value;
            return this;
        }

        /** Whether the kernel may forward requests by itself. */
        public Builder kernelHttp(boolean value) {
            kernelHttp = value;
            return this;
        }

        /** As {@link Locality#parse} reads it; throws IllegalArgumentException when it cannot. */
        public Builder locality(String value) {
            locality = Locality.parse(value);
            return this;
        }

        /** One in how many of the requests that the kernel forwards is reported; 0: none. */
        public Builder httpSample(int oneIn) {
            httpSample = oneIn;
            return this;
        }

        /** Where reported requests are written; empty: nowhere. */
        public Builder accessLog(String target) {
            accessLog = target;
            return this;
        }

        /** The options; throws IllegalArgumentException naming the first that is wrong. */
        public AgentOptions build() {
            return new AgentOptions(
                    meshName,
                    node.orElseGet(AgentOptions::hostName),
                    runDirectory,
                    stateDirectory,
                    pinDirectory,
                    bpfObject,
                    range,
                    serviceRange,
                    range6,
                    serviceRange6,
                    domain,
                    membership,
                    nodeAddress,
                    tunnelPort,
                    outboundPort,
                    dnsPort,
                    explicitPort,
                    metricsPort,
                    proxyMetricsPort,
                    controlMetricsPort,
                    proxyReadinessPort,
                    tier,
                    cgroupRoot,
                    users,
                    outboundPolicy,
                    resolverFile,
                    resolverPort,
                    selfTest,
                    kernelHttp,
                    locality,
                    httpSample,
                    accessLog,
                    drainTime,
                    life);
        }
    }
}
