package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.AppProtocol;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointChoice;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.PortPath;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.Service;
import dev.tulle.model.StringMatch;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.Workload;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Goal: what configuration and workloads amount to. Method: small configurations, and the Bookinfo sample's own. */
class TranslatorTest {
    private static final String REVIEWS = "reviews.default.svc.cluster.local";

    private static List<Route> routes(MeshState state, String table) {
        RouteConfiguration routes = state.routes().get(table);
        assertNotNull(routes, () -> table + " is not in " + state.routes().keySet());
        return routes.virtualHosts().getFirst().routes();
    }

    private static List<String> endpoints(MeshState state, String cluster) {
        EndpointSet set = state.endpoints().get(cluster);
        assertNotNull(set, () -> cluster + " is not in " + state.endpoints().keySet());
        return set.endpoints().stream().map(e -> e.address() + ":" + e.port()).toList();
    }

    private static Service service(MeshState state, String name) {
        Service service = state.services().get(name);
        assertNotNull(service, () -> name + " is not in " + state.services().keySet());
        return service;
    }

    @Test
    void servicesOfBookinfoGetAddressesListenersAndADefaultRoute() {
        Translation translation = Fixtures.translate(Fixtures.bookinfoWorkloads(), Fixtures.bookinfo("services.yaml"));
        assertEquals(List.of(), translation.problems());
        MeshState state = translation.state();
        assertEquals(4, state.services().size());
        assertEquals(6, state.workloads().size());
        Service reviews = service(state, "default/" + REVIEWS);
        String vip = reviews.addresses().getFirst();
        assertTrue(vip.startsWith("240.240."), vip);
        assertEquals(List.of(new PortPath(9080, PortPath.Path.PROXY, "HTTP: each request is routed")), reviews.paths());
        Listener listener = state.listeners().get(vip + "_9080");
        assertNotNull(listener);
        assertEquals(new Listener.Target.Http(REVIEWS + ":9080", false, List.of()), listener.target());
        RouteConfiguration table = state.routes().get(REVIEWS + ":9080");
        assertNotNull(table);
        assertEquals(
                List.of(
                        REVIEWS,
                        REVIEWS + ":9080",
                        "reviews",
                        "reviews:9080",
                        "reviews.default",
                        "reviews.default:9080",
                        "reviews.default.svc",
                        "reviews.default.svc:9080",
                        vip,
                        vip + ":9080",
                        "*"),
                table.virtualHosts().getFirst().domains());
        Route route = routes(state, REVIEWS + ":9080").getFirst();
        assertEquals(ResourceRef.DEFAULT, route.origin());
        assertEquals(RouteMatch.ANY, route.match());
        assertEquals(
                List.of("100.64.0.12:9080", "100.64.0.13:9080", "100.64.0.14:9080"),
                endpoints(state, "outbound|9080||" + REVIEWS));
    }

    @Test
    void subsetsBecomeClustersAndWeightsSplits() {
        MeshState state = Fixtures.translate(
                        Fixtures.bookinfoWorkloads(),
                        Fixtures.bookinfo("services.yaml"),
                        Fixtures.bookinfo("destination-rules.yaml"),
                        Fixtures.bookinfo("virtual-service-reviews-50-v3.yaml"))
                .state();
        assertEquals(List.of("100.64.0.13:9080"), endpoints(state, "outbound|9080|v2|" + REVIEWS));
        Route route = routes(state, REVIEWS + ":9080").getFirst();
        assertEquals("VirtualService", route.origin().kind());
        assertEquals(2, route.origin().line());
        RouteAction.Forward forward = assertInstanceOf(RouteAction.Forward.class, route.action());
        assertEquals(
                List.of(
                        new WeightedCluster("outbound|9080|v1|" + REVIEWS, 50),
                        new WeightedCluster("outbound|9080|v3|" + REVIEWS, 50)),
                forward.clusters());
    }

    @Test
    void aHeaderMatchComesBeforeTheRestAndFaultsKeepTheirShare() {
        MeshState state = Fixtures.translate(
                        Fixtures.bookinfoWorkloads(),
                        Fixtures.bookinfo("services.yaml"),
                        Fixtures.bookinfo("destination-rules.yaml"),
                        Fixtures.bookinfo("virtual-service-ratings-delay-jason.yaml"),
                        Fixtures.bookinfo("virtual-service-reviews-jason-v2.yaml"))
                .state();
        Route jason = routes(state, REVIEWS + ":9080").getFirst();
        assertEquals(
                List.of(new RouteMatch.Named("end-user", new StringMatch.Exact("jason"), false)),
                jason.match().headers());
        assertEquals(2, routes(state, REVIEWS + ":9080").size());
        Route slow = routes(state, "ratings.default.svc.cluster.local:9080").getFirst();
        FaultInjection.Delay delay = new FaultInjection.Delay(Duration.ofSeconds(2), 1_000_000);
        assertEquals(List.of(new FaultInjection(Optional.of(delay), Optional.empty())), slow.filters());
    }

    @Test
    void httpRouteGivesTheSameAsVirtualService() {
        MeshState state = Fixtures.translate(
                        Fixtures.bookinfoWorkloads(),
                        Fixtures.bookinfo("services.yaml"),
                        Fixtures.bookinfo("http-route-reviews-jason-v2.yaml"))
                .state();
        List<Route> routes = routes(state, REVIEWS + ":9080");
        assertEquals(2, routes.size());
        RouteAction.Forward first =
                assertInstanceOf(RouteAction.Forward.class, routes.getFirst().action());
        assertEquals(
                "outbound|9080||reviews-v2.default.svc.cluster.local",
                first.clusters().getFirst().cluster());
        assertEquals(
                List.of("100.64.0.13:9080"), endpoints(state, "outbound|9080||reviews-v2.default.svc.cluster.local"));
    }

    @Test
    void aWorkloadMakesTheServiceThatNobodyDeclares() {
        Workload one = Fixtures.workload("orders", "v1", "100.64.0.20", "orders");
        MeshState state = Fixtures.translate(List.of(one)).state();
        Service orders = service(state, "default/orders.default.svc.cluster.local");
        assertEquals("Registration", orders.origin().kind());
        assertEquals(9080, orders.ports().getFirst().number());
        assertEquals(List.of("100.64.0.20:9080"), endpoints(state, "outbound|9080||orders.default.svc.cluster.local"));
    }

    @Test
    void workloadsThatDisagreeAboutAProtocolAreReported() {
        Workload one = Fixtures.workload("orders", "v1", "100.64.0.20", "orders");
        Workload two = new Workload(
                "node1/default/orders-v2",
                "orders-v2",
                "default",
                "default",
                "node1",
                List.of("100.64.0.21"),
                Map.of(),
                List.of("orders"),
                List.of(new Workload.WorkloadPort(9080, AppProtocol.TCP)),
                false,
                new ResourceRef("Registration", "default", "orders-v2", "", 0));
        Translation translation = Fixtures.translate(List.of(one, two));
        assertEquals(1, translation.problems().size());
        assertTrue(translation.problems().getFirst().message().contains("disagree"), translation::toString);
        EndpointSet set = translation.state().endpoints().get("outbound|9080||orders.default.svc.cluster.local");
        assertNotNull(set);
        assertEquals(
                List.of(true, false),
                set.endpoints().stream().map(Endpoint::healthy).toList());
    }

    @Test
    void plainTcpIsTheKernelsUntilSomethingNeedsTheProxy() {
        String db = Fixtures.yaml(
                "apiVersion: v1",
                "kind: Service",
                "metadata: {name: db}",
                "spec: {selector: {app: db}, ports: [{name: tcp-db, port: 5432}]}");
        MeshState plain = Fixtures.translate(List.of(), db).state();
        Service service = service(plain, "default/db.default.svc.cluster.local");
        assertEquals(PortPath.Path.KERNEL_L4, service.paths().getFirst().path());
        assertInstanceOf(
                Listener.Target.Tcp.class,
                plain.listeners().values().iterator().next().target());
        String split = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: VirtualService",
                "metadata: {name: db}",
                "spec: {hosts: [db], tcp: [{match: [{port: 5432}], route: [{destination: {host: db}}]}]}");
        Service routed =
                service(Fixtures.translate(List.of(), db, split).state(), "default/db.default.svc.cluster.local");
        assertEquals(PortPath.Path.PROXY, routed.paths().getFirst().path());
        assertTrue(routed.paths().getFirst().reason().contains("VirtualService default/db"), routed::toString);
    }

    /** A port of HTTP/2 is the kernel's until something asks about its requests. */
    @Test
    void requestsOfHttp2AreReadWhereSomethingAsksAboutThem() {
        String calls = Fixtures.yaml(
                "apiVersion: v1",
                "kind: Service",
                "metadata: {name: calls}",
                "spec: {selector: {app: calls}, ports: [{name: grpc, port: 80}]}");
        String name = "default/calls.default.svc.cluster.local";
        MeshState plain = Fixtures.translate(List.of(), calls).state();
        assertEquals(
                PortPath.Path.KERNEL_L4, service(plain, name).paths().getFirst().path());
        assertInstanceOf(
                Listener.Target.Tcp.class,
                plain.listeners().values().iterator().next().target());
        String route = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: VirtualService",
                "metadata: {name: calls}",
                "spec: {hosts: [calls], http: [{route: [{destination: {host: calls}}]}]}");
        String balanced = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: DestinationRule",
                "metadata: {name: calls}",
                "spec: {host: calls, trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}}");
        String alive = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: DestinationRule",
                "metadata: {name: calls}",
                "spec:",
                "  host: calls",
                "  trafficPolicy: {connectionPool: {http: {http2KeepAlive: {interval: 30s, timeout: 5s}}}}");
        for (String more : List.of(route, balanced, alive)) {
            MeshState read = Fixtures.translate(List.of(), calls, more).state();
            PortPath path = service(read, name).paths().getFirst();
            assertEquals(PortPath.Path.PROXY, path.path());
            assertTrue(path.reason().startsWith("GRPC: "), path.reason());
            Listener.Target.Http requests = assertInstanceOf(
                    Listener.Target.Http.class,
                    read.listeners().values().iterator().next().target());
            assertTrue(requests.http2());
            assertEquals(
                    Cluster.Protocol.HTTP2,
                    read.clusters().values().iterator().next().protocol());
        }
    }

    /** A rule may say what endpoints are spoken to in, whatever their port's name says. */
    @ParameterizedTest
    @CsvSource({
        "http, h2UpgradePolicy: UPGRADE, HTTP2",
        "http, useClientProtocol: true, AS_CLIENT",
        "http, h2UpgradePolicy: DO_NOT_UPGRADE, HTTP1",
        "grpc, h2UpgradePolicy: DO_NOT_UPGRADE, HTTP2",
        "grpc, useClientProtocol: true, AS_CLIENT",
        "auto, h2UpgradePolicy: UPGRADE, HTTP2",
        "tcp, h2UpgradePolicy: UPGRADE, HTTP1",
    })
    void protocolOfEndpoints(String port, String said, Cluster.Protocol expected) {
        String web = Fixtures.yaml(
                "apiVersion: v1",
                "kind: Service",
                "metadata: {name: web}",
                "spec: {selector: {app: web}, ports: [{name: " + port + "-x, port: 80}]}");
        String rule = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: DestinationRule",
                "metadata: {name: web}",
                "spec: {host: web, trafficPolicy: {connectionPool: {http: {" + said + ", maxConcurrentStreams: 7}}}}");
        Cluster cluster = Fixtures.translate(List.of(), web, rule)
                .state()
                .clusters()
                .values()
                .iterator()
                .next();
        assertEquals(expected, cluster.protocol());
        assertEquals(expected == Cluster.Protocol.HTTP1 ? 0 : 7, cluster.http2().maxStreams());
    }

    private static PortPath pathOfDb(String loadBalancer, String serviceMore) {
        String db = Fixtures.yaml(
                "apiVersion: v1",
                "kind: Service",
                "metadata: {name: db}",
                "spec: {selector: {app: db}, ports: [{name: tcp-db, port: 5432}]" + serviceMore + "}");
        String rule = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: DestinationRule",
                "metadata: {name: db}",
                "spec: {host: db, trafficPolicy: {loadBalancer: {" + loadBalancer + "}}}");
        MeshState state = loadBalancer.isEmpty()
                ? Fixtures.translate(List.of(), db).state()
                : Fixtures.translate(List.of(), db, rule).state();
        return service(state, "default/db.default.svc.cluster.local").paths().getFirst();
    }

    @Test
    void theKernelChoosesAsTheRuleOrTheServiceSays() {
        assertEquals(EndpointChoice.RANDOM, pathOfDb("", "").choice());
        assertEquals(
                EndpointChoice.of(EndpointChoice.Kind.ROUND_ROBIN),
                pathOfDb("simple: ROUND_ROBIN", "").choice());
        assertEquals(
                EndpointChoice.of(EndpointChoice.Kind.SOURCE_HASH),
                pathOfDb("consistentHash: {useSourceIp: true}", "").choice());
        assertEquals(
                EndpointChoice.sticky(10_800),
                pathOfDb("", ", sessionAffinity: ClientIP").choice());
        PortPath sticky =
                pathOfDb("", ", sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}");
        assertEquals(EndpointChoice.sticky(60), sticky.choice());
        assertEquals(PortPath.Path.KERNEL_L4, sticky.path());
        // A rule says more precisely what is wanted.
        assertEquals(
                EndpointChoice.RANDOM,
                pathOfDb("simple: RANDOM", ", sessionAffinity: ClientIP").choice());
        PortPath least = pathOfDb("simple: LEAST_REQUEST", "");
        assertEquals(PortPath.Path.PROXY, least.path());
        assertTrue(least.reason().contains("LEAST_REQUEST"), least::reason);
    }

    @Test
    void aPortThatSaysNothingIsDetectedAndFallsBackToBytes() {
        String text = Fixtures.yaml(
                "apiVersion: v1",
                "kind: Service",
                "metadata: {name: x}",
                "spec: {ports: [{port: 70, targetPort: 71}]}");
        MeshState state = Fixtures.translate(List.of(), text).state();
        Listener listener = state.listeners().values().iterator().next();
        Listener.Target.Http http = assertInstanceOf(Listener.Target.Http.class, listener.target());
        assertTrue(http.detect());
        assertEquals(
                "outbound|70||x.default.svc.cluster.local",
                http.fallback().getFirst().cluster());
    }

    @Test
    void serviceEntriesStaticDnsAndNone() {
        String text = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: ServiceEntry",
                "metadata: {name: a}",
                "spec:",
                "  hosts: [a.example]",
                "  resolution: STATIC",
                "  location: MESH_EXTERNAL",
                "  ports: [{number: 80, name: http, protocol: HTTP}]",
                "  endpoints: [{address: 192.0.2.1, ports: {http: 8080}, weight: 3}, {address: 192.0.2.2}]",
                "---",
                "apiVersion: networking.istio.io/v1",
                "kind: ServiceEntry",
                "metadata: {name: b}",
                "spec: {hosts: [b.example], resolution: DNS, ports: [{number: 443, name: tls, protocol: TLS}]}",
                "---",
                "apiVersion: networking.istio.io/v1",
                "kind: ServiceEntry",
                "metadata: {name: c}",
                "spec: {hosts: [c.example], addresses: [192.0.2.9], ports: [{number: 25, name: tcp}]}");
        MeshState state = Fixtures.translate(List.of(), text).state();
        assertEquals(List.of("192.0.2.1:8080", "192.0.2.2:80"), endpoints(state, "outbound|80||a.example"));
        assertEquals(List.of("b.example:443"), endpoints(state, "outbound|443||b.example"));
        assertEquals(
                PortPath.Path.PROXY,
                service(state, "default/b.example").paths().getFirst().path());
        Cluster none = state.clusters().get("outbound|25||c.example");
        assertNotNull(none);
        assertEquals(Cluster.Balancing.PASSTHROUGH, none.balancing());
        assertEquals(List.of("192.0.2.9"), service(state, "default/c.example").addresses());
    }

    @Test
    void workloadEntriesAreEndpointsToo() {
        String text = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: WorkloadEntry",
                "metadata: {name: old-machine}",
                "spec: {address: 192.0.2.7, labels: {app: db}, ports: {tcp-db: 15432}}",
                "---",
                "apiVersion: v1",
                "kind: Service",
                "metadata: {name: db}",
                "spec: {selector: {app: db}, ports: [{name: tcp-db, port: 5432}]}");
        MeshState state = Fixtures.translate(List.of(), text).state();
        assertEquals(List.of("192.0.2.7:15432"), endpoints(state, "outbound|5432||db.default.svc.cluster.local"));
        assertTrue(state.workloads().containsKey("config/default/old-machine"));
    }

    @Test
    void unknownDestinationsAndPortsAreWarnings() {
        String text = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: VirtualService",
                "metadata: {name: reviews}",
                "spec:",
                "  hosts: [reviews]",
                "  http:",
                "  - route:",
                "    - destination: {host: nowhere}");
        List<Problem> problems = Fixtures.translate(List.of(), text, Fixtures.bookinfo("services.yaml"))
                .problems();
        assertEquals(1, problems.size(), problems::toString);
        assertEquals("nowhere", problems.getFirst().value());
        assertEquals(8, problems.getFirst().line());
        assertEquals(
                "spec.http[0].route[0].destination.host", problems.getFirst().field());
    }

    @Test
    void theSameInputGivesTheSameOutput() {
        String[] texts = {Fixtures.bookinfo("services.yaml"), Fixtures.bookinfo("destination-rules.yaml")};
        assertEquals(
                Fixtures.translate(Fixtures.bookinfoWorkloads(), texts).state(),
                Fixtures.translate(Fixtures.bookinfoWorkloads().reversed(), texts)
                        .state());
    }

    @Test
    void aServiceWhoseLastWorkloadHasLeftKeepsNameAddressAndPortsForAWhile() {
        Workload web = Fixtures.workload("web", "v1", "100.64.0.10", "web");
        ConfigSnapshot snapshot = Fixtures.snapshot();
        VipAllocator vips = Fixtures.vips();
        MeshState alive =
                Translator.translate(snapshot, List.of(web), Map.of(), vips).state();
        MeshState left = Translator.translate(snapshot, List.of(), List.of(web), Map.of(), vips)
                .state();
        assertEquals(1, alive.services().size());
        assertEquals(alive.services().keySet(), left.services().keySet());
        assertEquals(
                alive.services().values().iterator().next().addresses(),
                left.services().values().iterator().next().addresses());
        assertEquals(Map.of(), left.workloads());
        assertEquals(
                0,
                left.endpoints().values().stream()
                        .mapToInt(set -> set.endpoints().size())
                        .sum());
        assertEquals(
                0,
                Translator.translate(snapshot, List.of(), Map.of(), vips)
                        .state()
                        .services()
                        .size());
    }

    @Test
    void aThousandServicesTranslateInTime() {
        StringBuilder text = new StringBuilder();
        List<Workload> workloads = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            text.append("---\napiVersion: v1\nkind: Service\nmetadata: {name: s")
                    .append(i)
                    .append("}\nspec: {selector: {app: s")
                    .append(i)
                    .append("}, ports: [{name: http, port: 80}]}\n");
            workloads.add(Fixtures.workload("s" + i, "v1", "100.64." + i / 250 + "." + i % 250));
        }
        ConfigSnapshot snapshot = Fixtures.snapshot(text.toString());
        VipAllocator vips = Fixtures.vips();
        Translator.translate(snapshot, workloads, Map.of(), vips);
        long start = System.nanoTime();
        MeshState state =
                Translator.translate(snapshot, workloads, Map.of(), vips).state();
        long millis = (System.nanoTime() - start) / 1_000_000;
        assertEquals(1000, state.services().size());
        assertTrue(millis < 200, "1,000 services took " + millis + " ms");
    }
}
