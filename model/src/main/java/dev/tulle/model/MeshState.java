package dev.tulle.model;

import java.util.Map;

/**
 * Everything that the control plane distributes, translated from configuration and registrations: one immutable,
 * internally consistent view. Keys are the resources' names; services by {@code namespace/hostname}, workloads by uid,
 * policies by {@code namespace/name}.
 */
public record MeshState(
        Map<String, Service> services,
        Map<String, Workload> workloads,
        Map<String, Listener> listeners,
        Map<String, RouteConfiguration> routes,
        Map<String, Cluster> clusters,
        Map<String, EndpointSet> endpoints,
        Map<String, AuthorizationPolicy> policies) {
    /** Nothing at all. */
    public static final MeshState EMPTY = new MeshState(Map.of(), Map.of(), Map.of(), Map.of(), Map.of(), Map.of());

    public MeshState {
        services = Map.copyOf(services);
        workloads = Map.copyOf(workloads);
        listeners = Map.copyOf(listeners);
        routes = Map.copyOf(routes);
        clusters = Map.copyOf(clusters);
        endpoints = Map.copyOf(endpoints);
        policies = Map.copyOf(policies);
    }

    /** A mesh without authorization policies. */
    public MeshState(
            Map<String, Service> services,
            Map<String, Workload> workloads,
            Map<String, Listener> listeners,
            Map<String, RouteConfiguration> routes,
            Map<String, Cluster> clusters,
            Map<String, EndpointSet> endpoints) {
        this(services, workloads, listeners, routes, clusters, endpoints, Map.of());
    }
}
