package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.CorsPolicy;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.StringMatch;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What lies in a request's way, seen from both ends. */
class FiltersTest {
    private static final String SHOP = "https://shop.example";
    private static final CorsPolicy CORS =
            new CorsPolicy(List.of(new StringMatch.Exact(SHOP)), "GET,PUT", "x-a", "x-b", "60", true, true);
    private static final HeaderMutation MARKED = new HeaderMutation(
            Changes.NONE, new Changes(List.of(), List.of(new HeaderMutation.Field("x-by", "route")), List.of()));

    private static Route route(RouteAction action, RouteFilter... filters) {
        return new Route("r", RouteMatch.ANY, action, List.of(filters), MARKED, ResourceRef.DEFAULT);
    }

    private static RouteAction forward() {
        return Meshes.forward("r", RouteMatch.ANY, "").action();
    }

    private static FaultInjection abort(int status) {
        return new FaultInjection(Optional.empty(), Optional.of(new FaultInjection.Abort(status, 1_000_000)));
    }

    private static String preflight(String origin) {
        return "OPTIONS /x HTTP/1.1\r\nHost: reviews\r\nOrigin: " + origin
                + "\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-q\r\n"
                + "Connection: close\r\n\r\n";
    }

    @Test
    void aPreflightIsAnsweredAndACallIsMarked() throws Exception {
        try (Origin origin = Origin.answering("ok");
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .subset("", origin.port())
                        .routes(route(forward(), CORS))
                        .build())) {
            RawClient.Response asked = RawClient.once(proxy.port, preflight(SHOP));
            assertEquals(200, asked.code());
            assertEquals("", asked.body());
            assertEquals(SHOP, asked.field("access-control-allow-origin"));
            assertEquals("GET,PUT", asked.field("access-control-allow-methods"));
            assertEquals("x-a", asked.field("access-control-allow-headers"));
            assertEquals("60", asked.field("access-control-max-age"));
            assertEquals("", asked.field("x-by"), "what the route changes is of the server's answers");
            assertEquals(0, origin.requests.size());

            RawClient.Response called = RawClient.get(proxy.port, "/", "Origin: " + SHOP);
            assertEquals(SHOP, called.field("access-control-allow-origin"));
            assertEquals("true", called.field("access-control-allow-credentials"));
            assertEquals("x-b", called.field("access-control-expose-headers"));
            assertEquals("route", called.field("x-by"));
            assertEquals(
                    "", RawClient.get(proxy.port, "/", "Origin: https://else").field("access-control-allow-origin"));

            assertEquals(
                    200, RawClient.once(proxy.port, preflight("https://else")).code());
            assertEquals("OPTIONS /x HTTP/1.1", origin.requests.getLast().line(), "another origin's goes on");
        }
    }

    @Test
    void theServersOwnFieldsAreReplaced() throws Exception {
        Origin.Script script = (request, out, socket) -> {
            String head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAccess-Control-Allow-Origin: *\r\n\r\n";
            out.write(head.getBytes(StandardCharsets.US_ASCII));
            return true;
        };
        try (Origin origin = Origin.start(script);
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .subset("", origin.port())
                        .routes(route(forward(), CORS))
                        .build())) {
            RawClient.Response marked = RawClient.get(proxy.port, "/", "Origin: " + SHOP);
            assertEquals(SHOP, marked.field("access-control-allow-origin"));
            assertEquals(2, marked.head().toLowerCase(Locale.ROOT).split("access-control-allow-origin:", -1).length);
            assertEquals("*", RawClient.get(proxy.port, "/").field("access-control-allow-origin"));
        }
    }

    @Test
    void routesThatAnswerByThemselvesAskNobody() throws Exception {
        try (ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                .subset("")
                .routes(route(new RouteAction.DirectResponse(418, "tea"), CORS))
                .build())) {
            RawClient.Response answer = RawClient.get(proxy.port, "/", "Origin: " + SHOP);
            assertEquals(418, answer.code());
            assertEquals("", answer.field("access-control-allow-origin"));
            assertEquals("route", answer.field("x-by"));
            assertEquals(418, RawClient.once(proxy.port, preflight(SHOP)).code());
        }
    }

    @Test
    void aFilterThatAnswersKeepsTheRequestFromThoseBehind() throws Exception {
        try (ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                .subset("")
                .routes(route(forward(), abort(555), CORS))
                .build())) {
            RawClient.Response aborted = RawClient.once(proxy.port, preflight(SHOP));
            assertEquals(555, aborted.code());
            assertEquals("", aborted.field("access-control-allow-origin"));
            assertEquals("route", aborted.field("x-by"));
            assertEquals(1, proxy.sum("istio_requests_total", "response_flags=\"FI\""));
        }
    }

    @Test
    void afterAWaitTheNextOneIsAsked() throws Exception {
        FaultInjection delay = new FaultInjection(
                Optional.of(new FaultInjection.Delay(Duration.ofMillis(200), 1_000_000)), Optional.empty());
        try (Origin origin = Origin.answering("ok");
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .subset("", origin.port())
                        .routes(route(forward(), delay, CORS))
                        .build())) {
            long began = System.nanoTime();
            RawClient.Response asked = RawClient.once(proxy.port, preflight(SHOP));
            assertTrue(System.nanoTime() - began >= 200_000_000, "the delay comes first");
            assertEquals(200, asked.code());
            assertEquals(SHOP, asked.field("access-control-allow-origin"));
            assertEquals(0, origin.requests.size());
            RawClient.Response sent = RawClient.once(
                    proxy.port,
                    "POST / HTTP/1.1\r\nHost: h\r\nOrigin: " + SHOP
                            + "\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody");
            assertEquals(SHOP, sent.field("access-control-allow-origin"));
            assertEquals("body", origin.requests.getLast().body());
        }
    }
}
