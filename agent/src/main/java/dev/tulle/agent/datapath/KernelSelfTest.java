package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.EndpointValue;
import dev.tulle.agent.datapath.Structs.ServiceKey;
import dev.tulle.agent.datapath.Structs.WorkloadValue;
import dev.tulle.agent.datapath.WantedState.Serving;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.Cidr;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.Reason;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.TcpDescriptor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Does on loopback what a kernel tier is for, with an own load of the programs attached to a control group of its own, and
 * leaves nothing behind: a wildcard bind gets the workload's address, a connect reaches the endpoint that the kernel
 * chose and shows the caller's address, the proxy reads the original destination; with splicing, bytes skip TCP and
 * arrive whole, readers are told of them in every way, a reader that stalls is waited for, and both ends close in halves.
 *
 * <p>The workloads are threads of this process in threaded control groups, with addresses out of 127.0.0.0/8, which is
 * local on every host. Blocks some tens of milliseconds.
 */
public final class KernelSelfTest {
    private static final Cidr RANGE = Cidr.of("self-test", "127.77.0.0/16");
    private static final Cidr PREFIX = Cidr.of("self-test", "127.77.0.0/24");
    private static final Cidr SERVICES = Cidr.of("self-test", "198.18.77.0/24");
    private static final InetAddress CLIENT = MeshNetwork.address("127.77.0.10");
    private static final InetAddress SERVER = MeshNetwork.address("127.77.0.11");
    private static final InetAddress DIRECT = MeshNetwork.address("198.18.77.1");
    private static final InetAddress PROXIED = MeshNetwork.address("198.18.77.2");

    private final Cgroups cgroups;
    private final String group;
    private final KernelObject kernel;
    private final KernelMaps maps;
    private final boolean splice;

    private KernelSelfTest(Cgroups cgroups, String group, KernelObject kernel, boolean splice) {
        this.cgroups = cgroups;
        this.group = group;
        this.kernel = kernel;
        this.maps = new KernelMaps(kernel.object());
        this.splice = splice;
    }

    /**
     * Tries a tier.
     *
     * @param tier {@link Tier#SPLICE} or {@link Tier#REDIRECT}
     * @param elf the compiled kernel object
     * @param agentGroup the control group that this process is in
     * @return empty when everything was as it should be, else the first thing that was not
     */
    public static Optional<String> failure(Tier tier, Path elf, Cgroups cgroups, String agentGroup) {
        String group = agentGroup + "/selftest";
        boolean splice = tier == Tier.SPLICE;
        try (KernelObject kernel = KernelObject.load(elf, Optional.empty(), true)) {
            GroupThread.makeThreaded(cgroups.directory(group));
            try (GroupThread client = GroupThread.in(cgroups.directory(group + "/client"));
                    GroupThread server = GroupThread.in(cgroups.directory(group + "/server"));
                    GroupThread proxy = GroupThread.in(cgroups.directory(group + "/proxy"))) {
                kernel.attach(cgroups.directory(group), cgroups.directory(group + "/proxy"), splice, false, false);
                return new KernelSelfTest(cgroups, group, kernel, splice).run(client, server, proxy);
            } finally {
                cgroups.remove(group, agentGroup);
            }
        } catch (IOException | BpfException e) {
            return Optional.of("self-test: " + e.getMessage());
        }
    }

    private Optional<String> run(GroupThread client, GroupThread server, GroupThread proxy) throws IOException {
        int port = freePort(SERVER);
        try (ServerSocketChannel outbound =
                        proxy.call(() -> listen(new InetSocketAddress(MeshNetwork.address("127.0.0.1"), 0)));
                SelfTestLog log = new SelfTestLog()) {
            configure(port, localPort(outbound));
            try (ServerSocketChannel listener = server.call(() -> listen(new InetSocketAddress(port)))) {
                InetAddress bound = ((InetSocketAddress) listener.getLocalAddress()).getAddress();
                log.expect("a wildcard bind gets the workload's address", bound.equals(SERVER), "it got " + bound);
                if (log.failed()) {
                    return log.failure();
                }
                try (SocketChannel near = client.call(() -> SocketChannel.open(new InetSocketAddress(DIRECT, port)));
                        SocketChannel far = listener.accept()) {
                    InetAddress source = ((InetSocketAddress) far.getRemoteAddress()).getAddress();
                    log.expect("the server sees the workload's address", source.equals(CLIENT), "it saw " + source);
                    if (!log.failed() && splice) {
                        new SpliceSelfTest(near, far, maps::counters).run(log);
                    }
                }
                if (!log.failed()) {
                    proxied(client, outbound, port, log);
                }
            }
            return log.failure();
        }
    }

    private void proxied(GroupThread client, ServerSocketChannel outbound, int port, SelfTestLog log)
            throws IOException {
        InetSocketAddress dialled = new InetSocketAddress(PROXIED, port);
        try (SocketChannel near = client.call(() -> SocketChannel.open(dialled));
                SocketChannel far = outbound.accept();
                TcpDescriptor descriptor = TcpDescriptor.of(far)) {
            InetSocketAddress original = descriptor.originalDestination();
            log.expect("the proxy reads the original destination", original.equals(dialled), "it read " + original);
            if (!log.failed() && splice) {
                new SpliceSelfTest(near, far, maps::counters).run(log);
            }
        }
    }

    private void configure(int port, int outboundPort) throws IOException {
        MeshNetwork network = new MeshNetwork(RANGE, SERVICES, PREFIX, "", "", outboundPort, 0);
        InetAddress none = MeshNetwork.none();
        Serving direct =
                new Serving(Structs.MODE_KERNEL, Reason.NONE, List.of(new EndpointValue(SERVER, 2, port)), false);
        Serving proxied = new Serving(Structs.MODE_PROXY, Reason.NEEDS_HTTP, List.of(), false);
        maps.reconcile(new WantedState(
                Map.of(
                        cgroups.id(group + "/client"), new WorkloadValue(1, Structs.ROLE_WORKLOAD, CLIENT, none),
                        cgroups.id(group + "/server"), new WorkloadValue(2, Structs.ROLE_WORKLOAD, SERVER, none),
                        cgroups.id(group + "/proxy"), new WorkloadValue(0, Structs.ROLE_PROXY, none, none)),
                Map.of(CLIENT, 1, SERVER, 2),
                Map.of(
                        new ServiceKey(DIRECT, port, Structs.TCP), direct,
                        new ServiceKey(PROXIED, port, Structs.TCP), proxied),
                Map.of(),
                Map.of(),
                Map.of(),
                Set.of()));
        int flags = Structs.FLAG_CAPTURE | Structs.FLAG_BIND | Structs.FLAG_KERNEL_L4;
        flags |= splice ? Structs.FLAG_SPLICE : 0;
        maps.configure(KernelDatapath.config(network, flags, 0));
        if (splice && !(kernel.active(Hook.SK_MSG) && kernel.active(Hook.SKB_VERDICT))) {
            throw new IOException("the splicing programs could not be attached: " + kernel.hooks());
        }
    }

    static ServerSocketChannel listen(InetSocketAddress address) throws IOException {
        ServerSocketChannel channel = ServerSocketChannel.open(java.net.StandardProtocolFamily.INET);
        try {
            return channel.bind(address, 8);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private static int localPort(ServerSocketChannel channel) throws IOException {
        return ((InetSocketAddress) channel.getLocalAddress()).getPort();
    }

    static int freePort(InetAddress address) throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, address)) {
            return socket.getLocalPort();
        }
    }
}
