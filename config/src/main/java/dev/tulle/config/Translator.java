package dev.tulle.config;

import dev.tulle.config.Backends.Backend;
import dev.tulle.config.DestinationRule.TrafficPolicy;
import dev.tulle.config.ServiceCatalog.Draft;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Cluster;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.EndpointChoice;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Http2Options;
import dev.tulle.model.Listener;
import dev.tulle.model.Locality;
import dev.tulle.model.MeshState;
import dev.tulle.model.PortPath;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.Workload;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Turns configuration and registered workloads into what the control plane distributes. Pure: the same inputs (and the
 * same answers of the allocator) give the same output.
 */
public final class Translator {
    /** Where one mesh of a host has them. */
    private static final Path SECRETS = Path.of("/run/tulle/secrets");

    private final Backends backends;
    private final Policies policies;
    private final RouteTables routeTables;
    /** The policies that only a request can answer. */
    private final Set<String> readers;

    private final VipAllocator vips;
    private final List<Problem> problems;
    private final Credentials credentials;

    private final Map<String, Service> services = new HashMap<>();
    private final Map<String, Listener> listeners = new HashMap<>();
    private final Map<String, RouteConfiguration> routes = new HashMap<>();
    private final Map<String, Cluster> clusters = new HashMap<>();
    private final Map<String, EndpointSet> endpoints = new HashMap<>();

    private Translator(
            ServiceCatalog catalog,
            Backends backends,
            ConfigSnapshot config,
            VipAllocator vips,
            Credentials credentials,
            List<Problem> problems) {
        this.backends = backends;
        this.vips = vips;
        this.problems = problems;
        this.credentials = credentials;
        this.policies = new Policies(config.destinationRules(), catalog::knows);
        this.routeTables = new RouteTables(config, catalog, problems);
        this.readers = config.authorizations().stream()
                .filter(authorization -> !authorization.trial())
                .map(IstioAuthorization::policy)
                .filter(AuthorizationPolicy::needsRequest)
                .map(AuthorizationPolicy::name)
                .collect(Collectors.toSet());
    }

    /**
     * Translates.
     *
     * @param registered the workloads that nodes registered
     * @param localities where the nodes are that said so, by name
     */
    public static Translation translate(
            ConfigSnapshot config,
            Collection<Workload> registered,
            Map<String, Locality> localities,
            VipAllocator vips) {
        return translate(config, registered, List.of(), localities, vips);
    }

    /**
     * Translates.
     *
     * @param registered the workloads that nodes registered
     * @param remembered workloads that have left a while ago: services that only they name keep name and address
     * @param localities where the nodes are that said so, by name
     */
    public static Translation translate(
            ConfigSnapshot config,
            Collection<Workload> registered,
            Collection<Workload> remembered,
            Map<String, Locality> localities,
            VipAllocator vips) {
        return translate(config, registered, remembered, localities, vips, SECRETS);
    }

    /**
     * Translates.
     *
     * @param secrets where the proxies find what Secrets hold, as {@link Translation#secrets files}
     */
    public static Translation translate(
            ConfigSnapshot config,
            Collection<Workload> registered,
            Collection<Workload> remembered,
            Map<String, Locality> localities,
            VipAllocator vips,
            Path secrets) {
        List<Problem> problems = new ArrayList<>();
        TreeMap<String, Workload> workloads = new TreeMap<>();
        Map<String, ServiceEntry.Peer> peers = new HashMap<>();
        for (WorkloadEntry entry : config.workloadEntries()) {
            Workload workload = guarded(workload(entry), config.authorizations());
            workloads.put(workload.uid(), workload);
            peers.put(workload.uid(), entry.peer());
        }
        for (Workload workload : registered) {
            workloads.put(workload.uid(), guarded(workload, config.authorizations()));
        }
        ServiceCatalog catalog = ServiceCatalog.of(config, workloads.values(), remembered, problems);
        Backends backends = new Backends(workloads.values(), peers, catalog);
        Credentials credentials = new Credentials(config.resources(), secrets, problems);
        Translator translator = new Translator(catalog, backends, config, vips, credentials, problems);
        for (Draft draft : catalog.drafts()) {
            translator.service(draft);
        }
        translator.routeTables.reportUnused();
        translator.edge(config);
        MeshState state = new MeshState(
                translator.services,
                workloads,
                translator.listeners,
                translator.routes,
                translator.clusters,
                translator.endpoints,
                config.authorizations().stream()
                        .filter(authorization -> !authorization.trial())
                        .map(IstioAuthorization::policy)
                        .collect(Collectors.toMap(AuthorizationPolicy::name, policy -> policy)),
                localities);
        return new Translation(state, problems, credentials.files());
    }

    /** What the gateway serves. */
    private void edge(ConfigSnapshot config) {
        EdgeClaims claims = new EdgeClaims(config);
        EdgeTables istio = EdgeTables.of(config, claims, routeTables, credentials);
        ApiEdgeTables own = ApiEdgeTables.of(GatewayAttachments.of(config, claims, problems), routeTables, credentials);
        List<Listener.Target.Chain> chains = Stream.concat(istio.chains().stream(), own.chains().stream())
                .sorted(Comparator.comparingInt(Listener.Target.Chain::port))
                .toList();
        if (!chains.isEmpty()) {
            Listener.Target target = new Listener.Target.Edge(chains, istio.announced());
            listeners.put(
                    Listener.EDGE,
                    new Listener(Listener.EDGE, "0.0.0.0", chains.getFirst().port(), "", target));
        }
        istio.routes().forEach(table -> routes.put(table.name(), table));
        own.routes().forEach(table -> routes.put(table.name(), table));
    }

    private static Workload guarded(Workload workload, List<IstioAuthorization> authorizations) {
        List<String> names = authorizations.stream()
                .filter(authorization -> authorization.appliesTo(workload))
                .map(authorization -> authorization.policy().name())
                .toList();
        return names.isEmpty() && workload.policies().isEmpty() ? workload : workload.withPolicies(names);
    }

    private static Workload workload(WorkloadEntry entry) {
        return new Workload(
                        "config/" + entry.namespace() + "/" + entry.name(),
                        entry.name(),
                        entry.namespace(),
                        entry.serviceAccount(),
                        "",
                        List.of(entry.peer().address()),
                        entry.peer().labels(),
                        List.of(),
                        List.of(),
                        true,
                        entry.ref())
                .in(entry.peer().locality());
    }

    private void service(Draft draft) {
        List<String> addresses =
                draft.addresses().isEmpty() ? vips.addresses(draft.namespace(), draft.hostname()) : draft.addresses();
        HostRules rules = policies.rulesOf(draft.namespace(), draft.hostname());
        List<PortPath> paths = new ArrayList<>();
        for (ServicePort port : draft.ports()) {
            List<Backend> found = backends.of(draft, port);
            clusters(draft, port, rules, found);
            paths.add(port(draft, port, addresses, rules, found));
        }
        Service service =
                new Service(draft.namespace(), draft.hostname(), addresses, draft.ports(), draft.origin(), paths);
        services.put(draft.namespace() + "/" + draft.hostname(), service);
    }

    private void clusters(Draft draft, ServicePort port, HostRules rules, List<Backend> found) {
        TrafficPolicy base = rules.policy();
        cluster(draft, port, "", base, rules.origin().orElse(draft.origin()), found, Map.of());
        for (HostRules.Declared declared : rules.subsets()) {
            DestinationRule.Subset subset = declared.subset();
            TrafficPolicy policy = subset.policy().over(base);
            cluster(draft, port, subset.name(), policy, declared.rule().ref(), found, subset.labels());
        }
    }

    private void cluster(
            Draft draft,
            ServicePort port,
            String subset,
            TrafficPolicy policy,
            ResourceRef origin,
            List<Backend> found,
            Map<String, String> labels) {
        String name = Cluster.nameOf(port.number(), subset, draft.hostname());
        // The proxy does not remember callers: hashing is the nearest that it has to session affinity.
        Balancing usual = draft.stickySeconds() > 0 ? Balancing.SOURCE_HASH : Balancing.LEAST_REQUEST;
        Balancing balancing =
                draft.passthrough() ? Balancing.PASSTHROUGH : policy.balancing().orElse(usual);
        Cluster.Protocol spoken = protocol(port, policy);
        Cluster cluster = new Cluster(
                name,
                draft.hostname(),
                port.number(),
                subset,
                balancing,
                policy.pool().connectTimeout().orElse(Cluster.DEFAULT_CONNECT_TIMEOUT),
                policy.pool().maxConnections().orElse(0),
                policy.pool().maxPendingRequests().orElse(0),
                policy.pool().maxRequestsPerConnection().orElse(0),
                policy.pool().idleTimeout().orElse(Cluster.DEFAULT_IDLE_TIMEOUT),
                spoken,
                spoken == Cluster.Protocol.HTTP1
                        ? Http2Options.NONE
                        : policy.pool().http2(),
                policy.tls().flatMap(tls -> tls.upstream(draft.hostname(), origin, credentials)),
                policy.proxyProtocol().orElse(Cluster.ProxyProtocol.NONE),
                origin);
        if (clusters.putIfAbsent(name, cluster) == null) {
            endpoints.put(
                    name,
                    new EndpointSet(
                            name,
                            found.stream()
                                    .filter(b -> Backends.matches(labels, b.labels()))
                                    .map(Backend::endpoint)
                                    .toList(),
                            policy.locality().orElse(draft.preference())));
        }
    }

    private static Cluster.Protocol protocol(ServicePort port, TrafficPolicy policy) {
        Optional<Cluster.Protocol> ruled = policy.pool().protocol();
        return switch (port.protocol()) {
            case HTTP2, GRPC -> ruled.orElse(Cluster.Protocol.HTTP2);
            case AUTO -> ruled.orElse(Cluster.Protocol.AS_CLIENT);
            case HTTP -> ruled.orElse(Cluster.Protocol.HTTP1);
            case TCP, TLS, UDP -> Cluster.Protocol.HTTP1;
        };
    }

    /** Makes the listeners and the route table of a port, and says which path serves it. */
    private PortPath port(Draft draft, ServicePort port, List<String> addresses, HostRules rules, List<Backend> found) {
        EndpointChoice choice = Policies.choice(rules.policy(), draft.stickySeconds());
        if (port.protocol() == AppProtocol.UDP) {
            return new PortPath(port.number(), PortPath.Path.KERNEL_L4, "UDP: the kernel chooses the endpoint", choice);
        }
        Optional<RouteTables.Split> split = routeTables.tcp(draft, port);
        List<WeightedCluster> bytes = split.map(RouteTables.Split::clusters)
                .orElseGet(() -> List.of(new WeightedCluster(Cluster.nameOf(port.number(), "", draft.hostname()), 1)));
        boolean detect = port.protocol() == AppProtocol.AUTO;
        Optional<String> reads = readsRequests(draft, port, rules, found);
        Listener.Target target;
        if (reads.isPresent()) {
            RouteConfiguration table = routeTables.http(draft, port, addresses);
            routes.put(table.name(), table);
            boolean http2 = port.protocol() == AppProtocol.HTTP2 || port.protocol() == AppProtocol.GRPC;
            target = new Listener.Target.Http(table.name(), detect, detect ? bytes : List.of(), 0, http2);
        } else {
            target = new Listener.Target.Tcp(bytes);
            if (port.protocol() == AppProtocol.TCP || port.protocol() == AppProtocol.TLS) {
                routeTables.reportHttpOnBytes(draft, port);
            }
        }
        for (String address : addresses) {
            listener(draft, port, address, target);
        }
        return reads.map(why -> proxy(port.number(), why))
                .orElseGet(() -> path(draft, port, split, rules, found, choice));
    }

    /** Why the proxy has to read the requests of a port; empty where connections are carried as bytes. */
    private Optional<String> readsRequests(Draft draft, ServicePort port, HostRules rules, List<Backend> found) {
        return switch (port.protocol()) {
            case HTTP -> Optional.of("HTTP: each request is routed");
            case AUTO -> Optional.of("the port does not say what is spoken: the proxy looks at the first bytes");
            case HTTP2, GRPC ->
                routeTables
                        .ruledBy(draft, port)
                        .map(rule -> rule + " routes its requests")
                        .or(() -> Policies.needsProxy(rules.policy())
                                .or(() -> Policies.needsHttp2(rules.policy().pool()))
                                .map(need -> rules.origin().orElse(draft.origin()) + " sets " + need))
                        .or(() -> found.stream()
                                .flatMap(backend -> backend.policies().stream())
                                .filter(readers::contains)
                                .findFirst()
                                .map(policy -> "AuthorizationPolicy " + policy + ": each request is checked"))
                        .map(why -> port.protocol() + ": " + why);
            case TCP, TLS, UDP -> Optional.empty();
        };
    }

    private void listener(Draft draft, ServicePort port, String address, Listener.Target target) {
        String name = Listener.nameOf(address, port.number());
        Listener listener = new Listener(name, address, port.number(), draft.hostname(), target);
        Listener earlier = listeners.putIfAbsent(name, listener);
        if (earlier != null) {
            problems.add(Problems.about(
                            draft.origin(),
                            "",
                            address + ":" + port.number(),
                            "an address and port that no other service has",
                            "the service " + earlier.hostname() + " already has this address and port")
                    .as(Warning.ADDRESS_TAKEN));
        }
    }

    private static PortPath path(
            Draft draft,
            ServicePort port,
            Optional<RouteTables.Split> split,
            HostRules rules,
            List<Backend> found,
            EndpointChoice choice) {
        int number = port.number();
        if (split.isPresent()) {
            return proxy(number, split.get().origin() + " routes its connections");
        }
        if (draft.passthrough()) {
            return proxy(number, "connections go to the address that was dialled");
        }
        Optional<String> needs = Policies.needsProxy(rules.policy());
        if (needs.isPresent()) {
            return proxy(number, rules.origin().orElse(draft.origin()) + " sets " + needs.get());
        }
        if (found.stream().anyMatch(b -> !Words.isIpAddress(b.endpoint().address()))) {
            return proxy(number, "its endpoints are host names");
        }
        Optional<String> policy =
                found.stream().flatMap(b -> b.policies().stream()).findFirst();
        if (policy.isPresent()) {
            String reason = "AuthorizationPolicy " + policy.get() + ": each connection is checked";
            return new PortPath(number, PortPath.Path.PROXY, reason, choice, true);
        }
        String what = port.protocol() == AppProtocol.TCP ? "plain TCP" : port.protocol() + ", carried as bytes";
        return new PortPath(
                number, PortPath.Path.KERNEL_L4, what + ": the kernel chooses the endpoint at connect", choice);
    }

    private static PortPath proxy(int port, String reason) {
        return new PortPath(port, PortPath.Path.PROXY, reason);
    }
}
