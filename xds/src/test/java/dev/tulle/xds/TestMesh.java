package dev.tulle.xds;

import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.Service;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.Workload;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A small mesh that tests change step by step. */
final class TestMesh {
    final Map<String, Service> services = new LinkedHashMap<>();
    final Map<String, Workload> workloads = new LinkedHashMap<>();
    final Map<String, Listener> listeners = new LinkedHashMap<>();
    final Map<String, RouteConfiguration> routes = new LinkedHashMap<>();
    final Map<String, Cluster> clusters = new LinkedHashMap<>();
    final Map<String, EndpointSet> endpoints = new LinkedHashMap<>();

    MeshState state() {
        return new MeshState(services, workloads, listeners, routes, clusters, endpoints);
    }

    void cluster(String hostname, String subset, Duration connectTimeout) {
        String name = Cluster.nameOf(9080, subset, hostname);
        clusters.put(
                name,
                new Cluster(
                        name,
                        hostname,
                        9080,
                        subset,
                        Cluster.Balancing.ROUND_ROBIN,
                        connectTimeout,
                        0,
                        0,
                        0,
                        Cluster.DEFAULT_IDLE_TIMEOUT,
                        Cluster.Protocol.HTTP1,
                        ResourceRef.DEFAULT));
    }

    void endpoints(String hostname, String subset, Endpoint... endpoint) {
        String name = Cluster.nameOf(9080, subset, hostname);
        endpoints.put(name, new EndpointSet(name, List.of(endpoint)));
    }

    void route(String hostname, String subset) {
        String name = hostname + ":9080";
        RouteAction.Forward forward = new RouteAction.Forward(
                List.of(new WeightedCluster(Cluster.nameOf(9080, subset, hostname), 1)),
                Duration.ZERO,
                RetryPolicy.DEFAULT,
                RouteAction.Rewrite.NONE,
                List.of());
        routes.put(
                name,
                new RouteConfiguration(
                        name,
                        List.of(new VirtualHost(
                                name,
                                List.of("*"),
                                List.of(new Route(
                                        "default",
                                        RouteMatch.ANY,
                                        forward,
                                        List.of(),
                                        HeaderMutation.NONE,
                                        ResourceRef.DEFAULT))))));
    }

    void listener(String address, int port, String hostname) {
        String name = Listener.nameOf(address, port);
        listeners.put(
                name,
                new Listener(
                        name, address, port, hostname, new Listener.Target.Http(hostname + ":9080", false, List.of())));
    }

    void service(String hostname, String... addresses) {
        services.put(
                "default/" + hostname,
                new Service("default", hostname, List.of(addresses), List.of(), ResourceRef.DEFAULT, List.of()));
    }

    void workload(String name, boolean healthy, String... addresses) {
        String uid = "n1/default/" + name;
        workloads.put(
                uid,
                new Workload(
                        uid,
                        name,
                        "default",
                        name,
                        "n1",
                        List.of(addresses),
                        Map.of(),
                        List.of(),
                        List.of(),
                        healthy,
                        ResourceRef.DEFAULT));
    }
}
