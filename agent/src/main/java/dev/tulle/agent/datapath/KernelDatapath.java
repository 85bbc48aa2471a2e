package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.Config;
import dev.tulle.agent.datapath.Structs.Net;
import dev.tulle.agent.datapath.WantedState.InfraGroups;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.HostNetwork;
import dev.tulle.agent.host.NetPlan;
import dev.tulle.agent.ports.MeshPort;
import dev.tulle.agent.service.Guards;
import dev.tulle.agent.service.ServiceView;
import dev.tulle.agent.tier.HookStatus;
import dev.tulle.agent.tier.KernelHttp;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.Ip;
import dev.tulle.common.Reason;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.LayoutException;
import dev.tulle.kernel.NetworkNamespace;
import dev.tulle.kernel.RecordCodec;
import dev.tulle.kernel.RingBuffer;
import dev.tulle.kernel.TcpListener;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The tiers {@link Tier#SPLICE} and {@link Tier#REDIRECT}: programs at connect, bind and the rest, an address per
 * workload. Everything is pinned: without this process the data path goes on as it was. Owner thread only.
 */
public final class KernelDatapath implements Datapath {
    private static final System.Logger LOG = System.getLogger(KernelDatapath.class.getName());

    /** Connections into the mesh that one workload may have open at once, at least and at most. */
    private static final int SHARE_LEAST = 1_024;

    private static final int SHARE_MOST = 16_384;

    private final Tier tier;
    private final Cgroups cgroups;
    private final String meshGroup;
    private final OutboundPolicy policy;
    private final KernelObject kernel;
    private final KernelMaps maps;
    private final PortMaps ports;
    private final Accounting accounting;
    private final Drains drains;
    private final EndedLeases endedLeases;
    private Optional<MeshNetwork> current = Optional.empty();
    private long drainedAt;
    private final RingBuffer events;
    private final KernelHttp http;
    private final HttpSampling sampling;
    private final RingBuffer samples;
    /** Written by the owner thread, read where samples are read. */
    private volatile SampleNames names = SampleNames.NONE;

    private @Nullable RingBuffer oldEvents;

    /** What happens to destinations that the mesh does not know. */
    public enum OutboundPolicy {
        /** They are left alone. */
        ALLOW_ANY,
        /** They are refused. */
        REGISTRY_ONLY
    }

    private KernelDatapath(
            Tier tier,
            Cgroups cgroups,
            String meshGroup,
            OutboundPolicy policy,
            Duration drainTime,
            KernelObject kernel,
            KernelHttp http,
            HttpSampling sampling,
            Consumer<KernelEvent> eventSink) {
        this.tier = tier;
        this.cgroups = cgroups;
        this.meshGroup = meshGroup;
        this.policy = policy;
        this.kernel = kernel;
        this.http = http;
        this.sampling = sampling;
        this.maps = new KernelMaps(kernel.object());
        this.ports = new PortMaps(kernel.object());
        this.accounting = new Accounting(kernel.object());
        this.drains = new Drains(accounting.connections(), drainTime);
        this.endedLeases = new EndedLeases(accounting.connections());
        RecordCodec<Structs.Event> codec = Structs.codec(
                Structs.Event.class, kernel.object().btf().struct("tulle_event").orElseThrow());
        this.events = RingBuffer.start(
                kernel.object().map("tulle_events"),
                "tulle-events",
                codec,
                event -> eventSink.accept(KernelEvent.of(event)));
        this.samples = RingBuffer.start(
                kernel.object().map("tulle_http_samples"),
                "tulle-samples",
                HttpStructs.codec(
                        HttpStructs.SampleValue.class,
                        kernel.object().btf().struct("tulle_http_sample").orElseThrow()),
                sample -> sampling.sink().accept(names.read(sample)));
        // What programs of the version before wrote last; it stays open for the little that is still under way.
        kernel.oldEvents().ifPresent(old -> {
            try {
                oldEvents = RingBuffer.start(
                        old.ring(),
                        "tulle-old-events",
                        Structs.codec(Structs.Event.class, old.layout()),
                        event -> eventSink.accept(KernelEvent.of(event)));
            } catch (LayoutException e) {
                LOG.log(System.Logger.Level.INFO, "the last events of the version before are lost: " + e.getMessage());
            }
        });
    }

    /**
     * Loads, or takes over what an earlier agent left, and attaches.
     *
     * @param tier {@link Tier#SPLICE} or {@link Tier#REDIRECT}
     * @param elf the compiled kernel object
     * @param pins the pin directory, on a bpf file system
     * @param meshGroup the mesh's own control group, in which {@code proxy} and {@code agent} exist
     * @param drainTime how long connections to an endpoint go on that its service has lost
     * @param http whether the kernel should forward requests; only with {@link Tier#SPLICE}
     * @param sampling which of the requests that the kernel forwards are reported
     * @param eventSink told what the programs report, on a thread of its own
     * @throws BpfException when the kernel refuses what this tier needs
     */
    public static KernelDatapath open(
            Tier tier,
            Path elf,
            Path pins,
            Cgroups cgroups,
            String meshGroup,
            OutboundPolicy policy,
            Duration drainTime,
            KernelHttp http,
            HttpSampling sampling,
            Consumer<KernelEvent> eventSink)
            throws IOException {
        KernelObject kernel = KernelObject.load(elf, Optional.of(pins), false);
        try {
            kernel.attach(
                    cgroups.mount(),
                    cgroups.directory(meshGroup + "/proxy"),
                    tier == Tier.SPLICE,
                    true,
                    tier == Tier.SPLICE && http.on());
            if (tier == Tier.SPLICE && !(kernel.active(Hook.SK_MSG) && kernel.active(Hook.SKB_VERDICT))) {
                throw new BpfException("splicing programs are not in force: " + kernel.hooks());
            }
            return new KernelDatapath(
                    tier, cgroups, meshGroup, policy, drainTime, kernel, http(kernel, http), sampling, eventSink);
        } catch (RuntimeException e) {
            kernel.close();
            throw e;
        }
    }

    /** On only with all hooks; with one missing the others go. */
    private static KernelHttp http(KernelObject kernel, KernelHttp wanted) {
        if (!wanted.on()) {
            return wanted;
        }
        for (Hook hook : Hook.ofHttp()) {
            if (!kernel.active(hook)) {
                kernel.dropHttp();
                String detail = kernel.hooks().stream()
                        .filter(status -> status.hook().equals(hook.word()))
                        .map(HookStatus::detail)
                        .findFirst()
                        .orElse("not there");
                return KernelHttp.off(Reason.HTTP_HOOKS, "hook " + hook.word() + ": " + detail);
            }
        }
        return wanted;
    }

    @Override
    public KernelHttp http() {
        return http;
    }

    @Override
    public Tier tier() {
        return tier;
    }

    @Override
    public void apply(MeshNetwork network, List<Lease> leases, List<ServiceView> services, Guards guards)
            throws IOException {
        List<Integer> addresses =
                leases.stream().filter(Lease::live).map(Lease::address).toList();
        new HostNetwork(network.prefix(), network.services(), network.range6())
                .reconcile(NetPlan.ofPrefix(network.prefix(), network.range6(), addresses));
        WantedState wanted =
                WantedState.of(network, leases, services, new InfraGroups(groupId("/proxy"), groupId("/agent")), true);
        AccessPlan plan = AccessPlan.of(leases, guards, maps.access().room());
        RingBuffer old = oldEvents;
        if (old != null) {
            old.close();
            oldEvents = null;
            kernel.releaseOldEvents();
        }
        maps.reconcile(wanted, plan);
        if (sampling.oneIn() > 0) {
            Map<Integer, String> workloads = new HashMap<>();
            leases.forEach(lease -> workloads.put(lease.id(), lease.key()));
            names = maps.sampleNames(workloads);
        }
        maps.configure(config(network, addresses.size()));
        if (current.isEmpty()) {
            // The configuration no longer says that the mesh is stopped.
            Lending.end(kernel.object().map(Lending.PORTS), kernel.object().map(Lending.SOCKETS));
        }
        endLeases(network, maps.takeEnded());
        kernel.followInterfaces();
        accounting.reconcile(network, addresses);
        current = Optional.of(network);
        if (maps.services().changes() != drainedAt) {
            drainedAt = maps.services().changes();
            drains.changed();
        }
    }

    @Override
    public void keepPorts(List<MeshPort> own, List<TcpListener> listeners) {
        ports.reconcile(own, listeners);
    }

    @Override
    public Map<Integer, WorkloadTraffic> traffic(List<Lease> leases) {
        return current.map(network -> accounting.of(network, leases)).orElse(Map.of());
    }

    @Override
    public void drain() {
        Map<Integer, Integer> open = drains.pass(maps.services()::endpointsOf, System.nanoTime());
        if (!open.isEmpty()) {
            maps.correctOpen(open);
        }
    }

    private Optional<Long> groupId(String name) throws IOException {
        String group = meshGroup + name;
        return cgroups.exists(group) ? Optional.of(cgroups.id(group)) : Optional.empty();
    }

    private void endLeases(MeshNetwork network, Map<Integer, Long> leases) {
        Set<InetAddress> addresses = new HashSet<>();
        for (int place : leases.keySet()) {
            int address = network.prefix().host(place);
            addresses.add(MeshNetwork.address(Ip.text4(address)));
            addresses.add(network.twin(address));
        }
        addresses.remove(MeshNetwork.none());
        endedLeases.end(Set.copyOf(leases.values()), addresses);
    }

    /** So many records of connections may be one workload's that all together find room. */
    private int share(int workloads) {
        return Math.clamp(accounting.room() / Math.max(1, workloads), SHARE_LEAST, SHARE_MOST);
    }

    private Config config(MeshNetwork network, int workloads) {
        int flags = Structs.FLAG_CAPTURE | Structs.FLAG_BIND | Structs.FLAG_KERNEL_L4 | Structs.FLAG_DNS;
        flags |= kernel.active(Hook.SK_LOOKUP) ? Structs.FLAG_GUARD : 0;
        flags |= kernel.active(Hook.SK_LOOKUP) && kernel.onLoopback() ? Structs.FLAG_ANSWERS : 0;
        flags |= tier == Tier.SPLICE ? Structs.FLAG_SPLICE : 0;
        return config(
                network, flags, policy == OutboundPolicy.REGISTRY_ONLY ? 1 : 0, sampling.bound(), share(workloads));
    }

    static Config config(MeshNetwork network, int flags, int policy, int httpSample, int callerConns) {
        InetAddress none = MeshNetwork.none();
        InetAddress loopback4 = MeshNetwork.address("127.0.0.1");
        InetAddress loopback6 = network.ipv6() ? MeshNetwork.address("::1") : none;
        return new Config(
                Structs.SCHEMA,
                flags,
                policy,
                0,
                NetworkNamespace.cookie(),
                new Net(network.range().network()),
                new Net(network.range().mask()),
                new Net(network.prefix().network()),
                new Net(network.prefix().mask()),
                new Net(network.services().network()),
                new Net(network.services().mask()),
                network.ipv6() ? MeshNetwork.address(network.range6()) : none,
                network.ipv6() ? MeshNetwork.address(network.services6()) : none,
                MeshNetwork.address(network.hostAddress()),
                MeshNetwork.address(network.proxyAddress()),
                MeshNetwork.address(network.agentAddress()),
                loopback4,
                loopback6,
                loopback4,
                loopback6,
                network.outboundPort(),
                network.ipv6() ? network.outboundPort() : 0,
                network.dnsPort(),
                network.ipv6() ? network.dnsPort() : 0,
                httpSample,
                callerConns);
    }

    @Override
    public List<HookStatus> hooks() {
        return kernel.hooks();
    }

    @Override
    public List<String> takeover() {
        return kernel.takeoverNotes();
    }

    @Override
    public boolean enforcesPolicies() {
        return kernel.active(Hook.SK_LOOKUP);
    }

    @Override
    public Map<String, Long> policyDenials() {
        return maps.access().denied();
    }

    @Override
    public List<HttpOutcome> httpOutcomes() {
        return maps.httpOutcomes();
    }

    @Override
    public List<HttpCount> httpCounts() {
        return maps.httpCounts();
    }

    @Override
    public void forgetHttpCounts(Set<Integer> workloads) {
        maps.forgetHttpCounts(workloads);
    }

    @Override
    public Map<Long, Integer> enrolledBefore() {
        return maps.addresses();
    }

    @Override
    public List<TcpCount> tcpCounts() {
        return maps.pairs().counts();
    }

    @Override
    public void forgetTcpCounts(Collection<TcpCount> counts) {
        maps.pairs().forget(counts);
    }

    @Override
    public String serviceOf(int number) {
        return maps.serviceOf(number);
    }

    @Override
    public boolean lingers() {
        return maps.lingers();
    }

    @Override
    public long[] counters() {
        long[] counters = maps.counters();
        counters[Reason.DRAINED.number()] += drains.ended();
        return counters;
    }

    @Override
    public void close() {
        RingBuffer old = oldEvents;
        if (old != null) {
            old.close();
        }
        drains.close();
        events.close();
        samples.close();
        kernel.close();
    }
}
