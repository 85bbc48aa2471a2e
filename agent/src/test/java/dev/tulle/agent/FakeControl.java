package dev.tulle.agent;

import dev.tulle.agent.identity.CertificateSource;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointChoice;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.Listener;
import dev.tulle.model.PortPath;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.Workload;
import dev.tulle.xds.NodeLease;
import dev.tulle.xds.RegistrationAnswer;
import dev.tulle.xds.RegistrationClient;
import dev.tulle.xds.RegistrationOptions;
import dev.tulle.xds.RegistrationStatus;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.WorkloadRegistration;
import dev.tulle.xds.XdsClient;
import dev.tulle.xds.XdsStatus;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/** A control plane in the same process: a table of resources, and a list of announced workloads. Thread-safe. */
final class FakeControl implements ControlLinks {
    final Map<String, WorkloadRegistration> registered = new ConcurrentHashMap<>();
    private final String prefix;
    private final Map<String, Object> resources = new HashMap<>();
    private final Map<String, List<ResourceWatcher<Object>>> watchers = new HashMap<>();
    private final Map<String, List<String>> guards = new ConcurrentHashMap<>();
    private volatile boolean connected = true;
    private volatile Function<String, CompletableFuture<RegistrationAnswer>> answers =
            uid -> CompletableFuture.completedFuture(new RegistrationAnswer.Accepted(uid));

    FakeControl(String prefix) {
        this.prefix = prefix;
    }

    /** A workload that must have been announced. */
    WorkloadRegistration announced(String uid) {
        return java.util.Objects.requireNonNull(registered.get(uid), uid);
    }

    /** How registrations are answered from now on, by uid. */
    void answering(Function<String, CompletableFuture<RegistrationAnswer>> how) {
        answers = how;
    }

    void connected(boolean value) {
        connected = value;
    }

    /** Declares a service with one port. */
    void service(String name, String vip, int port, PortPath.Path path, List<Endpoint> endpoints) {
        String hostname = name + ".default.svc.cluster.local";
        AppProtocol protocol = path == PortPath.Path.KERNEL_L4 ? AppProtocol.TCP : AppProtocol.HTTP;
        String cluster = Cluster.nameOf(port, "", hostname);
        put(ResourceType.ENDPOINTS, cluster, new EndpointSet(cluster, endpoints));
        String listener = Listener.nameOf(vip, port);
        put(
                ResourceType.LISTENER,
                listener,
                new Listener(
                        listener,
                        vip,
                        port,
                        hostname,
                        new Listener.Target.Tcp(List.of(new WeightedCluster(cluster, 1)))));
        declare(hostname, vip, protocol, new PortPath(port, path, "test"));
    }

    /** Says which policies are about a workload, now or once it is announced. */
    void guard(String uid, List<String> policies) {
        guards.put(uid, policies);
        WorkloadRegistration workload = registered.get(uid);
        if (workload != null) {
            put(
                    ResourceType.WORKLOAD,
                    uid,
                    new Workload(
                                    uid,
                                    workload.name(),
                                    workload.namespace(),
                                    workload.serviceAccount(),
                                    "testnode",
                                    workload.addresses(),
                                    workload.labels(),
                                    workload.services(),
                                    workload.ports(),
                                    true,
                                    ResourceRef.DEFAULT)
                            .withPolicies(policies));
        }
    }

    /** Declares a service with one TCP port that only policies keep off the kernel's path. */
    void policed(String name, String vip, int port, List<Endpoint> endpoints) {
        service(name, vip, port, PortPath.Path.KERNEL_L4, endpoints);
        String hostname = name + ".default.svc.cluster.local";
        declare(
                hostname,
                vip,
                AppProtocol.TCP,
                new PortPath(
                        port,
                        PortPath.Path.PROXY,
                        "AuthorizationPolicy: each connection is checked",
                        EndpointChoice.RANDOM,
                        true));
    }

    /** Declares a service whose port speaks HTTP, with one route to one cluster. */
    void http(String name, String vip, int port, List<Endpoint> endpoints, List<AuthorizationPolicy> policies) {
        String hostname = name + ".default.svc.cluster.local";
        String cluster = Cluster.nameOf(port, "", hostname);
        String routes = hostname + ":" + port;
        String listener = Listener.nameOf(vip, port);
        policies.forEach(policy -> put(ResourceType.AUTHORIZATION, policy.name(), policy));
        for (Endpoint endpoint : endpoints) {
            put(
                    ResourceType.WORKLOAD,
                    ResourceType.nameOfAddress(endpoint.address()),
                    new Workload(
                                    "testnode/default/" + endpoint.workload(),
                                    endpoint.workload(),
                                    "default",
                                    "default",
                                    "testnode",
                                    List.of(endpoint.address()),
                                    Map.of(),
                                    List.of(name),
                                    List.of(),
                                    true,
                                    ResourceRef.DEFAULT)
                            .withPolicies(policies.stream()
                                    .map(AuthorizationPolicy::name)
                                    .toList()));
        }
        put(ResourceType.ENDPOINTS, cluster, new EndpointSet(cluster, endpoints));
        put(
                ResourceType.CLUSTER,
                cluster,
                new Cluster(
                        cluster,
                        hostname,
                        port,
                        "",
                        Cluster.Balancing.LEAST_REQUEST,
                        Cluster.DEFAULT_CONNECT_TIMEOUT,
                        0,
                        0,
                        0,
                        Cluster.DEFAULT_IDLE_TIMEOUT,
                        Cluster.Protocol.HTTP1,
                        ResourceRef.DEFAULT));
        Route route = new Route(
                "default",
                RouteMatch.ANY,
                new RouteAction.Forward(
                        List.of(new WeightedCluster(cluster, 1)),
                        Duration.ZERO,
                        RetryPolicy.DEFAULT,
                        RouteAction.Rewrite.NONE,
                        List.of()),
                List.of(),
                HeaderMutation.NONE,
                ResourceRef.DEFAULT);
        put(
                ResourceType.ROUTE,
                routes,
                new RouteConfiguration(routes, List.of(new VirtualHost(routes, List.of("*"), List.of(route)))));
        put(
                ResourceType.LISTENER,
                listener,
                new Listener(listener, vip, port, hostname, new Listener.Target.Http(routes, false, List.of())));
        declare(hostname, vip, AppProtocol.HTTP, new PortPath(port, PortPath.Path.PROXY, "requests are routed"));
    }

    private void declare(String hostname, String vip, AppProtocol protocol, PortPath path) {
        put(
                ResourceType.SERVICE,
                "default/" + hostname,
                new Service(
                        "default",
                        hostname,
                        List.of(vip),
                        List.of(new ServicePort(path.port(), path.port(), protocol, "")),
                        ResourceRef.DEFAULT,
                        List.of(path)));
    }

    synchronized <T> void put(ResourceType<T> type, String name, T value) {
        resources.put(type + " " + name, value);
        watchers.getOrDefault(type + " " + name, List.of()).forEach(watcher -> watcher.onChanged(value));
    }

    synchronized void remove(ResourceType<?> type, String name) {
        resources.remove(type + " " + name);
        watchers.getOrDefault(type + " " + name, List.of()).forEach(ResourceWatcher::onAbsent);
    }

    @Override
    public XdsClient xds() {
        return new XdsClient() {
            @Override
            @SuppressWarnings("unchecked")
            public <T> Subscription watch(ResourceType<T> type, String name, ResourceWatcher<T> watcher) {
                String key = type + " " + name;
                ResourceWatcher<Object> any = (ResourceWatcher<Object>) watcher;
                synchronized (FakeControl.this) {
                    watchers.computeIfAbsent(key, _ -> new ArrayList<>()).add(any);
                    Object value = resources.get(key);
                    if (value != null) {
                        any.onChanged(value);
                    } else if (connected) {
                        any.onAbsent();
                    }
                }
                return () -> {
                    synchronized (FakeControl.this) {
                        watchers.getOrDefault(key, new ArrayList<>()).remove(any);
                    }
                };
            }

            @Override
            public XdsStatus status() {
                return new XdsStatus("fake:0", connected, Instant.EPOCH, "", 1, List.of());
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public CertificateSource certificates() {
        return (identity, _) -> {
            throw new IOException("nobody signs for " + identity);
        };
    }

    @Override
    public RegistrationClient registration(RegistrationOptions options, RegistrationClient.Listener listener) {
        NodeLease lease = new NodeLease(prefix, "100.80.0.0/16", "240.242.0.0/16", Duration.ofSeconds(10));
        listener.onLease(lease);
        return new RegistrationClient() {
            @Override
            public CompletableFuture<RegistrationAnswer> register(WorkloadRegistration workload) {
                String uid = workload.uid(options.nodeId());
                registered.put(uid, workload);
                if (connected) {
                    guard(uid, guards.getOrDefault(uid, List.of()));
                }
                return answers.apply(uid);
            }

            @Override
            public void health(String uid, boolean healthy) {
                registered.computeIfPresent(uid, (_, workload) -> workload.withHealth(healthy));
            }

            @Override
            public void deregister(String uid) {
                registered.remove(uid);
                remove(ResourceType.WORKLOAD, uid);
            }

            @Override
            public RegistrationStatus status() {
                return new RegistrationStatus(true, Instant.EPOCH, Optional.of(lease), registered.size(), 0, "");
            }

            @Override
            public void close() {}
        };
    }
}
