package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.ResourceRef;
import dev.tulle.model.Route;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Several objects that route one host: one of them does, as in Istio. */
class RoutedTwiceTest {
    private static final String HTTP_ROUTE = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: z}
            spec:
              parentRefs: [{group: '', kind: Service, name: reviews%s}]
              rules: [{matches: [{path: {type: PathPrefix, value: /new}}], backendRefs: [{name: details, port: 9080}]}]
            """;

    private static String virtualService(String metadata, String rule) {
        return """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {%s}
            spec: {hosts: [reviews], http: [{%s}]}
            """.formatted(metadata, rule);
    }

    private static List<String> owners(String... texts) {
        String[] all = new String[texts.length + 1];
        all[0] = Fixtures.bookinfo("services.yaml");
        System.arraycopy(texts, 0, all, 1, texts.length);
        return Optional.ofNullable(Fixtures.translate(Fixtures.bookinfoWorkloads(), all)
                        .state()
                        .routes()
                        .get("reviews.default.svc.cluster.local:9080"))
                .orElseThrow()
                .virtualHosts()
                .getFirst()
                .routes()
                .stream()
                .map(Route::origin)
                .map(ResourceRef::name)
                .toList();
    }

    @Test
    void theOldestVirtualServiceAloneRoutes() {
        String one = virtualService(
                "name: b, creationTimestamp: '2026-01-01T00:00:00Z'",
                "match: [{uri: {prefix: /b}}], directResponse: {status: 200}");
        String two =
                virtualService("name: a, creationTimestamp: '2026-02-01T00:00:00Z'", "directResponse: {status: 201}");
        assertEquals(List.of("b"), owners(one, two));
        assertEquals(List.of("b"), owners(two, one));
    }

    @Test
    void withoutTimesTheNameDecides() {
        String one = virtualService("name: b", "directResponse: {status: 200}");
        String two = virtualService("name: a, namespace: default", "directResponse: {status: 201}");
        assertEquals(List.of("a"), owners(one, two));
    }

    @Test
    void oneThatSaysNothingAboutThePortLeavesItToTheNext() {
        String other = virtualService("name: a", "match: [{port: 81}], directResponse: {status: 200}");
        String next = virtualService("name: b", "directResponse: {status: 201}");
        assertEquals(List.of("b"), owners(other, next));
    }

    @Test
    void httpRoutesAloneRouteWhereThereAreSome() {
        String service = virtualService("name: a", "directResponse: {status: 200}");
        assertEquals(List.of("z"), owners(service, HTTP_ROUTE.formatted("")));
        assertEquals(List.of("a"), owners(service, HTTP_ROUTE.formatted(", port: 81")));
    }

    @Test
    void theOldestOfTwoServiceEntriesDeclaresTheHost() {
        String entry = """
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: %s, creationTimestamp: '2026-0%d-01T00:00:00Z'}
                spec: {hosts: [api.example.com], ports: [{number: %d, name: http, protocol: HTTP}], resolution: DNS}
                """;
        assertEquals(
                List.of(80),
                Fixtures.translate(List.of(), entry.formatted("a", 2, 81), entry.formatted("b", 1, 80))
                        .state()
                        .services()
                        .values()
                        .iterator()
                        .next()
                        .ports()
                        .stream()
                        .map(dev.tulle.model.ServicePort::number)
                        .toList());
    }

    @Test
    void ofHeaderNamesThatDifferByCaseTheFirstCounts() {
        String route = """
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: z}
                spec:
                  parentRefs: [{group: '', kind: Service, name: reviews}]
                  rules:
                  - filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X, value: '1'}, {name: x, value: '2'}]}}]
                    backendRefs: [{name: details, port: 9080}]
                """;
        assertEquals(
                List.of("1"),
                Fixtures.snapshot(route).httpRoutes().getFirst().rules().getFirst().headers().request().set().stream()
                        .map(dev.tulle.model.HeaderMutation.Field::value)
                        .toList());
    }
}
