package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.Cidr;
import dev.tulle.config.HttpRule.Action;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Cluster;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.FaultInjection.Abort;
import dev.tulle.model.FaultInjection.Delay;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.HeaderMutation.Field;
import dev.tulle.model.Http2Options;
import dev.tulle.model.Locality;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteAction.PathRewrite;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.ServicePort;
import dev.tulle.model.StringMatch;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Goal: every field that is read gets its meaning. Method: manifests that use them all, and tables. */
class KindsTest {
    private static VirtualService virtualService() {
        return Fixtures.snapshot(Everything.VIRTUAL_SERVICE).virtualServices().getFirst();
    }

    private static Action.Forward forward(HttpRule rule) {
        return assertInstanceOf(Action.Forward.class, rule.action());
    }

    @Test
    void virtualServiceMatches() {
        VirtualService service = virtualService();
        assertEquals(List.of("reviews", "ratings.default.svc.cluster.local"), service.hosts());
        assertEquals(Map.of("a", "b"), service.manifest().labels());
        HttpRule.Match match = service.http().getFirst().matches().getFirst();
        assertEquals("one", match.name());
        assertEquals(OptionalInt.of(9080), match.port());
        assertEquals(new PathMatch.Exact("/a"), match.route().path());
        assertTrue(match.route().ignorePathCase());
        assertEquals(
                Optional.of(new StringMatch.Regex("GET|POST")), match.route().method());
        assertEquals(
                List.of(
                        new Named(":authority", new StringMatch.Prefix("rev"), false),
                        new Named(":scheme", new StringMatch.Exact("http"), false),
                        new Named("end-user", new StringMatch.Exact("jason"), false),
                        new Named("x-there", new StringMatch.Present(), false),
                        new Named("x-not", new StringMatch.Regex("a.*"), true)),
                match.route().headers());
        assertEquals(
                List.of(new Named("q", new StringMatch.Exact("1"), false)),
                match.route().queryParams());
    }

    @Test
    void virtualServiceActions() {
        List<HttpRule> http = virtualService().http();
        HttpRule first = http.getFirst();
        Delay delay = new Delay(Duration.ofMillis(62_500), 5_000);
        assertEquals(
                List.of(new FaultInjection(Optional.of(delay), Optional.of(new Abort(503, 1_000_000)))),
                first.filters());
        assertEquals(List.of(new Field("x-a", "1")), first.headers().request().set());
        assertEquals(List.of("x-c"), first.headers().request().remove());
        Action.Forward forward = forward(first);
        assertEquals(Duration.ofSeconds(2), forward.timeout());
        assertEquals(
                new RetryPolicy(3, Duration.ofMillis(500), Set.of("5xx", "connect-failure", "503")), forward.retry());
        assertEquals(
                List.of(100_000, 10_000),
                forward.mirrors().stream().map(HttpRule.Mirror::partsPerMillion).toList());
        assertEquals(
                List.of(90, 10),
                forward.destinations().stream().map(Destination::weight).toList());
        assertEquals(
                new Action.Answer(new RouteAction.Redirect(
                        308,
                        Optional.of("https"),
                        Optional.of("there"),
                        Optional.of(8443),
                        Optional.of(new PathRewrite.Full("/new")))),
                http.get(1).action());
        assertEquals(
                new Action.Answer(new RouteAction.DirectResponse(200, "fine")),
                http.get(2).action());
        assertEquals(
                Optional.of(new PathRewrite.Regex("^/r/([^/]+)", "/x/\\1")),
                forward(http.get(3)).rewrite().path());
    }

    @Test
    void rewriteOfAUriReplacesWhatTheMatchSays() {
        List<Route> routes = Fixtures.translate(
                        Fixtures.bookinfoWorkloads(), Fixtures.bookinfo("services.yaml"), Everything.VIRTUAL_SERVICE)
                .state()
                .routes()
                .getOrDefault(
                        "reviews.default.svc.cluster.local:9080", new dev.tulle.model.RouteConfiguration("", List.of()))
                .virtualHosts()
                .getFirst()
                .routes();
        assertEquals(
                List.of("first.one", "first", "first#2", "http[1]", "http[2]", "http[3]"),
                routes.stream().map(Route::name).toList());
        List<Optional<PathRewrite>> rewrites = routes.subList(0, 3).stream()
                .map(r -> ((RouteAction.Forward) r.action()).rewrite().path())
                .toList();
        assertEquals(
                List.of(
                        Optional.of(new PathRewrite.Full("/z")),
                        Optional.of(new PathRewrite.MatchedPrefix("/z")),
                        Optional.of(new PathRewrite.Full("/z"))),
                rewrites);
    }

    @Test
    void destinationRule() {
        DestinationRule rule = Fixtures.snapshot(Everything.DESTINATION_RULE)
                .destinationRules()
                .getFirst();
        assertEquals(Optional.of(Balancing.ROUND_ROBIN), rule.policy().balancing());
        assertEquals(Optional.of(Duration.ofMillis(30)), rule.policy().pool().connectTimeout());
        assertEquals(OptionalInt.of(100), rule.policy().pool().maxConnections());
        assertEquals(OptionalInt.of(1), rule.policy().pool().maxPendingRequests());
        assertEquals(OptionalInt.of(10), rule.policy().pool().maxRequestsPerConnection());
        assertEquals(Optional.of(Duration.ofHours(1)), rule.policy().pool().idleTimeout());
        assertEquals(Optional.of(Cluster.Protocol.HTTP2), rule.policy().pool().protocol());
        assertEquals(
                new Http2Options(20, Duration.ofSeconds(30), Duration.ofSeconds(5)),
                rule.policy().pool().http2());
        DestinationRule.TrafficPolicy subset =
                rule.subsets().getFirst().policy().over(rule.policy());
        assertEquals(Optional.of(Balancing.RANDOM), subset.balancing());
        assertEquals(Optional.empty(), subset.locality(), "a load balancer of its own is the whole of it");
        assertEquals(OptionalInt.of(100), subset.pool().maxConnections(), "the other part is inherited");
        assertEquals(Map.of(), rule.subsets().get(1).labels());
    }

    @Test
    void serviceEntriesWorkloadEntriesAndServices() {
        ConfigSnapshot snapshot = Fixtures.snapshot(Everything.SERVICE_ENTRY);
        ServiceEntry outside = snapshot.serviceEntries().get(1);
        assertEquals(List.of("192.0.2.1", "2001:db8::1"), outside.addresses());
        assertTrue(outside.external());
        assertEquals(
                List.of(
                        new ServicePort(443, 443, AppProtocol.TLS, "https"),
                        new ServicePort(80, 8080, AppProtocol.HTTP, "http")),
                outside.ports());
        assertEquals(
                new ServiceEntry.Peer(
                        "192.0.2.2", Map.of("http", 81), Map.of("version", "v1"), 5, new Locality("r", "z", "")),
                outside.endpoints().getFirst());
        assertEquals(Map.of("app", "old"), snapshot.serviceEntries().getFirst().selector());
        assertEquals("old", snapshot.workloadEntries().getFirst().serviceAccount());
        KubernetesService service = snapshot.services().getFirst();
        assertEquals(List.of("10.1.2.3"), service.addresses());
        assertEquals(
                List.of(AppProtocol.HTTP, AppProtocol.GRPC, AppProtocol.UDP, AppProtocol.AUTO),
                service.ports().stream().map(ServicePort::protocol).toList());
        assertEquals(8080, service.ports().getFirst().targetPort());
    }

    @Test
    void httpRoutesAreTriedMostSpecificFirst() {
        List<Route> routes = Fixtures.translate(
                        Fixtures.bookinfoWorkloads(), Fixtures.bookinfo("services.yaml"), Everything.HTTP_ROUTE)
                .state()
                .routes()
                .getOrDefault(
                        "reviews.default.svc.cluster.local:9080", new dev.tulle.model.RouteConfiguration("", List.of()))
                .virtualHosts()
                .getFirst()
                .routes();
        assertEquals(
                List.of(
                        new PathMatch.Exact("/old"),
                        new PathMatch.SegmentPrefix("/apis"),
                        new PathMatch.SegmentPrefix("/api"),
                        new PathMatch.Regex("/x.*")),
                routes.stream().map(r -> r.match().path()).toList());
        assertEquals(4, routes.size(), "host names make no routes");
        assertEquals(List.of(), routes.getFirst().match().headers());
        assertEquals(new RouteAction.DirectResponse(500, ""), routes.get(3).action());
        Route api = routes.get(2);
        RouteAction.Forward forward = assertInstanceOf(RouteAction.Forward.class, api.action());
        assertEquals(Duration.ofSeconds(10), forward.timeout());
        assertEquals(Duration.ofSeconds(2), forward.retry().perTryTimeout());
        assertEquals(Optional.of("other.example"), forward.rewrite().authority());
        assertEquals(
                Optional.of(new PathRewrite.MatchedPrefix("/v2")),
                forward.rewrite().path());
        assertEquals(
                List.of(new RouteAction.Mirror("outbound|9080||details.default.svc.cluster.local", 500_000)),
                forward.mirrors());
        assertEquals(9, forward.clusters().getFirst().weight());
        assertEquals(
                List.of(new Field("x-b", "9")),
                forward.clusters().getFirst().headers().request().set());
        assertEquals(List.of(new Field("x-resp", "r")), api.headers().response().set());
    }

    @Test
    void aBackendThatThereIsNotIs500InGatewayApiAnd503InIstio() {
        String route = Fixtures.yaml(
                "apiVersion: gateway.networking.k8s.io/v1",
                "kind: HTTPRoute",
                "metadata: {name: r}",
                "spec:",
                "  parentRefs: [{group: \"\", kind: Service, name: reviews}]",
                "  rules: [{backendRefs: [{name: reviews, port: 9080}, {name: nowhere, port: 80}]}]");
        String service = Fixtures.yaml(
                "apiVersion: networking.istio.io/v1",
                "kind: VirtualService",
                "metadata: {name: v}",
                "spec: {hosts: [ratings], http: [{route: [{destination: {host: nowhere}}]}]}");
        Map<String, dev.tulle.model.RouteConfiguration> routes = Fixtures.translate(
                        Fixtures.bookinfoWorkloads(), Fixtures.bookinfo("services.yaml"), route, service)
                .state()
                .routes();
        assertEquals(500, notFound(routes, "reviews"));
        assertEquals(503, notFound(routes, "ratings"));
        assertEquals(503, notFound(routes, "details"));
    }

    private static int notFound(Map<String, dev.tulle.model.RouteConfiguration> routes, String service) {
        Route first = routes.getOrDefault(
                        service + ".default.svc.cluster.local:9080",
                        new dev.tulle.model.RouteConfiguration("", List.of()))
                .virtualHosts()
                .getFirst()
                .routes()
                .getFirst();
        return assertInstanceOf(RouteAction.Forward.class, first.action()).notFound();
    }

    private static RouteAction.Redirect redirect(String kind, String redirect) {
        String parts = kind.equals("HTTPRoute")
                ? "{parentRefs: [{group: \"\", kind: Service, name: reviews}], rules: [{filters: [{type: RequestRedirect,"
                        + " requestRedirect: " + redirect + "}]}]}"
                : "{hosts: [reviews], http: [{redirect: " + redirect + "}]}";
        String version = kind.equals("HTTPRoute") ? "gateway.networking.k8s.io/v1" : "networking.istio.io/v1";
        Route first = Fixtures.translate(
                        Fixtures.bookinfoWorkloads(),
                        Fixtures.bookinfo("services.yaml"),
                        "apiVersion: " + version + "\nkind: " + kind + "\nmetadata: {name: r}\nspec: " + parts + "\n")
                .state()
                .routes()
                .getOrDefault(
                        "reviews.default.svc.cluster.local:9080", new dev.tulle.model.RouteConfiguration("", List.of()))
                .virtualHosts()
                .getFirst()
                .routes()
                .getFirst();
        return assertInstanceOf(RouteAction.Redirect.class, first.action());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "VirtualService | {scheme: https}                                      |",
                "VirtualService | {authority: a, port: 8443}                           | 8443",
                "VirtualService | {authority: a, derivePort: FROM_REQUEST_PORT}        | 9080",
                "VirtualService | {authority: a, derivePort: FROM_PROTOCOL_DEFAULT}    |",
                "HTTPRoute      | {scheme: https}                                      | 443",
                "HTTPRoute      | {scheme: http, hostname: a}                          | 80",
                "HTTPRoute      | {hostname: a}                                        | 9080",
                "HTTPRoute      | {hostname: a, port: 8443}                            | 8443"
            })
    void thePortOfARedirect(String kind, String redirect, Integer port) {
        assertEquals(Optional.ofNullable(port), redirect(kind, redirect).port());
    }

    /** As in Envoy, which neither sets nor adds an empty value and leaves what is there. */
    @Test
    void anEmptyHeaderValueChangesNothing() {
        HeaderMutation headers = Fixtures.snapshot(Fixtures.yaml(
                        "apiVersion: networking.istio.io/v1",
                        "kind: VirtualService",
                        "metadata: {name: v}",
                        "spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews}}],",
                        "  headers: {request: {set: {x: '', host: '', y: b}, add: {z: ''}}}}]}"))
                .virtualServices()
                .getFirst()
                .http()
                .getFirst()
                .headers();
        assertEquals(List.of(new Field("y", "b")), headers.request().set());
        assertEquals(List.of(), headers.request().add());
    }

    @Test
    void aSingleDestinationsHeadersAreOneStepWithTheRules() {
        Route route = Fixtures.translate(
                        Fixtures.bookinfoWorkloads(),
                        Fixtures.bookinfo("services.yaml"),
                        Fixtures.yaml(
                                "apiVersion: networking.istio.io/v1",
                                "kind: VirtualService",
                                "metadata: {name: v}",
                                "spec: {hosts: [reviews], http: [{headers: {request: {set: {x: rule}}}, route: [",
                                "  {destination: {host: reviews}, headers: {request: {set: {x: destination}}}}]}]}"))
                .state()
                .routes()
                .getOrDefault(
                        "reviews.default.svc.cluster.local:9080", new dev.tulle.model.RouteConfiguration("", List.of()))
                .virtualHosts()
                .getFirst()
                .routes()
                .getFirst();
        assertEquals(
                List.of(new Field("x", "destination")),
                route.headers().request().set());
        RouteAction.Forward forward = assertInstanceOf(RouteAction.Forward.class, route.action());
        assertEquals(
                dev.tulle.model.HeaderMutation.NONE,
                forward.clusters().getFirst().headers());
    }

    @Test
    void oneVirtualServiceRoutesAHost() {
        String[] services = new String[2];
        for (int i = 0; i < 2; i++) {
            services[i] = Fixtures.yaml(
                    "apiVersion: networking.istio.io/v1",
                    "kind: VirtualService",
                    "metadata: {name: v" + i + "}",
                    "spec: {hosts: [reviews], http: [{name: r" + i + ", match: [{uri: {prefix: /" + i
                            + "}}], route: [{destination: {host: ratings}}]}]}");
        }
        List<Route> routes = Fixtures.translate(
                        Fixtures.bookinfoWorkloads(), Fixtures.bookinfo("services.yaml"), services[1], services[0])
                .state()
                .routes()
                .getOrDefault(
                        "reviews.default.svc.cluster.local:9080", new dev.tulle.model.RouteConfiguration("", List.of()))
                .virtualHosts()
                .getFirst()
                .routes();
        assertEquals(List.of("r0"), routes.stream().map(Route::name).toList());
    }

    @Test
    void whatDoesNotConcernTheMeshIsPassedOverWithALine() {
        ParsedManifest parsed = new ManifestParser()
                .parse(
                        "all.yaml",
                        Fixtures.yaml(
                                "apiVersion: apps/v1",
                                "kind: Deployment",
                                "metadata: {name: web}",
                                "spec: {replicas: 2}",
                                "---",
                                "apiVersion: v1",
                                "kind: List",
                                "items:",
                                "- {apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: b}}",
                                "- {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}"));
        assertEquals(
                List.of("Service"),
                parsed.resources().stream().map(r -> r.ref().kind()).toList());
        assertTrue(parsed.complete());
        assertEquals(
                List.of("Deployment default/web", "ConfigMap default/web"),
                parsed.problems().stream().map(Problem::resource).toList());
        assertTrue(parsed.problems().stream().noneMatch(Problem::isError));
        for (String refused : List.of(
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\n",
                "apiVersion: v1\nkind: Servce\nmetadata: {name: a}\n")) {
            assertTrue(new ManifestParser()
                    .parse("x", refused)
                    .problems()
                    .getFirst()
                    .isError());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "reviews, reviews.default.svc.cluster.local",
        "Reviews, reviews.default.svc.cluster.local",
        "reviews.prod, reviews.prod.svc.cluster.local",
        "reviews.prod.svc, reviews.prod.svc.cluster.local",
        "reviews.prod.svc.cluster.local, reviews.prod.svc.cluster.local",
        "example.com, example.com",
        "a.example.com, a.example.com",
        "*.example.com, *.example.com",
    })
    void namesResolve(String written, String hostname) {
        Set<String> known = Set.of("reviews.prod.svc.cluster.local");
        assertEquals(hostname, Hosts.resolve(written, "default", known::contains));
    }

    @ParameterizedTest
    @CsvSource({"1s, 1000", "1.5s, 1500", "2h30m, 9000000", "100ms, 100", "0, 0", "0s, 0", "1m0.5s, 60500"})
    void durations(String text, long millis) {
        assertEquals(Optional.of(Duration.ofMillis(millis)), Words.duration(text));
    }

    @ParameterizedTest
    @CsvSource({"''", "1", "s", "-1s", "1 s", "1..5s", ".s", "1d", "1s1", "99999999999999999999h"})
    void notDurations(String text) {
        assertEquals(Optional.empty(), Words.duration(text));
    }

    @ParameterizedTest
    @CsvSource({
        "192.0.2.1, true",
        "0.0.0.0, true",
        "256.0.0.1, false",
        "1.2.3, false",
        "1.2.3.4.5, false",
        "::, true",
        "::1, true",
        "2001:db8::1, true",
        "1:2:3:4:5:6:7:8, true",
        "1:2:3:4:5:6:7, false",
        "1::2::3, false",
        "::ffff:1.2.3.4, true",
        "12345::, false",
        "g::, false",
        "localhost, false",
        "1:2:3:4:5:6:7:8::, false"
    })
    void addresses(String text, boolean address) {
        assertEquals(address, Words.isIpAddress(text));
    }

    @Test
    void patternsCoverHostsBySuffix() {
        List<String> patterns = List.of("*", "*.example.com", "*.a.example.com", "b.example.com");
        assertEquals(Optional.of("b.example.com"), Hosts.mostSpecific(patterns, "b.example.com"));
        assertEquals(Optional.of("*.a.example.com"), Hosts.mostSpecific(patterns, "x.a.example.com"));
        assertEquals(Optional.of("*.example.com"), Hosts.mostSpecific(patterns, "a.example.com"));
        assertEquals(Optional.of("*"), Hosts.mostSpecific(patterns, "example.com"));
    }

    @Test
    void writtenYamlReadsBackTheSame() {
        Map<String, Object> content = new java.util.LinkedHashMap<>();
        for (String text : List.of(
                "",
                "plain",
                "two words",
                "true",
                "NO",
                "123",
                "1e5",
                "0x1f",
                "1_000",
                "12:30:00",
                "-",
                "- a",
                "a: b",
                "a #b",
                "#",
                "*a",
                "&a",
                "!a",
                "'q'",
                "\"q\"",
                "\\",
                "tab\there",
                "line\nline",
                "line\nline\n",
                "\n",
                " lead",
                "trail ",
                "caf\u00e9",
                "\u0007",
                "{",
                "[",
                "a,b",
                "@",
                "`",
                "%",
                "v1",
                "10s",
                "/path",
                "null",
                "~",
                "2026-01-01",
                "a\n\nb",
                "a\n \nb",
                "=",
                "<<",
                "y",
                "1.5",
                ".5",
                "+1")) {
            content.put("k" + content.size(), text);
        }
        content.put("empty map", Map.of());
        content.put("empty list", List.of());
        content.put("lists", List.of(List.of("a", List.of("b")), Map.of("x", List.of(Map.of("y", 1L)))));
        content.put("numbers", List.of(1L, -2L, 1.5, true, false));
        String yaml = YamlWriter.write(content);
        YamlReader.Result read = YamlReader.read(yaml, ManifestParser.Limits.DEFAULT);
        assertEquals(Optional.empty(), read.trouble(), yaml);
        assertEquals(content, ((Tree.Mapping) read.documents().getFirst()).object(), yaml);
    }

    @Test
    void serviceAddressesStayWithTheirNames() {
        HashedVipAllocator first = new HashedVipAllocator(Cidr.of("services", "240.240.0.0/28"), Map.of());
        List<String> given = java.util.stream.IntStream.range(0, 14)
                .mapToObj(i -> first.addresses("default", "s" + i).getFirst())
                .toList();
        assertEquals(14, Set.copyOf(given).size());
        assertEquals(given.getFirst(), first.addresses("default", "s0").getFirst());
        HashedVipAllocator second = new HashedVipAllocator(Cidr.of("services", "240.240.0.0/28"), first.allocations());
        assertEquals(given.get(13), second.addresses("default", "s13").getFirst());
        org.junit.jupiter.api.Assertions.assertThrows(
                IllegalStateException.class, () -> second.addresses("default", "one too many"));
    }
}
