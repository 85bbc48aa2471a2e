package dev.tulle.config;

import static dev.tulle.config.EdgeObjects.gateway;
import static dev.tulle.config.EdgeObjects.server;
import static dev.tulle.config.EdgeObjects.translate;
import static dev.tulle.config.EdgeObjects.virtualService;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Coding;
import dev.tulle.model.Compression;
import dev.tulle.model.Route;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteFilter;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Filters that Tulle's own annotations ask for: where they hold, and what is wrong with them. */
class FilterAnnotationsTest {
    private static final Compression USUAL =
            new Compression(Compression.CODINGS, Compression.TYPES, Compression.MINIMUM);

    private static String annotated(String name, String settings) {
        return "name: " + name + ", annotations: {tulle.dev/compression: '" + settings + "'}";
    }

    private static String rules(String name, String gateways) {
        return virtualService(name, "reviews", gateways, "http: [{name: r, route: [{destination: {host: reviews}}]}]");
    }

    private static List<RouteFilter> filters(Translation translation, String table, String host) {
        RouteConfiguration routes =
                Optional.ofNullable(translation.state().routes().get(table)).orElseThrow();
        return routes.virtualHosts().stream()
                .filter(one -> one.domains().contains(host))
                .flatMap(one -> one.routes().stream())
                .findFirst()
                .map(Route::filters)
                .orElseThrow();
    }

    @Test
    void ofAGatewayTheyHoldForWhatItServesAndNotInTheMesh() {
        Translation translation = translate(
                gateway(annotated("a", "{}"), server(80, "HTTP", "'*'")),
                gateway("name: b", server(81, "HTTP", "'*'")),
                rules("name: v", "a, b, mesh"));
        String host = "reviews.default.svc.cluster.local";
        assertEquals(List.of(USUAL), filters(translation, "http.80", host));
        assertEquals(List.of(), filters(translation, "http.81", host));
        assertEquals(List.of(), filters(translation, host + ":9080", host));
        assertEquals(List.of(), translation.problems());
    }

    @Test
    void ofAVirtualServiceTheyHoldForItsRulesAndBeforeThoseOfItsGateway() {
        Compression own = new Compression(List.of(Coding.GZIP), List.of("text/css"), 0);
        Translation translation = translate(
                gateway(annotated("a", "{}"), server(80, "HTTP", "'*'")),
                rules(annotated("v", "{encodings: [gzip], contentTypes: [Text/CSS], minimumLength: 0}"), "a, mesh"));
        String host = "reviews.default.svc.cluster.local";
        assertEquals(List.of(own), filters(translation, "http.80", host));
        assertEquals(List.of(own), filters(translation, host + ":9080", host));
        RouteFilter made = filters(translation, host + ":9080", host).getFirst();
        assertEquals("compresses answers", made.needsProxy().orElseThrow().text());
        assertEquals("compress answers (gzip)", made.text());
    }

    @Test
    void gatewayApiHasThemToo() {
        String spec = "gatewayClassName: tulle, listeners: [{name: h, port: %d, protocol: HTTP}]";
        String routes =
                "parentRefs: [{name: %s}], hostnames: [%s.example.com], rules: [{backendRefs: [{name: reviews, port: 9080}]}]";
        Translation translation = translate(
                ApiEdge.object("Gateway", annotated("a", "{encodings: [br, gzip]}"), spec.formatted(80)),
                ApiEdge.object("Gateway", "name: b", spec.formatted(81)),
                ApiEdge.object("HTTPRoute", "name: plain", routes.formatted("a", "plain")),
                ApiEdge.object("HTTPRoute", annotated("own", "{}"), routes.formatted("b", "own")));
        assertEquals(
                List.of(new Compression(List.of(Coding.BROTLI, Coding.GZIP), Compression.TYPES, Compression.MINIMUM)),
                filters(translation, "http.80", "plain.example.com"));
        assertEquals(List.of(USUAL), filters(translation, "http.81", "own.example.com"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tulle.dev/compression | gzip | not one mapping",
                "tulle.dev/compression | '{' | ",
                "tulle.dev/compression | '' | not one mapping",
                "tulle.dev/compression | {encodings: [gzipped]} | not a coding that Tulle writes",
                "tulle.dev/compression | {encodings: []} | an empty list",
                "tulle.dev/compression | {encodings: [br, br]} | this is here twice",
                "tulle.dev/compression | {contentTypes: [text/*]} | not a type of content",
                "tulle.dev/compression | {contentTypes: [text]} | not a type of content",
                "tulle.dev/compression | {contentTypes: [application/grpc+proto]} | messages of gRPC are compressed",
                "tulle.dev/compression | {minimumLength: -1} | negative",
                "tulle.dev/compression | {minimumLength: 1k} | wrong type",
                "tulle.dev/compression | {encoding: [gzip]} | did you mean 'encodings'?",
                "tulle.dev/compresion | {} | did you mean 'tulle.dev/compression'?"
            })
    void whatIsWrongIsSaidAtTheAnnotation(String name, String settings, String message) {
        String text = gateway(
                "name: a, annotations: {" + name + ": \"" + (settings == null ? "" : settings) + "\"}",
                server(80, "HTTP", "'*'"));
        ParsedManifest parsed = new ManifestParser().parse("a.yaml", text);
        assertEquals(List.of(), parsed.resources());
        Problem problem = parsed.problems().getFirst();
        assertTrue(problem.field().startsWith("metadata.annotations." + name), problem.toString());
        assertTrue(message == null || problem.message().contains(message), problem.toString());
    }

    @Test
    void objectsThatAreAboutNoRequestsHaveNone() {
        String text = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: a, annotations: {tulle.dev/compression: "{}"}}
            spec: {host: reviews}
            """;
        Problem problem = new ManifestParser().parse("a.yaml", text).problems().getFirst();
        assertEquals(
                "this annotation at a DestinationRule is not supported by this version of Tulle", problem.message());
    }
}
