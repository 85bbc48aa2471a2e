package dev.tulle.agent;

import dev.tulle.agent.datapath.HttpSampling;
import dev.tulle.agent.datapath.MeshNetwork;
import dev.tulle.agent.dns.DnsResolver;
import dev.tulle.agent.dns.DnsServer;
import dev.tulle.agent.dns.MeshNames;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.HostNetwork;
import dev.tulle.agent.identity.CertificateSource;
import dev.tulle.agent.identity.LocalIdentities;
import dev.tulle.agent.identity.RemoteAuthority;
import dev.tulle.agent.join.ControlRelay;
import dev.tulle.agent.join.LiveMembership;
import dev.tulle.agent.join.Renewal;
import dev.tulle.agent.ports.ClientPorts;
import dev.tulle.agent.ports.DnsPorts;
import dev.tulle.agent.ports.HeldPorts;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.LocalApiServer;
import dev.tulle.common.LocalRefusals;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.model.Caller;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.xds.RegistrationClient;
import dev.tulle.xds.RegistrationOptions;
import dev.tulle.xds.XdsClient;
import dev.tulle.xds.XdsClientOptions;
import dev.tulle.xds.XdsClients;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The node agent: enrols workloads, keeps the kernel's data path, answers DNS and the local APIs. Thread-safe.
 *
 * <p>Closing ends the process's part only: what is captured stays captured, so that the next agent takes over.
 * {@link #detachAll} removes every trace.
 */
public final class NodeAgent implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(NodeAgent.class.getName());

    /** How often the workloads' groups are looked at. */
    private static final Duration SWEEP = Duration.ofMillis(250);

    /** How often connections to endpoints that are gone are looked at. */
    private static final Duration DRAIN = Duration.ofSeconds(1);

    /** How often everything is compared with the host, whether or not something changed. */
    private static final Duration RECONCILE = Duration.ofSeconds(10);

    private final AgentOptions options;
    private final AgentState state;
    private final Deque<AutoCloseable> parts;
    private final AtomicBoolean closed = new AtomicBoolean();
    private final CompletableFuture<List<String>> detached = new CompletableFuture<>();

    private NodeAgent(AgentOptions options, AgentState state, Deque<AutoCloseable> parts) {
        this.options = options;
        this.state = state;
        this.parts = parts;
    }

    /**
     * Starts an agent. Returns once the data path is in force and the APIs answer; the control plane may come later.
     *
     * @throws IOException with one sentence: what the host lacks, which port is taken, or that another agent runs
     */
    public static NodeAgent start(AgentOptions options) throws IOException {
        return start(options, new ControlLinks() {
            @Override
            public XdsClient xds() {
                return XdsClients.connect(new XdsClientOptions(options.control(), options.node(), "agent"));
            }

            @Override
            public RegistrationClient registration(
                    RegistrationOptions registration, RegistrationClient.Listener listener) {
                return XdsClients.registerLater(registration, listener);
            }

            @Override
            public CertificateSource certificates() {
                return new RemoteAuthority(options.control());
            }
        });
    }

    static NodeAgent start(AgentOptions options, ControlLinks links) throws IOException {
        Deque<AutoCloseable> parts = new ArrayDeque<>();
        try {
            return start(options, links, parts);
        } catch (IOException | RuntimeException e) {
            closeAll(parts);
            throw e;
        }
    }

    private static NodeAgent start(AgentOptions options, ControlLinks links, Deque<AutoCloseable> parts)
            throws IOException {
        HostSetup host = HostSetup.prepare(options);
        parts.push(host);
        HeldPorts ports =
                HeldPorts.adopt(options.proxyUid(), options.runDirectory().resolve(HeldPorts.HAND_OVER));
        parts.push(ports);
        HeldPorts edge =
                HeldPorts.adopt(options.proxyUid(), options.runDirectory().resolve(HeldPorts.GATEWAY_HAND_OVER));
        parts.push(edge);
        DnsPorts names = DnsPorts.take(dnsAddresses(), options.dnsPort(), host.cgroups(), options.keeperGroup());
        parts.push(names);
        ClientPorts.warn(options.outboundPort(), MeshNetwork.lastPort(options.outboundPort()));
        host.inProxyGroup(() -> {
            holdAll(ports, options.proxyAddresses(Tier.REDIRECT, HostNetwork.hasIpv6()));
            // Not from the agent's group: killed a moment later, it would leave there what looks like an agent.
            names.keep(options.life(), host.cgroups(), options.keeperGroup());
        });
        Flows flows = new Flows();
        LocalRefusals refusals = new LocalRefusals();
        MetricRegistry metrics = new MetricRegistry();
        SampledRequests samples = new SampledRequests(options.httpSample(), options.accessLog(), metrics, flows::add);
        parts.push(samples);
        ChosenTier tier = new TierChooser(
                        options,
                        host.cgroups(),
                        selfTests(options, host),
                        new HttpSampling(options.httpSample(), samples),
                        flows::add)
                .choose();
        LOG.log(System.Logger.Level.INFO, "tier " + tier.datapath().tier().word() + "; refused: " + tier.refused());
        holdAll(ports, options.proxyAddresses(tier.datapath().tier(), HostNetwork.hasIpv6()));
        AgentLoop loop = new AgentLoop();
        AgentState state;
        try {
            state = new AgentState(options, loop, host.cgroups(), tier, links, metrics, ports, edge);
        } catch (IOException | RuntimeException e) {
            tier.datapath().close();
            throw e;
        }
        parts.push(state);
        parts.push(loop);
        onLoop(loop, state);
        DnsResolver resolver = new DnsResolver(
                new MeshNames(options.domain()),
                options.serviceRange(),
                HostNetwork.hasIpv6() && tier.datapath().tier().hasOwnAddresses(),
                new MeshDirectory(loop, state),
                options.resolverFile(),
                options.resolverPort(),
                Clock.systemUTC());
        parts.push(DnsServer.start(names, resolver));
        if (options.metricsPort() != 0) {
            parts.push(MetricsServer.start(options.metricsPort(), loop, state, resolver, metrics));
        }
        NodeAgent agent = new NodeAgent(options, state, parts);
        StatusReport status = new StatusReport(options, state, flows, resolver, refusals, samples, host.lastEnd());
        LocalIdentities identities = LocalIdentities.start(
                links.certificates(),
                SpiffeId.proxy(Caller.TRUST_DOMAIN, options.node()),
                host.cgroups(),
                options.sdsSocket(),
                options.users().proxyOnly(),
                options.workloadSocket(),
                refusals);
        parts.push(identities);
        if (options.membership().isPresent()) {
            LiveMembership membership = options.membership().get();
            parts.push(ControlRelay.start(
                    options.xdsSocket(), options.users().readers(), refusals, relayed(membership, identities)));
            parts.push(Renewal.start(membership, links.certificates()));
        }
        loop.execute(() -> {
            state.follow(identities::leases);
            state.believe(roots -> believe(options, identities, roots), () -> inForce(options, identities));
        });
        AgentApi agentApi =
                new AgentApi(options, loop, state, host.cgroups(), status, identities, agent::detachAndComplete);
        NodeApi nodeApi = new NodeApi(loop, state);
        parts.push(nodeApi);
        ports.offer(options.runDirectory().resolve(HeldPorts.SOCKET));
        edge.offer(options.runDirectory().resolve(HeldPorts.GATEWAY_SOCKET));
        parts.push(LocalApiServer.start(options.nodeSocket(), options.users().proxyOnly(), refusals, nodeApi.api()));
        parts.push(LocalApiServer.start(
                options.agentSocket(), options.users().administrators(), refusals, agentApi.api()));
        loop.every(SWEEP, state::sweep);
        loop.every(SWEEP, ports::sweep);
        loop.every(SWEEP, edge::sweep);
        loop.every(RECONCILE, state::reconcile);
        loop.every(DRAIN, () -> state.datapath().drain());
        return agent;
    }

    private static void believe(AgentOptions options, LocalIdentities identities, List<X509Certificate> roots) {
        try {
            if (options.membership().isPresent()) {
                options.membership().get().trust(roots);
            }
            identities.trust(roots);
        } catch (IOException e) {
            // Not believed, and so not answered: the control plane waits with what it means to do.
            LOG.log(System.Logger.Level.ERROR, "the roots of the control plane cannot be kept: " + e.getMessage());
        }
    }

    /** The roots of the proxies, once the agent itself has kept them, too. */
    private static List<X509Certificate> inForce(AgentOptions options, LocalIdentities identities) {
        List<X509Certificate> roots = identities.rootsInForce();
        boolean kept = options.membership()
                .map(membership -> Set.copyOf(membership.roots()).equals(Set.copyOf(roots)))
                .orElse(true);
        return kept ? roots : List.of();
    }

    private static ControlRelay.Way relayed(LiveMembership membership, LocalIdentities identities) {
        return new ControlRelay.Way() {
            @Override
            public InetSocketAddress control() {
                return membership.address();
            }

            @Override
            public TlsIdentity identity() throws IOException {
                return identities
                        .ofProxies()
                        .orElseThrow(() -> new IOException("the node's proxies have no certificate yet"));
            }

            @Override
            public List<X509Certificate> roots() {
                return membership.roots();
            }
        };
    }

    private static void holdAll(HeldPorts ports, List<InetSocketAddress> addresses) throws IOException {
        for (InetSocketAddress address : addresses) {
            ports.hold(address);
        }
    }

    private static TierChooser.SelfTests selfTests(AgentOptions options, HostSetup host) {
        Optional<String> noPins = Optional.empty();
        boolean kernelTierPossible = options.tier().map(Tier::hasOwnAddresses).orElse(true)
                && TierChooser.kernelObstacle(options).isEmpty();
        if (kernelTierPossible) {
            noPins = host.mountBpf();
        }
        Optional<String> pinTrouble = noPins;
        SelfTestCache tests = new SelfTestCache(options, host.cgroups());
        return new TierChooser.SelfTests() {
            @Override
            public Optional<String> failure(Tier tier) {
                return pinTrouble.isPresent() || !options.selfTest() ? pinTrouble : tests.failure(tier);
            }

            @Override
            public Optional<String> httpFailure() {
                return options.selfTest() ? tests.httpFailure() : Optional.empty();
            }
        };
    }

    private static void onLoop(AgentLoop loop, AgentState state) throws IOException {
        try {
            loop.call(() -> {
                state.adopt();
                return true;
            });
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException("taking over the state of an earlier agent: " + e.getMessage(), e);
        }
    }

    private static List<InetAddress> dnsAddresses() {
        List<InetAddress> addresses = new ArrayList<>();
        addresses.add(InetAddress.ofLiteral("127.0.0.1"));
        if (HostNetwork.hasIpv6()) {
            addresses.add(InetAddress.ofLiteral("::1"));
        }
        return addresses;
    }

    /** The tier in force. */
    public Tier tier() {
        return state.datapath().tier();
    }

    /** Completes when the agent has detached by request, with what could not be removed; a process may then end. */
    public CompletableFuture<List<String>> detached() {
        return detached.copy();
    }

    private void detachAndComplete() {
        close();
        detached.complete(Traces.remove(options, false));
    }

    /**
     * Removes every trace of a mesh from this host: programs, links, maps, pins, the nftables table, routes, addresses,
     * control groups, and the bpf file system if an agent mounted it. A running agent of the mesh is asked to end first.
     * May be called again and again.
     *
     * @return what could not be removed, one sentence each; empty when nothing is left
     */
    public static List<String> detachAll(AgentOptions options) {
        return Traces.remove(options, false);
    }

    /**
     * Ends a mesh whose agent has closed, and none of which runs. With workloads that still run it is suspended: what they
     * need stays in the kernel, and the next agent takes them over. Otherwise every trace goes.
     */
    public static MeshEnd end(AgentOptions options) {
        return Survivors.end(options);
    }

    /**
     * Whether addresses or ports of a mesh that does not run yet are somebody else's on this host: one sentence that says
     * what can be done as well.
     *
     * @throws IOException when that cannot be found out
     */
    public static Optional<String> conflict(AgentOptions options) throws IOException {
        return HostConflict.of(options);
    }

    /**
     * The workloads of a mesh that run now, whether or not the mesh does.
     *
     * @throws IOException when control groups or leases cannot be read
     */
    public static List<MeshEnd.Survivor> survivors(AgentOptions options) throws IOException {
        return Survivors.of(options);
    }

    /**
     * The processes of agents of a mesh that run now on this host, wherever their directories are.
     *
     * @throws IOException when control groups cannot be read
     */
    public static List<Long> running(AgentOptions options) throws IOException {
        Cgroups cgroups = Cgroups.at(options.cgroupRoot());
        return HostSetup.agents(options, cgroups);
    }

    /** Ends the agent; capture stays in force. Idempotent. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            closeAll(parts);
        }
    }

    private static void closeAll(Deque<AutoCloseable> parts) {
        for (AutoCloseable part : parts) {
            try {
                part.close();
            } catch (Exception e) {
                LOG.log(System.Logger.Level.WARNING, "ending " + part.getClass().getSimpleName(), e);
            }
        }
        parts.clear();
    }

    /** The run directory, for those who talk to this agent. */
    public Path runDirectory() {
        return options.runDirectory();
    }
}
