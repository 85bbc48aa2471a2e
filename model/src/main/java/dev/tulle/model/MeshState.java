package dev.tulle.model;

import java.util.Map;

/**
 * Everything that the control plane distributes, translated from configuration and registrations: one immutable,
 * internally consistent view. Keys are the resources' names; services by {@code namespace/hostname}, workloads by uid,
 * policies by {@code namespace/name}.
 *
 * @param localities of the nodes that said theirs, by the node's name: what clients on a node prefer follows from it
 */
public record MeshState(
        Map<String, Service> services,
        Map<String, Workload> workloads,
        Map<String, Listener> listeners,
        Map<String, RouteConfiguration> routes,
        Map<String, Cluster> clusters,
        Map<String, EndpointSet> endpoints,
        Map<String, AuthorizationPolicy> policies,
        Map<String, Locality> localities) {
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
        localities = Map.copyOf(localities);
    }

    /** A mesh whose nodes are nowhere in particular. */
    public MeshState(
            Map<String, Service> services,
            Map<String, Workload> workloads,
            Map<String, Listener> listeners,
            Map<String, RouteConfiguration> routes,
            Map<String, Cluster> clusters,
            Map<String, EndpointSet> endpoints,
            Map<String, AuthorizationPolicy> policies) {
        this(services, workloads, listeners, routes, clusters, endpoints, policies, Map.of());
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
