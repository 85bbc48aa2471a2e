package dev.tulle.proxy;

import dev.tulle.common.Cidr;
import dev.tulle.common.LocalApiServer;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Endpoint;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Secret;
import dev.tulle.model.Workload;
import dev.tulle.proxy.hbone.TunnelTarget;
import dev.tulle.proxy.lease.SocketHttpOptions;
import dev.tulle.proxy.share.Budget;
import dev.tulle.proxy.transport.Pki;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Two nodes on the loopback device: callers are at {@link #near}, the workload {@code web} at {@link #far}, which takes
 * tunnels. Each has its control plane in memory, its agent and its certificates.
 */
final class TunnelNodes implements AutoCloseable {
    static {
        Leaks.watch();
    }

    /** The address of {@code web}. */
    static final String WEB = "127.0.1.7";

    static final String TRUST_DOMAIN = "cluster.local";
    static final String NEAR = "node";
    static final String FAR = "far";

    /** One of the two. */
    record Node(NodeProxy proxy, FakeXds control, FakeXds agent) {
        double sum(String... words) {
            return proxy.metrics()
                    .expose()
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .filter(line -> Arrays.stream(words).allMatch(line::contains))
                    .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                    .sum();
        }
    }

    final Pki pki;
    final Node near;
    final Node far;

    /** Where callers connect. */
    final int port;

    /** Where the far node takes tunnels. */
    final int tunnels;

    /** Who the next callers are. */
    volatile String caller = NEAR + "/default/me";

    /** Where the near node finds the far one, and as whom. */
    volatile TunnelTarget target;

    private final Meshes mesh;
    private final int webPort;
    private final List<AutoCloseable> open = new ArrayList<>();

    TunnelNodes(Path directory, int web, Meshes mesh, AuthorizationPolicy... policies) throws IOException {
        this.mesh = mesh;
        this.webPort = web;
        pki = new Pki(Files.createDirectories(directory.resolve("pki"))).authority("root");
        FakeXds agentOfFar = agent(proxyOf(FAR));
        FakeXds controlOfFar = new FakeXds();
        controlOfFar.set(farState(web, policies));
        NodeProxy farProxy = NodeProxy.start(
                options(FAR).build(),
                controlOfFar,
                SocketHttpOptions::new,
                Budget.ofProcess(),
                agentOfFar,
                endpoint -> null);
        open.add(farProxy);
        far = new Node(farProxy, controlOfFar, agentOfFar);
        tunnels = farProxy.listenInbound("127.0.0.1", 0);
        target = new TunnelTarget(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), tunnels), Set.of(proxyOf(FAR)));

        Path whois = directory.resolve("node.sock");
        open.add(LocalApiServer.start(whois, (request, replies) -> replies.send(Whois.answer(caller))));
        FakeXds agentOfNear = agent(workload("me"), workload("you"), proxyOf(NEAR));
        FakeXds controlOfNear = new FakeXds();
        controlOfNear.set(withFar(at(WEB, mesh.build()), web));
        NodeProxy nearProxy = NodeProxy.start(
                options(NEAR).nodeSocket(whois).build(),
                controlOfNear,
                SocketHttpOptions::new,
                Budget.ofProcess(),
                agentOfNear,
                endpoint -> endpoint.address().equals(WEB) ? target : null);
        open.add(nearProxy);
        near = new Node(nearProxy, controlOfNear, agentOfNear);
        port = nearProxy.listenToward("127.0.0.1", 0, new InetSocketAddress(Meshes.VIP, Meshes.PORT));
    }

    private static ProxyOptions.Builder options(String node) {
        return ProxyOptions.builder()
                .nodeId(node)
                .workers(1)
                .outbound(List.of(), -1)
                .explicit("127.0.0.1", -1)
                .probes("127.0.0.1", 0, 0)
                .range(Cidr.of("workload range", "127.0.1.0/24"))
                .outboundPolicy(ProxyOptions.OutboundPolicy.REGISTRY_ONLY)
                .onDemandTimeout(Duration.ofSeconds(2))
                .drain(Duration.ofSeconds(5));
    }

    /** Opens another port where callers connect. */
    void listen(int further) throws IOException {
        near.proxy().listenToward("127.0.0.1", further, new InetSocketAddress(Meshes.VIP, Meshes.PORT));
    }

    /** From now on the near node finds the far one there. */
    void tunnelTo(TunnelTarget other) {
        target = other;
        // Whatever is said of the cluster makes the proxy ask for the way anew.
        near.control().set(MeshState.EMPTY);
        near.control().set(withFar(at(WEB, mesh.build()), webPort));
    }

    static SpiffeId workload(String account) {
        return SpiffeId.workload(TRUST_DOMAIN, "default", account);
    }

    static SpiffeId proxyOf(String node) {
        return SpiffeId.proxy(TRUST_DOMAIN, node);
    }

    /** An agent that has certificates of these. */
    private FakeXds agent(SpiffeId... identities) throws IOException {
        FakeXds agent = new FakeXds();
        agent.give(new Secret.TrustedRoots(Secret.ROOTS, Files.readString(pki.certificate("root"))));
        for (SpiffeId identity : identities) {
            agent.give(certificate(identity, "root"));
        }
        return agent;
    }

    /** A new certificate. */
    Secret certificate(SpiffeId identity, String by) throws IOException {
        return certificate(identity, identity.toString(), by);
    }

    /** One that is given for an identity and is for another name. */
    Secret certificate(SpiffeId asked, String uri, String by) throws IOException {
        String name = "leaf" + System.nanoTime();
        pki.identity(name, by, uri);
        return new Secret.IdentityCertificate(
                asked.toString(), Files.readString(pki.certificate(name)), Files.readString(pki.key(name)));
    }

    /** What the far node's control plane says. */
    static MeshState farState(int web, AuthorizationPolicy... policies) {
        return farState(web, AppProtocol.AUTO, policies);
    }

    static MeshState farState(int web, AppProtocol protocol, AuthorizationPolicy... policies) {
        Meshes mesh = Meshes.mesh().policies(policies).workload(web(FAR, web, protocol, policies));
        return mesh.workload(web("elsewhere", web, protocol).withPolicies(List.of()))
                .build();
    }

    private static Workload web(String node, int port, AppProtocol protocol, AuthorizationPolicy... policies) {
        return new Workload(
                        node + "/default/web-" + port,
                        "web-" + port,
                        "default",
                        "web",
                        node,
                        List.of(node.equals(FAR) ? WEB : "127.0.1.9"),
                        Map.of(),
                        List.of("web"),
                        List.of(new Workload.WorkloadPort(port, protocol)),
                        true,
                        ResourceRef.DEFAULT)
                .withPolicies(
                        Arrays.stream(policies).map(AuthorizationPolicy::name).toList());
    }

    /** The same, and who is far. */
    private static MeshState withFar(MeshState state, int web) {
        Map<String, Workload> all = new java.util.HashMap<>(state.workloads());
        Workload there = web(FAR, web, AppProtocol.AUTO).reachedAt("192.0.2.1");
        all.put(there.uid(), there);
        return new MeshState(
                state.services(),
                all,
                state.listeners(),
                state.routes(),
                state.clusters(),
                state.endpoints(),
                state.policies());
    }

    /** The same with every endpoint at another address. */
    static MeshState at(String address, MeshState state) {
        Map<String, dev.tulle.model.EndpointSet> moved = new java.util.HashMap<>();
        state.endpoints()
                .forEach((name, set) -> moved.put(
                        name,
                        new dev.tulle.model.EndpointSet(
                                name,
                                set.endpoints().stream()
                                        .map(e -> new Endpoint(
                                                address, e.port(), e.weight(), true, e.workload(), e.namespace()))
                                        .toList())));
        return new MeshState(
                state.services(),
                state.workloads(),
                state.listeners(),
                state.routes(),
                state.clusters(),
                moved,
                state.policies());
    }

    @Override
    public void close() throws IOException {
        for (AutoCloseable one : open.reversed()) {
            try {
                one.close();
            } catch (Exception e) {
                throw new IOException(e);
            }
        }
        Leaks.check();
    }
}
