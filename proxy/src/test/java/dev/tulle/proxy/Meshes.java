package dev.tulle.proxy;

import dev.tulle.model.AppProtocol;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.Http2Options;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import dev.tulle.model.UpstreamTls;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.Workload;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Small mesh states for tests and benchmarks: one service, {@code web}, with subsets. */
public final class Meshes {
    /** The virtual address of the service. */
    public static final String VIP = "240.240.0.1";

    /** Its port. */
    public static final int PORT = 80;

    /** Its host name. */
    public static final String HOST = "web.default.svc.cluster.local";

    private final Map<String, Cluster> clusters = new HashMap<>();
    private final Map<String, EndpointSet> endpoints = new HashMap<>();
    private final Map<String, Workload> workloads = new HashMap<>();
    private final Map<String, AuthorizationPolicy> policies = new HashMap<>();
    private List<Route> routes = List.of(forward("default", RouteMatch.ANY, ""));
    private Cluster.Balancing balancing = Cluster.Balancing.LEAST_REQUEST;
    private Cluster.Protocol protocol = Cluster.Protocol.HTTP1;
    private Http2Options http2 = Http2Options.NONE;
    private int perConnection;
    private Optional<UpstreamTls> tls = Optional.empty();
    private Cluster.ProxyProtocol proxyProtocol = Cluster.ProxyProtocol.NONE;
    private Listener.Target target = new Listener.Target.Http(HOST + ":80", false, List.of());

    /** Nothing but the service. */
    public static Meshes mesh() {
        return new Meshes();
    }

    /** The cluster of a subset. */
    public static String cluster(String subset) {
        return Cluster.nameOf(PORT, subset, HOST);
    }

    /** How the subsets that are added after this choose their endpoints. */
    public Meshes balancing(Cluster.Balancing how) {
        balancing = how;
        return this;
    }

    /** What the subsets that are added after this speak. */
    public Meshes protocol(Cluster.Protocol spoken) {
        protocol = spoken;
        return this;
    }

    /** How connections of HTTP/2 to the endpoints of the subsets that are added after this are kept. */
    public Meshes http2(Http2Options how) {
        http2 = how;
        return this;
    }

    /** How many requests a connection to the endpoints of the subsets that are added after this carries; 0 for any number. */
    public Meshes perConnection(int requests) {
        perConnection = requests;
        return this;
    }

    /** What connections to the endpoints of the subsets that are added after this begin with. */
    public Meshes proxyProtocol(Cluster.ProxyProtocol version) {
        proxyProtocol = version;
        return this;
    }

    /** How the endpoints of the subsets that are added after this are spoken to. */
    public Meshes tls(UpstreamTls how) {
        tls = Optional.of(how);
        return this;
    }

    /** Endpoints of a subset, all on the loopback address. */
    public Meshes subset(String subset, int... ports) {
        return bounded(subset, 0, 0, ports);
    }

    /** Endpoints of a subset with bounds on connections and pending requests. */
    public Meshes bounded(String subset, int maxConnections, int maxPending, int... ports) {
        String name = cluster(subset);
        clusters.put(
                name,
                new Cluster(
                        name,
                        HOST,
                        PORT,
                        subset,
                        balancing,
                        Duration.ofSeconds(2),
                        maxConnections,
                        maxPending,
                        perConnection,
                        Cluster.DEFAULT_IDLE_TIMEOUT,
                        protocol,
                        http2,
                        tls,
                        proxyProtocol,
                        ResourceRef.DEFAULT));
        endpoints.put(
                name,
                new EndpointSet(
                        name,
                        java.util.Arrays.stream(ports)
                                .mapToObj(port -> new Endpoint("127.0.0.1", port, 1, true, "web-" + port, "default"))
                                .toList()));
        return this;
    }

    /** The routes, in order. */
    public Meshes routes(Route... all) {
        routes = List.of(all);
        return this;
    }

    /** Opaque connections instead of requests. */
    public Meshes tcp(WeightedCluster... split) {
        target = new Listener.Target.Tcp(List.of(split));
        return this;
    }

    /** Detection instead of requests. */
    public Meshes detect() {
        target = new Listener.Target.Http(HOST + ":80", true, List.of(new WeightedCluster(cluster(""), 1)));
        return this;
    }

    /** A port that says that HTTP/2 is spoken. */
    public Meshes saysHttp2() {
        target = new Listener.Target.Http(HOST + ":80", false, List.of(), 0, true);
        return this;
    }

    /** Policies, all of which apply to every endpoint's workload. */
    public Meshes policies(AuthorizationPolicy... all) {
        for (AuthorizationPolicy policy : all) {
            policies.put(policy.name(), policy);
        }
        return this;
    }

    /** A workload. */
    public Meshes workload(Workload workload) {
        workloads.put(workload.uid(), workload);
        return this;
    }

    /** A route that forwards everything it matches to one subset. */
    public static Route forward(String name, RouteMatch match, String subset) {
        return route(
                name,
                match,
                action(List.of(new WeightedCluster(cluster(subset), 1)), Duration.ZERO, RetryPolicy.DEFAULT));
    }

    /** A forwarding action. */
    public static RouteAction.Forward action(List<WeightedCluster> split, Duration timeout, RetryPolicy retry) {
        return new RouteAction.Forward(split, timeout, retry, RouteAction.Rewrite.NONE, List.of());
    }

    /** A route that forwards everything to the whole service, with a timeout and retries. */
    public static Route retrying(Duration timeout, RetryPolicy retry) {
        return route("retrying", RouteMatch.ANY, action(List.of(new WeightedCluster(cluster(""), 1)), timeout, retry));
    }

    /** A route without faults and header changes. */
    public static Route route(String name, RouteMatch match, RouteAction action) {
        return new Route(name, match, action, List.of(), HeaderMutation.NONE, ResourceRef.DEFAULT);
    }

    /** The state. */
    public MeshState build() {
        Listener listener = new Listener(Listener.nameOf(VIP, PORT), VIP, PORT, HOST, target);
        RouteConfiguration table =
                new RouteConfiguration(HOST + ":80", List.of(new VirtualHost("web", List.of("*"), routes)));
        Service service = new Service(
                "default",
                HOST,
                List.of(VIP),
                List.of(new ServicePort(PORT, PORT, AppProtocol.HTTP, "http")),
                ResourceRef.DEFAULT,
                List.of());
        Map<String, Workload> all = new HashMap<>(workloads);
        endpoints.values().forEach(set -> set.endpoints().forEach(e -> {
            Workload behind = workload(e);
            all.putIfAbsent(behind.uid(), behind);
        }));
        return new MeshState(
                Map.of("default/" + HOST, service),
                all,
                Map.of(listener.name(), listener),
                Map.of(table.name(), table),
                clusters,
                endpoints,
                policies);
    }

    /** The workload behind an endpoint, known by its name as they all share one address. */
    private Workload workload(Endpoint endpoint) {
        return member(endpoint.namespace(), endpoint.workload(), "default")
                .withPolicies(List.copyOf(policies.keySet()));
    }

    /** A healthy workload of the node, known by its name alone. */
    static Workload member(String namespace, String name, String account) {
        return new Workload(
                "node/" + namespace + "/" + name,
                name,
                namespace,
                account,
                "node",
                List.of(),
                Map.of(),
                List.of(),
                List.of(),
                true,
                ResourceRef.DEFAULT);
    }
}
