package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.DeclaredKey;
import dev.tulle.agent.datapath.Structs.EndpointValue;
import dev.tulle.agent.datapath.Structs.PermitKey;
import dev.tulle.agent.datapath.Structs.ServiceKey;
import dev.tulle.agent.datapath.Structs.SockAddr;
import dev.tulle.agent.datapath.Structs.WorkloadValue;
import dev.tulle.agent.enrol.EnrolSpec;
import dev.tulle.agent.enrol.EnrolSpec.Permit;
import dev.tulle.agent.enrol.EnrolSpec.Splicing;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.http.HttpTable;
import dev.tulle.agent.service.PortTarget;
import dev.tulle.agent.service.ServiceView;
import dev.tulle.common.Ip;
import dev.tulle.common.Reason;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointChoice;
import dev.tulle.model.ServicePort;
import dev.tulle.model.Workload.WorkloadPort;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What the kernel's maps should hold, computed from leases and services. Pure.
 *
 * @param cgroups who runs in which control group, by the kernel's number
 * @param addrs workload ids by their addresses
 * @param homes the same by the host parts of the addresses
 * @param tenants who has the addresses, by their host parts
 * @param services how each service address and port is served
 * @param names host names of the services behind these keys
 * @param http what the kernel forwards of the requests to some of them
 * @param listens declared ports of workloads that may have listened on them before they were enrolled
 * @param declared TCP ports that workloads say they listen on, and the ports behind them; 0: none
 * @param permits callers outside the mesh that are let in
 */
record WantedState(
        Map<Long, WorkloadValue> cgroups,
        Map<InetAddress, Integer> addrs,
        Map<Integer, Integer> homes,
        Map<Integer, Tenant> tenants,
        Map<ServiceKey, Serving> services,
        Map<ServiceKey, String> names,
        Map<ServiceKey, HttpMaps.Serving> http,
        Map<SockAddr, Integer> listens,
        Map<DeclaredKey, Integer> declared,
        Set<PermitKey> permits) {
    WantedState {
        cgroups = Map.copyOf(cgroups);
        addrs = Map.copyOf(addrs);
        homes = Map.copyOf(homes);
        tenants = Map.copyOf(tenants);
        services = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(services));
        names = Map.copyOf(names);
        http = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(http));
        listens = Map.copyOf(listens);
        declared = Map.copyOf(declared);
        permits = Set.copyOf(permits);
    }

    /**
     * Who has an address; the same for as long as the lease.
     *
     * @param lease its number
     */
    record Tenant(long lease, Splicing splicing) {}

    /**
     * How one service address and port is served.
     *
     * @param mode the mode of the kernel's record
     * @param reason why not by the kernel
     * @param slots the endpoints, when by the kernel
     * @param keep true when a record that is there should stay as it is
     * @param choice how a slot is chosen
     */
    record Serving(byte mode, Reason reason, List<EndpointValue> slots, boolean keep, EndpointChoice choice) {
        Serving {
            slots = List.copyOf(slots);
        }

        /** With slots chosen at random. */
        Serving(byte mode, Reason reason, List<EndpointValue> slots, boolean keep) {
            this(mode, reason, slots, keep, EndpointChoice.RANDOM);
        }
    }

    /** What {@link #of} needs of the control groups of the mesh itself; empty where one does not exist. */
    record InfraGroups(Optional<Long> proxy, Optional<Long> agent) {}

    static WantedState of(
            MeshNetwork network, List<Lease> leases, List<ServiceView> views, InfraGroups infra, boolean kernelL4) {
        Map<Long, WorkloadValue> cgroups = new HashMap<>();
        Map<InetAddress, Integer> addrs = new HashMap<>();
        Map<Integer, Integer> homes = new HashMap<>();
        Map<Integer, Tenant> tenants = new HashMap<>();
        Map<SockAddr, Integer> listens = new HashMap<>();
        Map<DeclaredKey, Integer> declared = new HashMap<>();
        Set<PermitKey> permits = new HashSet<>();
        infra.proxy().ifPresent(id -> cgroups.put(id, WorkloadValue.infra(Structs.ROLE_PROXY)));
        infra.agent().ifPresent(id -> cgroups.put(id, WorkloadValue.infra(Structs.ROLE_AGENT)));
        for (Lease lease : leases) {
            if (!lease.live()) {
                continue;
            }
            InetAddress addr4 = MeshNetwork.address(lease.addressText());
            InetAddress addr6 = network.twin(lease.address());
            cgroups.put(
                    lease.groupId(),
                    new WorkloadValue(lease.id(), Structs.ROLE_WORKLOAD, addr4, addr6, lease.number()));
            addrs.put(addr4, lease.id());
            homes.put(network.hostPart(lease.address()), lease.id());
            tenants.put(
                    network.hostPart(lease.address()),
                    new Tenant(lease.number(), lease.spec().splicing()));
            if (network.ipv6()) {
                addrs.put(addr6, lease.id());
            }
            List<WorkloadPort> ports = lease.spec().ports();
            for (int i = 0; i < ports.size(); i++) {
                WorkloadPort port = ports.get(i);
                if (port.protocol() != AppProtocol.UDP) {
                    declared.put(new DeclaredKey(lease.id(), port.number()), network.portBehind(i));
                }
                boolean mayListenAlready = !(lease.spec().source() instanceof EnrolSpec.Source.NewGroup);
                if (port.protocol() == AppProtocol.UDP || !mayListenAlready) {
                    continue;
                }
                listens.put(new SockAddr(addr4, port.number()), lease.id());
                if (network.ipv6()) {
                    listens.put(new SockAddr(addr6, port.number()), lease.id());
                }
            }
            for (Permit permit : lease.spec().permits()) {
                byte source = permit.host() ? Structs.SOURCE_HOST : Structs.SOURCE_OUTSIDE;
                permits.add(new PermitKey(addr4, permit.port(), source));
            }
        }
        Map<InetAddress, Integer> ids = new HashMap<>(addrs);
        Map<ServiceKey, Serving> services = new LinkedHashMap<>();
        Map<ServiceKey, String> names = new HashMap<>();
        Map<ServiceKey, HttpMaps.Serving> http = new LinkedHashMap<>();
        for (ServiceView view : views) {
            for (ServicePort port : view.service().ports()) {
                PortTarget target = view.targets().get(port.number());
                if (target == null) {
                    continue;
                }
                Serving serving = serving(target, port.protocol(), ids, kernelL4);
                for (InetAddress vip : keyAddresses(network, view.service().addresses())) {
                    byte proto = port.protocol() == AppProtocol.UDP ? Structs.UDP : Structs.TCP;
                    ServiceKey key = new ServiceKey(vip, port.number(), proto);
                    services.put(key, serving);
                    names.put(key, view.service().hostname());
                    if (target instanceof PortTarget.Http(HttpTable table)) {
                        http.put(key, new HttpMaps.Serving(table, sources(table, leases)));
                    }
                }
            }
        }
        return new WantedState(cgroups, addrs, homes, tenants, services, names, http, listens, declared, permits);
    }

    private static Serving serving(
            PortTarget target, AppProtocol spoken, Map<InetAddress, Integer> ids, boolean kernelL4) {
        return switch (target) {
            case PortTarget.Proxy proxy -> new Serving(Structs.MODE_PROXY, proxy.reason(), List.of(), false);
            case PortTarget.Http _ -> {
                byte mode = spoken == AppProtocol.AUTO ? Structs.MODE_MAYBE_HTTP : Structs.MODE_HTTP;
                yield new Serving(mode, Reason.NONE, List.of(), false);
            }
            case PortTarget.Undecided _ -> new Serving(Structs.MODE_PROXY, Reason.NONE, List.of(), true);
            case PortTarget.Kernel(var slots, var choice) -> {
                if (!kernelL4) {
                    yield new Serving(Structs.MODE_PROXY, Reason.KERNEL_L4_OFF, List.of(), false);
                }
                List<EndpointValue> values = new ArrayList<>();
                for (Endpoint endpoint : slots) {
                    InetAddress address = MeshNetwork.address(endpoint.address());
                    values.add(new EndpointValue(address, ids.getOrDefault(address, 0), endpoint.port()));
                }
                yield new Serving(Structs.MODE_KERNEL, Reason.NONE, values, false, choice);
            }
        };
    }

    /** Which rules concern each workload; none for one whose identity the table does not know yet. */
    private static Map<Integer, Integer> sources(HttpTable table, List<Lease> leases) {
        if (table.rules().isEmpty()) {
            return Map.of();
        }
        Map<Integer, Integer> sources = new HashMap<>();
        for (Lease lease : leases) {
            Integer bits = table.concerns().get(lease.caller());
            if (lease.live() && bits != null) {
                sources.put(lease.id(), bits);
            }
        }
        return sources;
    }

    /** Addresses as the kernel looks them up: an IPv6 twin is found by its IPv4 address. */
    private static List<InetAddress> keyAddresses(MeshNetwork network, List<String> addresses) {
        List<InetAddress> keys = new ArrayList<>();
        for (String text : addresses) {
            Optional<InetAddress> address = Ip.parse(text);
            boolean twin = text.indexOf(':') >= 0
                    && !network.services6().isEmpty()
                    && addresses.stream()
                            .flatMap(other -> Ip.parse4(other).stream())
                            .anyMatch(v4 -> Ip.twin(network.services6(), v4)
                                    .equals(address.map(Ip::text).orElse("")));
            if (address.isPresent() && !twin) {
                keys.add(address.get());
            }
        }
        return keys;
    }
}
