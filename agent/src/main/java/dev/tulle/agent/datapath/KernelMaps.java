package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.Config;
import dev.tulle.agent.datapath.Structs.DeclaredKey;
import dev.tulle.agent.datapath.Structs.ListenerValue;
import dev.tulle.agent.datapath.Structs.PermitKey;
import dev.tulle.agent.datapath.Structs.SockAddr;
import dev.tulle.agent.datapath.Structs.TenantValue;
import dev.tulle.agent.datapath.Structs.WorkloadValue;
import dev.tulle.common.Ip;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.MapCodec;
import dev.tulle.kernel.TypedMap;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The maps that the agent writes, brought to a wanted state. Owner thread only. */
final class KernelMaps {
    /** About 15 numbers a second since the host's start; enough for four years. */
    private static final int NUMBERS_SHIFT = 26;

    /** A difference that may come from connections which begin and end while they are counted. */
    private static final int OPEN_TOLERANCE = 64;

    private final TypedMap<Integer, Config> config;
    private final TypedMap<Long, WorkloadValue> cgroups;
    private final TypedMap<Integer, Integer> homes;
    /** The entries of it that are not 0. */
    private final Map<Integer, Integer> home = new HashMap<>();

    private final TypedMap<Integer, TenantValue> tenants;
    /** The leases in it. */
    private final Map<Integer, Long> tenant = new HashMap<>();

    private final Map<Integer, Long> ended = new HashMap<>();

    private final TypedMap<SockAddr, ListenerValue> listens;
    private final TypedMap<DeclaredKey, Byte> declared;
    private final TypedMap<DeclaredKey, Integer> behind;
    private final TypedMap<PermitKey, Byte> permits;
    private final AccessMaps access;
    private final ServiceMaps services;
    private final HttpMaps http;
    private final TypedMap<Integer, Long> epoch;
    private final HttpStats stats;
    private final TcpPairs pairs;
    /** Services by id, also those that are gone: their counts and samples may not be. */
    private final Map<Integer, SampleNames.Service> names = new HashMap<>();

    private final BpfMap counters;

    KernelMaps(BpfObject object) {
        BpfMap configMap = object.map("tulle_config");
        this.config = configMap.typed(MapCodec.u32(), Structs.codec(Config.class, configMap.valueLayout()));
        BpfMap cgroupMap = object.map("tulle_cgroups");
        this.cgroups = cgroupMap.typed(MapCodec.u64(), Structs.codec(WorkloadValue.class, cgroupMap.valueLayout()));
        this.homes = object.map("tulle_homes").typed(MapCodec.u32(), MapCodec.u32());
        homes.forEach((place, workload) -> {
            if (workload != 0) {
                home.put(place, workload);
            }
        });
        BpfMap tenantMap = object.map("tulle_tenants");
        this.tenants = tenantMap.typed(MapCodec.u32(), Structs.codec(TenantValue.class, tenantMap.valueLayout()));
        tenants.forEach((place, value) -> {
            if (value.lease() != 0) {
                tenant.put(place, value.lease());
            }
        });
        this.listens = Structs.map(object.map("tulle_listen"), SockAddr.class, ListenerValue.class);
        BpfMap declaredMap = object.map("tulle_declared");
        this.declared = declaredMap.typed(Structs.codec(DeclaredKey.class, declaredMap.keyLayout()), MapCodec.u8());
        BpfMap behindMap = object.map("tulle_behind");
        this.behind = behindMap.typed(Structs.codec(DeclaredKey.class, behindMap.keyLayout()), MapCodec.u32());
        BpfMap permitMap = object.map("tulle_permit");
        this.permits = permitMap.typed(Structs.codec(PermitKey.class, permitMap.keyLayout()), MapCodec.u8());
        this.access = new AccessMaps(object, permits, new HashSet<>(home.values()));
        BpfMap memberMap = object.map("tulle_members");
        this.services = new ServiceMaps(
                Structs.map(object.map("tulle_services"), Structs.ServiceKey.class, Structs.ServiceValue.class),
                Structs.map(object.map("tulle_slots"), Structs.SlotKey.class, Structs.EndpointValue.class),
                memberMap.typed(Structs.codec(Structs.MemberKey.class, memberMap.keyLayout()), MapCodec.u32()));
        this.epoch = object.map("tulle_epoch").typed(MapCodec.u32(), MapCodec.u64());
        // Numbers of an earlier agent's tables are not used again: it cannot have made that many in the same time.
        this.http = new HttpMaps(
                object,
                (int) (System.nanoTime() >> NUMBERS_SHIFT),
                process -> Files.exists(Path.of("/proc", Integer.toString(process))),
                System::nanoTime);
        this.stats = new HttpStats(object);
        this.pairs = new TcpPairs(object);
        this.counters = object.map("tulle_counters");
    }

    /** The configuration in force. */
    Config config() {
        Config found = config.get(0);
        if (found == null) {
            throw new IllegalStateException("the configuration map has no element 0");
        }
        return found;
    }

    void configure(Config wanted) {
        if (!wanted.equals(config())) {
            config.put(0, wanted);
            nextEpoch();
        }
    }

    ServiceMaps services() {
        return services;
    }

    /** Counters by reason number, summed over all processors. */
    long[] counters() {
        return counters.sumPerCpu();
    }

    AccessMaps access() {
        return access;
    }

    /** As below, without policies. */
    void reconcile(WantedState wanted) {
        reconcile(wanted, AccessPlan.NONE);
    }

    /**
     * Brings all maps to what is wanted. What a workload needs to be known by comes before what lets it in, and goes
     * after it.
     */
    void reconcile(WantedState wanted, AccessPlan plan) {
        access.reconcile(plan);
        reconcileTenants(wanted.tenants());
        reconcileHomes(wanted.homes());
        http.announce(httpById(wanted));
        Map<DeclaredKey, Byte> wantedDeclared = new HashMap<>();
        Map<DeclaredKey, Integer> wantedBehind = new HashMap<>();
        wanted.declared().forEach((key, port) -> {
            wantedDeclared.put(key, (byte) 1);
            if (port != 0) {
                wantedBehind.put(key, port);
            }
        });
        reconcile(declared, wantedDeclared);
        reconcile(behind, wantedBehind);
        reconcile(cgroups, wanted.cgroups());
        services.reconcile(wanted.services());
        wanted.names()
                .forEach((key, name) ->
                        names.put(services.id(key), new SampleNames.Service(name, Ip.text(key.vip(), key.port()))));
        Set<Integer> kept = new HashSet<>();
        wanted.services().forEach((key, serving) -> {
            if (serving.keep()) {
                kept.add(services.id(key));
            }
        });
        http.reconcile(httpById(wanted), kept, wanted.addrs());
        reconcileListens(wanted);
        Map<PermitKey, Byte> wantedPermits = new HashMap<>();
        wanted.permits().forEach(key -> wantedPermits.put(key, (byte) 1));
        access.marks().forEach(key -> wantedPermits.put(key, (byte) 1));
        reconcile(permits, wantedPermits);
        nextEpoch();
    }

    /** Decisions that sockets keep are made anew; cheap enough to do without asking whether something changed. */
    private void nextEpoch() {
        Long now = epoch.get(0);
        epoch.put(0, now == null ? 1 : now + 1);
    }

    /** What of kernel HTTP is wanted for the services that have a record. */
    private Map<Integer, HttpMaps.Serving> httpById(WantedState wanted) {
        Map<Integer, HttpMaps.Serving> byId = new HashMap<>();
        wanted.http().forEach((key, serving) -> {
            int id = services.id(key);
            if (id != 0) {
                byId.put(id, serving);
            }
        });
        return byId;
    }

    /** How requests to the endpoints of kernel HTTP ended. */
    List<HttpOutcome> httpOutcomes() {
        return http.outcomes(stats.byPool());
    }

    /** What numbers in samples mean now. */
    SampleNames sampleNames(Map<Integer, String> workloads) {
        return new SampleNames(names, http.names(), workloads);
    }

    List<HttpCount> httpCounts() {
        return stats.counts();
    }

    void forgetHttpCounts(Set<Integer> workloads) {
        stats.forgetAllBut(workloads);
    }

    /** The IPv4 addresses of workloads by their control group's number. */
    Map<Long, Integer> addresses() {
        Map<Long, Integer> addresses = new HashMap<>();
        cgroups.forEach((group, value) -> {
            if (value.role() == Structs.ROLE_WORKLOAD) {
                addresses.put(group, Ip.number(Ip.text(value.addr4())));
            }
        });
        return addresses;
    }

    TcpPairs pairs() {
        return pairs;
    }

    /** The host name of a service that is or was served; empty for an unknown one. */
    String serviceOf(int id) {
        return names.getOrDefault(id, SampleNames.Service.UNKNOWN).host();
    }

    /** True when something is still to be removed, a little later. */
    boolean lingers() {
        return http.lingers();
    }

    private void reconcileHomes(Map<Integer, Integer> wanted) {
        for (int place : Set.copyOf(home.keySet())) {
            if (!wanted.containsKey(place)) {
                homes.put(place, 0);
                home.remove(place);
            }
        }
        wanted.forEach((place, workload) -> {
            if (!workload.equals(home.get(place))) {
                homes.put(place, workload);
                home.put(place, workload);
            }
        });
    }

    /** Connections of a lease that has ended are nobody's from here on. */
    private void reconcileTenants(Map<Integer, WantedState.Tenant> wanted) {
        for (int place : Set.copyOf(tenant.keySet())) {
            if (!wanted.containsKey(place)) {
                tenants.put(place, new TenantValue(0, 0, 0));
                ended.put(place, tenant.remove(place));
            }
        }
        wanted.forEach((place, one) -> {
            Long before = tenant.put(place, one.lease());
            if (before == null || before != one.lease()) {
                if (before != null) {
                    ended.put(place, before);
                }
                tenants.put(
                        place, new TenantValue(one.lease(), 0, one.splicing().number()));
            }
        });
    }

    /** The leases that have ended since the last call, by their places. */
    Map<Integer, Long> takeEnded() {
        Map<Integer, Long> taken = Map.copyOf(ended);
        ended.clear();
        return taken;
    }

    /** What a lease's connections use of its share, as counted by the records themselves: ends may have gone unheard. */
    void correctOpen(Map<Integer, Integer> counted) {
        tenant.forEach((place, lease) -> {
            TenantValue now = tenants.get(place);
            int open = counted.getOrDefault(place, 0);
            if (now != null && Math.abs(now.open() - open) > OPEN_TOLERANCE) {
                tenants.put(place, new TenantValue(lease, open, now.splicing()));
            }
        });
    }

    private static <K, V> void reconcile(TypedMap<K, V> map, Map<K, V> wanted) {
        Map<K, V> found = map.snapshot();
        for (K key : found.keySet()) {
            if (!wanted.containsKey(key)) {
                map.delete(key);
            }
        }
        wanted.forEach((key, value) -> {
            if (!value.equals(found.get(key))) {
                map.put(key, value);
            }
        });
    }

    /**
     * The kernel keeps this map by itself; only ports on which a process listened before it was enrolled must be named,
     * and what belonged to addresses that are no longer leased goes.
     */
    private void reconcileListens(WantedState wanted) {
        Map<SockAddr, ListenerValue> found = listens.snapshot();
        wanted.listens().forEach((key, workload) -> {
            if (!found.containsKey(key)) {
                listens.putNew(key, new ListenerValue(workload, Structs.LISTEN_DECLARED));
            }
        });
        found.forEach((key, value) -> {
            Integer owner = wanted.addrs().get(key.addr());
            if (owner == null || owner != value.workload()) {
                listens.delete(key);
            }
        });
    }
}
