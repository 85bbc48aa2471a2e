package dev.tulle.config;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * All resources in force at one moment, and what is wrong with those that are not. Immutable; lists are ordered by
 * namespace and name, so that equal resources give equal translations.
 */
public final class ConfigSnapshot {
    /** No resources, no problems. */
    public static final ConfigSnapshot EMPTY = new ConfigSnapshot(List.of(), List.of());

    private final TreeMap<ResourceKey, ConfigResource> byKey = new TreeMap<>();
    private final List<Problem> problems;
    private final List<KubernetesService> services;
    private final List<ServiceEntry> serviceEntries;
    private final List<WorkloadEntry> workloadEntries;
    private final List<VirtualService> virtualServices;
    private final List<DestinationRule> destinationRules;
    private final List<HttpRoute> httpRoutes;
    private final List<IstioAuthorization> authorizations;
    private final List<IstioGateway> gateways;
    private final List<ReferenceGrant> referenceGrants;
    private final List<TcpRoute> tcpRoutes;
    private final List<ListenerSet> listenerSets;
    private final List<ApiGateway> apiGateways;

    /** Where two resources have one key, the first stays. */
    public ConfigSnapshot(Collection<? extends ConfigResource> resources, List<Problem> problems) {
        for (ConfigResource resource : resources) {
            byKey.putIfAbsent(resource.key(), resource);
        }
        this.problems = List.copyOf(problems);
        this.services = ofType(KubernetesService.class);
        this.serviceEntries = ofType(ServiceEntry.class);
        this.workloadEntries = ofType(WorkloadEntry.class);
        this.virtualServices = ofType(VirtualService.class);
        this.destinationRules = ofType(DestinationRule.class);
        this.httpRoutes = ofType(HttpRoute.class);
        this.authorizations = ofType(IstioAuthorization.class);
        this.gateways = ofType(IstioGateway.class);
        this.referenceGrants = ofType(ReferenceGrant.class);
        this.tcpRoutes = ofType(TcpRoute.class);
        this.listenerSets = ofType(ListenerSet.class);
        this.apiGateways = ofType(ApiGateway.class);
    }

    private <T extends ConfigResource> List<T> ofType(Class<T> type) {
        List<T> found = new ArrayList<>();
        for (ConfigResource resource : byKey.values()) {
            if (type.isInstance(resource)) {
                found.add(type.cast(resource));
            }
        }
        return List.copyOf(found);
    }

    /** Every resource in force, ordered by kind, namespace and name. */
    public List<ConfigResource> resources() {
        return List.copyOf(byKey.values());
    }

    /** The resource with this key. */
    public Optional<ConfigResource> find(ResourceKey key) {
        return Optional.ofNullable(byKey.get(key));
    }

    /** True when the other holds equal resources and problems. */
    boolean sameAs(ConfigSnapshot other) {
        return byKey.equals(other.byKey) && problems.equals(other.problems);
    }

    /** What is wrong, ordered by file and line. */
    public List<Problem> problems() {
        return problems;
    }

    public List<KubernetesService> services() {
        return services;
    }

    public List<ServiceEntry> serviceEntries() {
        return serviceEntries;
    }

    public List<WorkloadEntry> workloadEntries() {
        return workloadEntries;
    }

    public List<VirtualService> virtualServices() {
        return virtualServices;
    }

    public List<DestinationRule> destinationRules() {
        return destinationRules;
    }

    public List<HttpRoute> httpRoutes() {
        return httpRoutes;
    }

    public List<IstioAuthorization> authorizations() {
        return authorizations;
    }

    public List<IstioGateway> gateways() {
        return gateways;
    }

    public List<ApiGateway> apiGateways() {
        return apiGateways;
    }

    public List<ListenerSet> listenerSets() {
        return listenerSets;
    }

    public List<TcpRoute> tcpRoutes() {
        return tcpRoutes;
    }

    public List<ReferenceGrant> referenceGrants() {
        return referenceGrants;
    }

    /** The labels of a namespace, as its object says them. */
    Map<String, String> labelsOf(String namespace) {
        return find(new ResourceKey(KubernetesNamespace.KIND, "", namespace))
                .map(object -> object.manifest().labels())
                .orElse(Map.of());
    }
}
