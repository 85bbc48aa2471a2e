package dev.tulle.agent;

import dev.tulle.agent.Troubles.Part;
import dev.tulle.agent.datapath.Datapath;
import dev.tulle.agent.datapath.MeshNetwork;
import dev.tulle.agent.enrol.AddressUse;
import dev.tulle.agent.enrol.EnrolSpec;
import dev.tulle.agent.enrol.Enrolments;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.enrol.LeaseStore;
import dev.tulle.agent.enrol.Prober;
import dev.tulle.agent.enrol.PublishRules;
import dev.tulle.agent.enrol.RefusedException;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.HostNetwork;
import dev.tulle.agent.identity.AnnouncedTrust;
import dev.tulle.agent.ports.BoundPorts;
import dev.tulle.agent.ports.HeldPorts;
import dev.tulle.agent.ports.MeshPort;
import dev.tulle.agent.service.GuardedWorkloads;
import dev.tulle.agent.service.ServiceDirectory;
import dev.tulle.agent.service.ServiceStore;
import dev.tulle.common.Cidr;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.SockDiag;
import dev.tulle.kernel.TcpListener;
import dev.tulle.model.Caller;
import dev.tulle.model.Endpoint;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Workload;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.telemetry.WorkloadLabels;
import dev.tulle.xds.NodeLease;
import dev.tulle.xds.RegistrationAnswer;
import dev.tulle.xds.RegistrationClient;
import dev.tulle.xds.RegistrationOptions;
import dev.tulle.xds.Trust;
import dev.tulle.xds.WorkloadRegistration;
import dev.tulle.xds.XdsClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Everything that the agent knows and wants, and the one place that brings the host to it. Owner thread only; whoever
 * changes something calls {@link #reconcile}, which may also run at any other time.
 */
final class AgentState implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(AgentState.class.getName());

    /** How soon a reconciliation that failed is tried again. */
    private static final Duration RETRY = Duration.ofSeconds(1);

    /** When what nothing uses any more is looked at again. */
    private static final Duration LINGER = Duration.ofMillis(1_100);

    /** How often it is looked whether roots are in force. */
    private static final Duration LOOK_AT_ROOTS = Duration.ofSeconds(1);

    /** When a change whose handling failed is asked for again. */
    private static final Duration ASK_AGAIN = Duration.ofSeconds(10);

    private final AgentOptions options;
    private final AgentLoop loop;
    private final Cgroups cgroups;
    private final GroupOwners owners;
    private final ChosenTier tier;
    private final Enrolments enrolments;
    private final ServiceDirectory services;
    private final GuardedWorkloads guarded;
    private final XdsClient xds;
    private final RegistrationClient registration;
    private final Map<String, Member> members = new HashMap<>();
    private final HeldPorts ports;
    private final GatewayPorts gateway;
    private final Publications publications;
    private final HttpMetrics httpMetrics;
    private final TcpMetrics tcpMetrics;
    private volatile Askers askers = Askers.NONE;
    private Consumer<List<Lease>> follower = _ -> {};
    private boolean dirty;
    private boolean adopting = true;

    /** True while the control plane has been told that something could not be written. */
    private boolean owesAnswer;

    /** Where tunnels of other nodes are taken, while there may be any. */
    private Optional<InetSocketAddress> tunnels = Optional.empty();

    private Optional<NodeLease> early = Optional.empty();
    private final AnnouncedTrust announced = new AnnouncedTrust();
    private final Troubles troubles = new Troubles();

    /** What is kept of a workload while it is in the mesh. */
    private static final class Member {
        Optional<Prober> prober = Optional.empty();
        boolean healthy;
        String refusal = "";
        boolean registered;
        CompletableFuture<RegistrationAnswer> answer = new CompletableFuture<>();
    }

    /** A workload for reports. */
    record WorkloadReport(
            Lease lease,
            boolean healthy,
            boolean registered,
            String refusal,
            String probe,
            List<InetSocketAddress> listens) {}

    AgentState(
            AgentOptions options,
            AgentLoop loop,
            Cgroups cgroups,
            ChosenTier tier,
            ControlLinks links,
            MetricRegistry metrics,
            HeldPorts ports,
            HeldPorts edge)
            throws IOException {
        this.options = options;
        this.loop = loop;
        this.cgroups = cgroups;
        this.owners = new GroupOwners(cgroups);
        this.tier = tier;
        this.ports = ports;
        this.publications = new Publications();
        this.httpMetrics = new HttpMetrics(tier.datapath(), metrics);
        this.tcpMetrics = new TcpMetrics(tier.datapath(), metrics);
        LeaseStore leaseStore = new LeaseStore(options.stateDirectory());
        this.enrolments = new Enrolments(
                cgroups,
                options.meshGroup(),
                options.range(),
                new PublishRules(options.ownPorts()),
                leaseStore,
                Clock.systemUTC(),
                new Enrolments.Listener() {
                    @Override
                    public void onJoined(Lease lease) {
                        joined(lease);
                    }

                    @Override
                    public void onLeft(Lease lease) {
                        left(lease);
                    }
                });
        if (tier.datapath().tier().hasOwnAddresses()) {
            enrolments.look(AddressUse.ofSockets(options.range6()));
        }
        this.xds = links.xds();
        // The first task runs behind those that the watchers left, the second behind the reconciliation that
        // these asked for: what is acknowledged is in the kernel.
        xds.acknowledgeThrough(answer -> loop.execute(() -> loop.execute(() -> answer.accept(unwritten()))));
        this.services = new ServiceDirectory(
                xds,
                loop,
                new ServiceStore(options.stateDirectory()),
                this::reachableByKernel,
                this::enforcedByKernel,
                tier.datapath().http(),
                this::callers,
                this::changed);
        this.gateway = new GatewayPorts(
                xds,
                loop,
                edge,
                options.ownPorts(),
                HostNetwork.hasIpv6(),
                hold -> HostSetup.inProxyGroup(cgroups, options.meshGroup(), hold::run),
                this::changed);
        this.guarded = new GuardedWorkloads(xds, loop, this::changed);
        String before = leaseStore.load().contents().prefix();
        this.registration = links.registration(
                new RegistrationOptions(
                        options.control(), options.node(), before, options.locality(), options.nodeAddress()),
                new RegistrationClient.Listener() {
                    @Override
                    public void onLease(NodeLease lease) {
                        loop.execute(() -> granted(lease));
                    }

                    @Override
                    public void onTrust(Trust trust) {
                        loop.execute(() -> announced.told(trust));
                    }

                    @Override
                    public void onTrouble(String reason) {
                        LOG.log(System.Logger.Level.DEBUG, "registration: " + reason);
                    }
                });
    }

    /**
     * From now on what the control plane says of roots is put into force, and answered when it is.
     *
     * @param believe puts roots into force
     * @param inForce those that are in force everywhere on this node
     */
    void believe(Consumer<List<X509Certificate>> believe, Supplier<List<X509Certificate>> inForce) {
        announced.follow(new AnnouncedTrust.Node(believe, inForce, registration::trusts));
        loop.every(LOOK_AT_ROOTS, announced::look);
    }

    /** Takes over what an earlier agent left. */
    void adopt() throws IOException {
        enrolments.adopt();
        troubles.report(Part.LEASES, enrolments.trouble());
        adopting = false;
        // Not earlier: a node that announced itself before its workloads were read would take them out of the mesh.
        registration.begin();
        early.ifPresent(this::granted);
        services.restore();
        List<String> strays = enrolments.sweepOrphans(tier.datapath().enrolledBefore());
        troubles.report(
                Part.STRAYS,
                strays.isEmpty()
                        ? ""
                        : "processes run in " + String.join(", ", strays)
                                + " and no lease knows them: end them, or start them again with tulle run");
        reconcile();
    }

    /** Why what was received is not in the kernel; empty when it is. */
    private String unwritten() {
        reconcileIfDirty();
        String failed = loop.takeFailure();
        Optional<String> failure = troubles.of(Part.DATA_PATH);
        if (failure.isPresent()) {
            owesAnswer = true;
            return "it cannot be written into the kernel's maps, which is tried again: " + failure.get();
        }
        String refused = gateway.takeRefusal();
        if (!failed.isEmpty() || !refused.isEmpty()) {
            loop.after(ASK_AGAIN, () -> {
                if (!gateway.trouble().isEmpty()) {
                    gateway.again();
                }
                xds.askAgain();
            });
        }
        return failed.isEmpty() ? refused : failed;
    }

    private Set<Caller> callers() {
        return enrolments.leases().stream().map(Lease::caller).collect(Collectors.toSet());
    }

    private Map<Integer, WorkloadLabels> labels() {
        Map<Integer, WorkloadLabels> labels = new HashMap<>();
        for (Lease lease : enrolments.leases()) {
            EnrolSpec spec = lease.spec();
            labels.put(
                    lease.id(),
                    WorkloadLabels.of(new Workload(
                            uid(lease),
                            spec.name(),
                            spec.namespace(),
                            spec.serviceAccount(),
                            options.node(),
                            List.of(addressOf(lease)),
                            spec.labels(),
                            List.of(),
                            spec.ports(),
                            true,
                            ResourceRef.DEFAULT)));
        }
        return labels;
    }

    private boolean reachableByKernel(String address) {
        return tier.datapath().tier().hasOwnAddresses()
                && enrolments.prefix().map(prefix -> prefix.contains(address)).orElse(false);
    }

    /** The policies of an endpoint are those of the workload that it is said to be, whatever else has its address. */
    private boolean enforcedByKernel(Endpoint endpoint) {
        return tier.datapath().enforcesPolicies()
                && byAddress(endpoint.address())
                        .map(Lease::spec)
                        .filter(spec -> spec.name().equals(endpoint.workload()))
                        .filter(spec -> spec.namespace().equals(endpoint.namespace()))
                        .isPresent();
    }

    private void granted(NodeLease lease) {
        if (adopting) {
            // What an earlier agent left must be read before anything is written.
            early = Optional.of(lease);
            return;
        }
        try {
            Cidr prefix = Cidr.of("the control plane's prefix", lease.prefix());
            if (!options.range().contains(prefix)) {
                troubles.set(
                        Part.PREFIX,
                        "it granted " + prefix + ", which is outside the workload range " + options.range()
                                + ": control plane and agent have different options");
                return;
            }
            serveNodes(lease);
            if (enrolments.grant(prefix)) {
                troubles.clear(Part.PREFIX);
            } else {
                troubles.set(
                        Part.PREFIX,
                        "it granted " + prefix + " but workloads still hold addresses of "
                                + enrolments.prefix().orElse(prefix));
            }
            changed();
        } catch (IOException | IllegalArgumentException e) {
            troubles.set(Part.PREFIX, String.valueOf(e.getMessage()));
        }
    }

    /** Opens the port for tunnels once there are or may be other nodes: on a host alone nobody knocks at it. */
    private void serveNodes(NodeLease lease) {
        if (!lease.nodes() || options.nodeAddress().isEmpty()) {
            return;
        }
        InetSocketAddress where =
                new InetSocketAddress(InetAddress.ofLiteral(options.nodeAddress()), options.tunnelPort());
        try {
            HostSetup.inProxyGroup(cgroups, options.meshGroup(), () -> ports.hold(where));
            tunnels = Optional.of(where);
            publications.tunnels(where);
            troubles.clear(Part.NODES);
        } catch (IOException e) {
            troubles.set(Part.NODES, "no tunnels of other nodes: " + e.getMessage());
            loop.after(RETRY, () -> serveNodes(lease));
        }
    }

    /** The mesh's addresses, once the node has a prefix. */
    Optional<MeshNetwork> network() {
        boolean ipv6 = HostNetwork.hasIpv6() && tier.datapath().tier().hasOwnAddresses();
        return enrolments
                .prefix()
                .map(prefix -> new MeshNetwork(
                        options.range(),
                        options.serviceRange(),
                        prefix,
                        ipv6 ? options.range6() : "",
                        ipv6 ? options.serviceRange6() : "",
                        options.outboundPort(),
                        options.dnsPort()));
    }

    private void changed() {
        if (!dirty) {
            dirty = true;
            loop.execute(this::reconcileIfDirty);
        }
    }

    /** Whoever could not wait for its turn may have done it meanwhile. */
    private void reconcileIfDirty() {
        if (dirty) {
            reconcile();
        }
    }

    /** Brings the host to what is wanted. A failure is logged, shown in the status and tried again. */
    void reconcile() {
        dirty = false;
        Optional<MeshNetwork> network = network();
        if (network.isEmpty()) {
            return;
        }
        long version = services.version();
        try {
            // Before a number of a workload means another one.
            Map<Integer, WorkloadLabels> labels = labels();
            httpMetrics.workloads(labels);
            tcpMetrics.workloads(labels);
            tier.datapath().apply(network.get(), enrolments.leases(), services.views(), guarded.guards());
            holdAllPublished();
            troubles.report(Part.GATEWAY, gateway.trouble());
            tier.datapath().keepPorts(meshPorts(), ports.listeners());
            troubles.clear(Part.DATA_PATH);
            services.applied(version);
            if (owesAnswer) {
                owesAnswer = false;
                xds.askAgain();
            }
            if (tier.datapath().lingers()) {
                loop.after(LINGER, this::changed);
            }
        } catch (IOException | BpfException e) {
            troubles.set(Part.DATA_PATH, String.valueOf(e.getMessage()));
            LOG.log(System.Logger.Level.DEBUG, "data path", e);
            loop.after(RETRY, this::changed);
        }
    }

    /** Looks at the workloads' groups. */
    void sweep() {
        try {
            enrolments.sweep();
            troubles.clear(Part.GROUPS);
        } catch (IOException e) {
            troubles.set(Part.GROUPS, String.valueOf(e.getMessage()));
        }
    }

    Lease enrol(EnrolSpec spec) throws RefusedException, IOException {
        Lease lease;
        try {
            holdPublished(spec);
            lease = enrolments.enrol(spec, !tier.datapath().tier().hasOwnAddresses());
        } finally {
            // What was opened for one that is refused goes again.
            releaseUnpublished();
        }
        // The kernel must know the workload before its first connect.
        reconcile();
        Optional<String> failure = troubles.of(Part.DATA_PATH);
        if (failure.isPresent()) {
            enrolments.release(lease.key());
            throw new RefusedException(RefusedException.Code.UNAVAILABLE, failure.get());
        }
        return lease;
    }

    /** Before a lease is given: a port that somebody else has is found out now. */
    private void holdPublished(EnrolSpec spec) throws RefusedException {
        Set<InetSocketAddress> held =
                ports.listeners().stream().map(TcpListener::address).collect(Collectors.toSet());
        List<InetSocketAddress> missing = published(spec).stream()
                .filter(address -> !held.contains(address))
                .toList();
        if (missing.isEmpty()) {
            return;
        }
        try {
            // As the mesh's own ports: else nobody could tell the proxy who calls at a published one.
            HostSetup.inProxyGroup(cgroups, options.meshGroup(), () -> {
                for (InetSocketAddress address : missing) {
                    ports.hold(address);
                }
            });
        } catch (IOException e) {
            throw new RefusedException(RefusedException.Code.EXISTS, "cannot publish: " + e.getMessage());
        }
    }

    /** What an earlier agent's workloads publish; a port that somebody took meanwhile is tried again. */
    private void holdAllPublished() {
        Optional<String> failure = Optional.empty();
        for (Lease lease : enrolments.leases()) {
            try {
                if (lease.live()) {
                    holdPublished(lease.spec());
                }
            } catch (RefusedException e) {
                failure = Optional.of("workload " + lease.key() + ": " + e.getMessage());
            }
        }
        failure.ifPresentOrElse(why -> troubles.set(Part.PUBLISHED, why), () -> troubles.clear(Part.PUBLISHED));
    }

    private void releaseUnpublished() {
        boolean ipv6 = HostNetwork.hasIpv6();
        Set<InetSocketAddress> wanted =
                new HashSet<>(options.proxyAddresses(tier.datapath().tier(), ipv6));
        tunnels.ifPresent(wanted::add);
        enrolments.leases().stream().filter(Lease::live).forEach(lease -> wanted.addAll(published(lease.spec())));
        for (TcpListener listener : ports.listeners()) {
            if (!wanted.contains(listener.address())) {
                ports.release(listener.address());
            }
        }
    }

    private static List<InetSocketAddress> published(EnrolSpec spec) {
        List<InetSocketAddress> addresses = new ArrayList<>();
        spec.publications().forEach(publication -> publication
                .addresses(HostNetwork.hasIpv6())
                .forEach(address -> addresses.add(new InetSocketAddress(address, publication.port()))));
        return addresses;
    }

    /** Also those of workloads that rest: nobody else shall have their ports when they come back. */
    private List<MeshPort> meshPorts() {
        List<MeshPort> all = new ArrayList<>(options.meshPorts());
        enrolments.leases().forEach(lease -> lease.spec()
                .publications()
                .forEach(publication -> all.add(MeshPort.published(publication.port()))));
        all.addAll(gateway.meshPorts());
        tunnels.ifPresent(where -> all.add(MeshPort.published(where.getPort())));
        return all;
    }

    void release(String key) throws RefusedException, IOException {
        enrolments.release(key);
        reconcile();
    }

    /** Where a workload is reached on this host. */
    String addressOf(Lease lease) {
        return tier.datapath().tier().hasOwnAddresses() ? lease.addressText() : "127.0.0.1";
    }

    private void joined(Lease lease) {
        EnrolSpec spec = lease.spec();
        Member member = new Member();
        // A workload that an earlier agent had is believed to be ready until its probes say otherwise.
        member.healthy = adopting || spec.probes().isEmpty();
        members.put(lease.key(), member);
        guarded.follow(lease.key(), uid(lease), adopting);
        WorkloadRegistration announced = new WorkloadRegistration(
                spec.name(),
                spec.namespace(),
                spec.serviceAccount(),
                List.of(addressOf(lease)),
                spec.labels(),
                spec.service().isEmpty() ? List.of() : List.of(spec.service()),
                spec.ports(),
                member.healthy);
        member.answer = registration.register(announced);
        var _ = member.answer.thenAccept(answer -> loop.execute(() -> answered(lease, answer)));
        if (!spec.probes().isEmpty()) {
            member.prober = Optional.of(Prober.start(
                    spec.probes(),
                    addressOf(lease),
                    cgroups.directory(lease.group()),
                    member.healthy,
                    ready -> loop.execute(() -> health(lease, ready))));
        }
        holdAllPublished();
        publications.set(enrolments.leases(), this::addressOf);
        tellLeases();
        changed();
    }

    /** Tells somebody of the leases, now and whenever one begins or ends. */
    void follow(Consumer<List<Lease>> next) {
        follower = next;
        follower.accept(enrolments.leases());
    }

    private void tellLeases() {
        follower.accept(enrolments.leases());
        askers = Askers.of(enrolments.leases(), tier.datapath().tier().hasOwnAddresses(), options.range6());
    }

    /** Completed when everybody can find a workload, or the control plane refuses it; while that is away, later. */
    CompletableFuture<RegistrationAnswer> announced(Lease lease) {
        return members.getOrDefault(lease.key(), new Member()).answer;
    }

    private void answered(Lease lease, RegistrationAnswer answer) {
        Member member = members.get(lease.key());
        if (member == null) {
            return;
        }
        switch (answer) {
            case RegistrationAnswer.Accepted _ -> {
                member.registered = true;
                member.refusal = "";
            }
            case RegistrationAnswer.Refused refused -> {
                member.refusal = refused.reason();
                LOG.log(
                        System.Logger.Level.WARNING,
                        "the control plane refuses workload " + lease.key() + ": " + refused.reason());
            }
        }
    }

    private void health(Lease lease, boolean ready) {
        Member member = members.get(lease.key());
        if (member != null && enrolments.lease(lease.key()).isPresent()) {
            member.healthy = ready;
            registration.health(uid(lease), ready);
        }
    }

    private void left(Lease lease) {
        Member member = members.remove(lease.key());
        if (member != null) {
            member.prober.ifPresent(Prober::close);
        }
        guarded.forget(lease.key());
        registration.deregister(uid(lease));
        publications.set(enrolments.leases(), this::addressOf);
        tellLeases();
        releaseUnpublished();
        changed();
    }

    String uid(Lease lease) {
        return options.node() + "/" + lease.key();
    }

    /** What is known of each workload now; asks the kernel where they listen. */
    List<WorkloadReport> workloads() {
        Map<String, List<InetSocketAddress>> listens = listens();
        return enrolments.leases().stream()
                .map(lease -> {
                    Member member = members.getOrDefault(lease.key(), new Member());
                    return new WorkloadReport(
                            lease,
                            member.healthy,
                            member.registered,
                            member.refusal,
                            member.prober.map(Prober::trouble).orElse(""),
                            listens.getOrDefault(lease.key(), List.of()));
                })
                .toList();
    }

    private Map<String, List<InetSocketAddress>> listens() {
        Map<String, List<InetSocketAddress>> found = new HashMap<>();
        try (SockDiag sockets = SockDiag.open()) {
            BoundPorts.byGroup(sockets.listeners()).forEach((group, addresses) -> {
                try {
                    byGroup(group).ifPresent(lease -> {
                        Map<InetSocketAddress, InetSocketAddress> fronts =
                                network().map(network -> network.fronts(lease)).orElse(Map.of());
                        addresses.replaceAll(at -> fronts.getOrDefault(at, at));
                        found.computeIfAbsent(lease.key(), _ -> new ArrayList<>())
                                .addAll(addresses);
                    });
                } catch (IOException e) {
                    LOG.log(System.Logger.Level.DEBUG, "whose sockets listen", e);
                }
            });
        } catch (BpfException e) {
            LOG.log(System.Logger.Level.DEBUG, "where workloads listen: " + e.getMessage());
        }
        return found;
    }

    /** The workload that holds an address. */
    Optional<Lease> byAddress(String address) {
        return enrolments.leases().stream()
                .filter(lease -> lease.live() && lease.addressText().equals(address))
                .findFirst();
    }

    /** The workload with this lease. */
    Optional<Lease> byNumber(long lease) {
        return enrolments.leases().stream()
                .filter(one -> one.live() && one.number() == lease)
                .findFirst();
    }

    /** The workload whose control group, or one above, has this number. */
    Optional<Lease> byGroup(long groupId) throws IOException {
        return owners.owner(groupId, enrolments.leases());
    }

    /** A workload by namespace and name: also one of several that run under that name. */
    Optional<Lease> lease(String key) {
        Optional<Lease> exact = enrolments.lease(key);
        return exact.isPresent()
                ? exact
                : enrolments.leases().stream()
                        .filter(lease -> key.equals(lease.spec().namespace() + "/"
                                + lease.spec().labels().getOrDefault(EnrolSpec.WORKLOAD_LABEL, "")))
                        .findFirst();
    }

    List<Lease> leases() {
        return enrolments.leases();
    }

    ServiceDirectory services() {
        return services;
    }

    GuardedWorkloads guarded() {
        return guarded;
    }

    Publications publications() {
        return publications;
    }

    /** Whose questions DNS gets. Any thread. */
    Askers askers() {
        return askers;
    }

    /** What the kernel has balanced of connections. */
    TcpMetrics tcpMetrics() {
        return tcpMetrics;
    }

    /** What the kernel has forwarded of requests. */
    HttpMetrics httpMetrics() {
        return httpMetrics;
    }

    Datapath datapath() {
        return tier.datapath();
    }

    ChosenTier tier() {
        return tier;
    }

    XdsClient xds() {
        return xds;
    }

    RegistrationClient registration() {
        return registration;
    }

    /** Why the data path is not as it should be; empty when it is. */
    String unready() {
        return Stream.of(Part.DATA_PATH, Part.GROUPS, Part.PREFIX)
                .flatMap(part -> troubles.of(part).stream())
                .collect(Collectors.joining("; "));
    }

    /** What is wrong now, one sentence each; empty when nothing is. */
    List<String> troubles() {
        troubles.report(Part.SERVICES, services.trouble());
        return troubles.all();
    }

    /** Ends what this process does; the host stays as it is, so that the next agent finds it. */
    @Override
    public void close() {
        members.values().forEach(member -> member.prober.ifPresent(Prober::close));
        publications.close();
        gateway.close();
        services.close();
        guarded.close();
        registration.close();
        // The kernel goes on to do what it was told.
        xds.vanish();
        tier.datapath().close();
    }
}
