package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.ServiceKey;
import dev.tulle.agent.datapath.Structs.WorkloadValue;
import dev.tulle.agent.datapath.WantedState.Serving;
import dev.tulle.agent.enrol.EnrolSpec.Splicing;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.common.Cidr;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A client, a server and a proxy for a self-test: an own load of the programs, attached to a control group of its own in
 * which threads of this process play the three, with addresses out of 127.0.0.0/8, which is local on every host. Used on
 * one thread; one at a time in an agent's control group.
 */
final class TrialMesh {
    private static final int CLIENT_HOST = 10;
    private static final int SERVER_HOST = 11;

    /** The client workload's address. */
    static final InetAddress CLIENT = MeshNetwork.address("127.77.0." + CLIENT_HOST);
    /** The server workload's address. */
    static final InetAddress SERVER = MeshNetwork.address("127.77.0." + SERVER_HOST);

    private static final Cidr RANGE = Cidr.of("self-test", "127.77.0.0/16");
    private static final Cidr PREFIX = Cidr.of("self-test", "127.77.0.0/24");
    private static final Cidr SERVICES = Cidr.of("self-test", "198.18.77.0/24");

    private final KernelObject kernel;
    private final KernelMaps maps;
    private final GroupThread client;
    private final GroupThread server;
    private final GroupThread proxy;
    private final Map<Long, WorkloadValue> members;

    private TrialMesh(
            KernelObject kernel,
            GroupThread client,
            GroupThread server,
            GroupThread proxy,
            Map<Long, WorkloadValue> members) {
        this.kernel = kernel;
        this.maps = new KernelMaps(kernel.object());
        this.client = client;
        this.server = server;
        this.proxy = proxy;
        this.members = members;
    }

    /** What is tried in it. */
    interface Trial {
        /** Tries it; empty when everything was as it should be, else the first thing that was not. */
        Optional<String> failure(TrialMesh mesh) throws IOException;
    }

    /**
     * Runs a trial and leaves nothing behind.
     *
     * @param elf the compiled kernel object
     * @param agentGroup the control group that this process is in
     * @param splice whether the splicing programs are attached
     * @param http whether those of kernel HTTP are
     * @return what the trial returns
     */
    static Optional<String> run(Path elf, Cgroups cgroups, String agentGroup, boolean splice, boolean http, Trial trial)
            throws IOException {
        String group = agentGroup + "/selftest";
        try (KernelObject kernel = KernelObject.load(elf, Optional.empty(), true)) {
            GroupThread.makeThreaded(cgroups.directory(group));
            try (GroupThread client = GroupThread.in(cgroups.directory(group + "/client"));
                    GroupThread server = GroupThread.in(cgroups.directory(group + "/server"));
                    GroupThread proxy = GroupThread.in(cgroups.directory(group + "/proxy"))) {
                kernel.attach(cgroups.directory(group), cgroups.directory(group + "/proxy"), splice, false, http);
                InetAddress none = MeshNetwork.none();
                Map<Long, WorkloadValue> members = Map.of(
                        cgroups.id(group + "/client"), new WorkloadValue(1, Structs.ROLE_WORKLOAD, CLIENT, none, 1),
                        cgroups.id(group + "/server"), new WorkloadValue(2, Structs.ROLE_WORKLOAD, SERVER, none, 2),
                        cgroups.id(group + "/proxy"), WorkloadValue.infra(Structs.ROLE_PROXY));
                return trial.failure(new TrialMesh(kernel, client, server, proxy, members));
            } finally {
                cgroups.remove(group, agentGroup);
            }
        }
    }

    KernelObject kernel() {
        return kernel;
    }

    KernelMaps maps() {
        return maps;
    }

    /** Puts services in force. */
    void configure(
            ServerSocketChannel outbound,
            Map<ServiceKey, Serving> services,
            Map<ServiceKey, HttpMaps.Serving> http,
            boolean splice)
            throws IOException {
        int outboundPort = ((InetSocketAddress) outbound.getLocalAddress()).getPort();
        maps.reconcile(new WantedState(
                members,
                Map.of(CLIENT, 1, SERVER, 2),
                Map.of(CLIENT_HOST, 1, SERVER_HOST, 2),
                Map.of(
                        CLIENT_HOST, new WantedState.Tenant(1, Splicing.ALL),
                        SERVER_HOST, new WantedState.Tenant(2, Splicing.ALL)),
                services,
                Map.of(),
                http,
                Map.of(),
                Map.of(),
                Set.of()));
        int flags =
                Structs.FLAG_CAPTURE | Structs.FLAG_BIND | Structs.FLAG_KERNEL_L4 | (splice ? Structs.FLAG_SPLICE : 0);
        maps.configure(KernelDatapath.config(
                new MeshNetwork(RANGE, SERVICES, PREFIX, "", "", outboundPort, 0), flags, 0, 0, 0));
    }

    /** The proxy's port for captured connections. */
    ServerSocketChannel outbound() throws IOException {
        return proxy.call(() -> listen(new InetSocketAddress(MeshNetwork.address("127.0.0.1"), 0)));
    }

    /** Listens as the server does that knows nothing of its address. */
    ServerSocketChannel serve(int port) throws IOException {
        return server.call(() -> listen(new InetSocketAddress(port)));
    }

    /** A port that the server may have. */
    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, SERVER)) {
            return socket.getLocalPort();
        }
    }

    /** Connects from the client workload. */
    SocketChannel connect(InetSocketAddress to) throws IOException {
        return client.call(() -> SocketChannel.open(to));
    }

    /** Connects from the proxy. */
    SocketChannel connectFromProxy(InetSocketAddress to) throws IOException {
        return proxy.call(() -> SocketChannel.open(to));
    }

    private static ServerSocketChannel listen(InetSocketAddress address) throws IOException {
        ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.INET);
        try {
            return channel.bind(address, 8);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }
}
