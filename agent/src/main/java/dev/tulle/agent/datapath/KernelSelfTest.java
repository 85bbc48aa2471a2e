package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.EndpointValue;
import dev.tulle.agent.datapath.Structs.ServiceKey;
import dev.tulle.agent.datapath.WantedState.Serving;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.Reason;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.TcpDescriptor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Does on loopback what a kernel tier is for, with an own load of the programs attached to a control group of its own, and
 * leaves nothing behind: a wildcard bind gets the workload's address, a connect reaches the endpoint that the kernel
 * chose and shows the caller's address, the proxy reads the original destination; with splicing, bytes skip TCP and
 * arrive whole, readers are told of them in every way, a reader that stalls is waited for, and both ends close in halves.
 * Blocks some tens of milliseconds.
 */
public final class KernelSelfTest {
    private static final InetAddress DIRECT = MeshNetwork.address("198.18.77.1");
    private static final InetAddress PROXIED = MeshNetwork.address("198.18.77.2");

    private final TrialMesh mesh;
    private final boolean splice;

    private KernelSelfTest(TrialMesh mesh, boolean splice) {
        this.mesh = mesh;
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
        boolean splice = tier == Tier.SPLICE;
        try {
            return TrialMesh.run(
                    elf, cgroups, agentGroup, splice, false, mesh -> new KernelSelfTest(mesh, splice).run());
        } catch (IOException | BpfException e) {
            return Optional.of("self-test: " + e.getMessage());
        }
    }

    private Optional<String> run() throws IOException {
        int port = TrialMesh.freePort();
        try (ServerSocketChannel outbound = mesh.outbound();
                SelfTestLog log = new SelfTestLog()) {
            configure(port, outbound);
            try (ServerSocketChannel listener = mesh.serve(port)) {
                InetAddress bound = ((InetSocketAddress) listener.getLocalAddress()).getAddress();
                log.expect(
                        "a wildcard bind gets the workload's address",
                        bound.equals(TrialMesh.SERVER),
                        "it got " + bound);
                if (log.failed()) {
                    return log.failure();
                }
                try (SocketChannel near = mesh.connect(new InetSocketAddress(DIRECT, port));
                        SocketChannel far = listener.accept()) {
                    InetAddress source = ((InetSocketAddress) far.getRemoteAddress()).getAddress();
                    log.expect(
                            "the server sees the workload's address",
                            source.equals(TrialMesh.CLIENT),
                            "it saw " + source);
                    if (!log.failed() && splice) {
                        new SpliceSelfTest(near, far, mesh.maps()::counters).run(log);
                    }
                }
                if (!log.failed()) {
                    proxied(outbound, port, log);
                }
            }
            return log.failure();
        }
    }

    private void proxied(ServerSocketChannel outbound, int port, SelfTestLog log) throws IOException {
        InetSocketAddress dialled = new InetSocketAddress(PROXIED, port);
        try (SocketChannel near = mesh.connect(dialled);
                SocketChannel far = outbound.accept();
                TcpDescriptor descriptor = TcpDescriptor.of(far)) {
            InetSocketAddress original = descriptor.originalDestination();
            log.expect("the proxy reads the original destination", original.equals(dialled), "it read " + original);
            if (!log.failed() && splice) {
                new SpliceSelfTest(near, far, mesh.maps()::counters).run(log);
            }
        }
    }

    private void configure(int port, ServerSocketChannel outbound) throws IOException {
        Serving direct = new Serving(
                Structs.MODE_KERNEL, Reason.NONE, List.of(new EndpointValue(TrialMesh.SERVER, 2, port)), false);
        Serving proxied = new Serving(Structs.MODE_PROXY, Reason.NEEDS_HTTP, List.of(), false);
        mesh.configure(
                outbound,
                Map.of(
                        new ServiceKey(DIRECT, port, Structs.TCP), direct,
                        new ServiceKey(PROXIED, port, Structs.TCP), proxied),
                Map.of(),
                splice);
        KernelObject kernel = mesh.kernel();
        if (splice && !(kernel.active(Hook.SK_MSG) && kernel.active(Hook.SKB_VERDICT))) {
            throw new IOException("the splicing programs could not be attached: " + kernel.hooks());
        }
    }
}
