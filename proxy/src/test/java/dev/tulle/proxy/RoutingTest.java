package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.StringMatch;
import dev.tulle.model.WeightedCluster;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What routes do: splits, faults, answers without an endpoint, rewrites, mirrors, changes under load. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class RoutingTest {
    private static RouteMatch path(String exact) {
        return new RouteMatch(new RouteMatch.PathMatch.Exact(exact), false, Optional.empty(), List.of(), List.of());
    }

    private static Route faulty(Optional<FaultInjection.Delay> delay, Optional<FaultInjection.Abort> abort) {
        Route plain = Meshes.forward("faulty", RouteMatch.ANY, "");
        return new Route(
                plain.name(),
                plain.match(),
                plain.action(),
                List.of(new FaultInjection(delay, abort)),
                HeaderMutation.NONE,
                ResourceRef.DEFAULT);
    }

    @Test
    void answersWithoutAnEndpoint() throws Exception {
        Meshes mesh = Meshes.mesh()
                .subset("")
                .routes(
                        Meshes.forward("empty", path("/empty"), ""),
                        Meshes.forward("missing", path("/missing"), "nowhere"),
                        Meshes.route("direct", path("/direct"), new RouteAction.DirectResponse(418, "short")),
                        Meshes.route(
                                "redirect",
                                path("/redirect"),
                                new RouteAction.Redirect(
                                        301,
                                        Optional.of("https"),
                                        Optional.empty(),
                                        Optional.empty(),
                                        Optional.of(new RouteAction.PathRewrite.Full("/new")))));
        try (ProxyFixture proxy = new ProxyFixture(mesh.build())) {
            assertEquals(503, RawClient.get(proxy.port, "/empty").code());
            assertEquals(503, RawClient.get(proxy.port, "/missing").code());
            assertEquals(404, RawClient.get(proxy.port, "/other").code());
            RawClient.Response direct = RawClient.get(proxy.port, "/direct");
            assertEquals(418, direct.code());
            assertEquals("short", direct.body());
            RawClient.Response redirect = RawClient.get(proxy.port, "/redirect?q=1");
            assertEquals(301, redirect.code());
            assertEquals("https://web/new?q=1", redirect.field("location"));
            assertEquals(1, proxy.sum("istio_requests_total", "response_flags=\"UH\""));
            assertEquals(1, proxy.sum("istio_requests_total", "response_flags=\"NC\""));
            assertEquals(1, proxy.sum("istio_requests_total", "response_flags=\"NR\""));
        }
    }

    /** As Envoy does: a route's changes are of every answer to its requests, also of those that no server gave. */
    @Test
    void headerChangesAreOfOwnAnswersToo() throws Exception {
        HeaderMutation changes = new HeaderMutation(
                HeaderMutation.Changes.NONE,
                new HeaderMutation.Changes(
                        List.of(new HeaderMutation.Field("content-type", "application/json")),
                        List.of(new HeaderMutation.Field("x-by", "route")),
                        List.of("location")));
        List<RouteAction> answers = List.of(
                new RouteAction.DirectResponse(418, "{}"),
                new RouteAction.Redirect(
                        301, Optional.of("https"), Optional.empty(), Optional.empty(), Optional.empty()),
                Meshes.forward("empty", path("/"), "").action(),
                Meshes.forward("missing", path("/"), "nowhere").action());
        for (RouteAction answer : answers) {
            Route route = new Route("r", path("/"), answer, List.of(), changes, ResourceRef.DEFAULT);
            try (ProxyFixture proxy =
                    new ProxyFixture(Meshes.mesh().subset("").routes(route).build())) {
                RawClient.Response seen = RawClient.get(proxy.port, "/");
                assertEquals("route", seen.field("x-by"), answer.toString());
                assertEquals("application/json", seen.field("content-type"));
                assertEquals("", seen.field("location"));
            }
        }
    }

    @Test
    void theSchemeIsWhatAProxyBeforeUsWasAskedWith() throws Exception {
        RouteMatch secure = new RouteMatch(
                new RouteMatch.PathMatch.Prefix("/"),
                false,
                Optional.empty(),
                List.of(new RouteMatch.Named(":scheme", new StringMatch.Exact("https"), false)),
                List.of());
        RouteAction moved = new RouteAction.Redirect(
                301,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.of(new RouteAction.PathRewrite.Full("/new")));
        Meshes mesh = Meshes.mesh()
                .subset("")
                .routes(
                        Meshes.route("secure", secure, moved),
                        Meshes.route("rest", RouteMatch.ANY, new RouteAction.DirectResponse(200, "plain")));
        try (ProxyFixture proxy = new ProxyFixture(mesh.build())) {
            assertEquals("plain", RawClient.get(proxy.port, "/").body());
            RawClient.Response seen = RawClient.once(
                    proxy.port, "GET / HTTP/1.1\r\nHost: web\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n");
            assertEquals("https://web/new", seen.field("location"));
        }
    }

    @Test
    void subsetsByHeaderAndWeight() throws Exception {
        try (Origin v1 = Origin.answering("v1");
                Origin v2 = Origin.answering("v2")) {
            Route jason = Meshes.forward(
                    "jason",
                    new RouteMatch(
                            new RouteMatch.PathMatch.Prefix("/"),
                            false,
                            Optional.empty(),
                            List.of(new RouteMatch.Named("end-user", new StringMatch.Exact("jason"), false)),
                            List.of()),
                    "v2");
            Route split = Meshes.route(
                    "split",
                    RouteMatch.ANY,
                    Meshes.action(
                            List.of(
                                    new WeightedCluster(Meshes.cluster("v1"), 80),
                                    new WeightedCluster(Meshes.cluster("v2"), 20)),
                            Duration.ZERO,
                            RetryPolicy.DEFAULT));
            try (ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                            .subset("v1", v1.port())
                            .subset("v2", v2.port())
                            .routes(jason, split)
                            .build());
                    RawClient client = new RawClient(proxy.port)) {
                int second = 0;
                for (int i = 0; i < 500; i++) {
                    second += client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n")
                                    .read(false)
                                    .body()
                                    .equals("v2")
                            ? 1
                            : 0;
                    assertEquals(
                            "v2",
                            client.send("GET / HTTP/1.1\r\nHost: w\r\nEnd-User: jason\r\n\r\n")
                                    .read(false)
                                    .body());
                }
                assertTrue(second > 55 && second < 145, "v2 got " + second + " of 500, expected about 100");
            }
        }
    }

    @Test
    void faults() throws Exception {
        try (Origin origin = Origin.answering("ok")) {
            Meshes mesh = Meshes.mesh().subset("", origin.port());
            mesh.routes(
                    faulty(Optional.of(new FaultInjection.Delay(Duration.ofMillis(300), 1_000_000)), Optional.empty()));
            try (ProxyFixture proxy = new ProxyFixture(mesh.build())) {
                long began = System.nanoTime();
                assertEquals(200, RawClient.get(proxy.port, "/").code());
                long millis = (System.nanoTime() - began) / 1_000_000;
                assertTrue(millis >= 300, "took " + millis + " ms");
                assertEquals(1, proxy.sum("istio_requests_total", "response_flags=\"DI\""));
                proxy.xds.set(
                        mesh.routes(faulty(Optional.empty(), Optional.of(new FaultInjection.Abort(555, 1_000_000))))
                                .build());
                assertEquals(555, RawClient.get(proxy.port, "/").code());
                assertEquals(1, proxy.sum("istio_requests_total", "response_flags=\"FI\""));
                assertEquals(1, origin.requests.size());
            }
        }
    }

    /** Mirrors of bodies of any length arrive whole; one that does not read costs its copy alone. */
    @Test
    void mirrorsTakeBodiesAsTheyCome() throws Exception {
        try (Origin origin = Origin.answering("ok");
                Origin shadow = Origin.start((request, out, socket) -> {
                    out.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ServerSocket deaf = new ServerSocket(0, 16, InetAddress.getLoopbackAddress())) {
            RouteAction.Forward forward = new RouteAction.Forward(
                    List.of(new WeightedCluster(Meshes.cluster(""), 1)),
                    Duration.ZERO,
                    RetryPolicy.DEFAULT,
                    RouteAction.Rewrite.NONE,
                    List.of(
                            new RouteAction.Mirror(Meshes.cluster("shadow"), 1_000_000),
                            new RouteAction.Mirror(Meshes.cluster("deaf"), 1_000_000)));
            try (ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                            .subset("", origin.port())
                            .subset("shadow", shadow.port())
                            .subset("deaf", deaf.getLocalPort())
                            .routes(Meshes.route("mirrored", RouteMatch.ANY, forward))
                            .build());
                    RawClient client = new RawClient(proxy.port)) {
                String body = "x".repeat(900_000);
                client.send("POST /length HTTP/1.1\r\nHost: w\r\nContent-Length: 900000\r\n\r\n" + body);
                assertEquals("ok", client.read(false).body());
                client.send("POST /chunks HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\ndbba0\r\n" + body
                        + "\r\n0\r\n\r\n");
                assertEquals("ok", client.read(false).body());
                int large = 12 << 20;
                String piece = "y".repeat(512 << 10);
                client.send("POST /large HTTP/1.1\r\nHost: w\r\nContent-Length: " + large + "\r\n\r\n");
                for (int sent = 0; sent < large; sent += piece.length()) {
                    // A copy that falls behind is given up; this one's server is busy with other tests at the worst.
                    long before = shadow.received.get();
                    client.send(piece);
                    for (int i = 0; i < 2_000 && shadow.received.get() < before + piece.length(); i++) {
                        Thread.sleep(1);
                    }
                }
                assertEquals("ok", client.read(false).body());
                for (int i = 0; i < 200 && shadow.requests.size() < 3; i++) {
                    Thread.sleep(20);
                }
                assertEquals(
                        Set.of("/length 900000", "/chunks 900000", "/large " + large),
                        shadow.requests.stream()
                                .map(request -> request.line().split(" ")[1] + " "
                                        + request.body().length())
                                .collect(Collectors.toSet()));
                assertTrue(proxy.sum("tulle_proxy_mirrors_lost_total", "") >= 1);
            }
        }
    }

    /** A rule for a path holds for every spelling that Istio's default normalization makes the same. */
    @Test
    void routesReadNormalPaths() throws Exception {
        Route guarded = Meshes.route(
                "guarded",
                new RouteMatch(
                        new RouteMatch.PathMatch.Prefix("/admin"), false, Optional.empty(), List.of(), List.of()),
                new RouteAction.DirectResponse(403, "no"));
        Route rest = Meshes.route(
                "rest",
                RouteMatch.ANY,
                Meshes.action(List.of(new WeightedCluster(Meshes.cluster(""), 1)), Duration.ZERO, RetryPolicy.DEFAULT));
        try (Origin origin = Origin.answering("ok");
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .subset("", origin.port())
                        .routes(guarded, rest)
                        .build())) {
            for (String path : List.of("/admin", "/public/../admin/x", "/.\\admin", "/%61dmin", "/a/%2e%2E/admin")) {
                assertEquals(403, RawClient.get(proxy.port, path).code(), path);
            }
            assertEquals(
                    200,
                    RawClient.get(proxy.port, "/admin/../b/./c%20d%2fe?q=/../x").code());
            assertEquals(
                    "GET /b/c%20d%2fe?q=/../x HTTP/1.1",
                    origin.requests.getFirst().line());
            assertEquals(200, RawClient.get(proxy.port, "//admin").code());
            assertEquals("GET //admin HTTP/1.1", origin.requests.getLast().line());
        }
    }

    @Test
    void aClusterThatThereIsNotHasTheStatusOfItsRoute() throws Exception {
        for (int status : new int[] {503, 500}) {
            RouteAction.Forward nowhere = new RouteAction.Forward(
                    List.of(new WeightedCluster("outbound|80||nowhere", 1)),
                    Duration.ZERO,
                    RetryPolicy.DEFAULT,
                    RouteAction.Rewrite.NONE,
                    List.of(),
                    status);
            Route route =
                    new Route("all", RouteMatch.ANY, nowhere, List.of(), HeaderMutation.NONE, ResourceRef.DEFAULT);
            try (ProxyFixture proxy =
                    new ProxyFixture(Meshes.mesh().subset("", 1).routes(route).build())) {
                assertEquals(status, RawClient.get(proxy.port, "/").code());
            }
        }
    }

    @Test
    void rewritesHeadersAndMirrors() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\nok"
                            .getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                Origin shadow = Origin.answering("ignored")) {
            RouteAction.Forward forward = new RouteAction.Forward(
                    List.of(new WeightedCluster(
                            Meshes.cluster(""),
                            1,
                            new HeaderMutation(
                                    new HeaderMutation.Changes(
                                            List.of(new HeaderMutation.Field("x-share", "s")), List.of(), List.of()),
                                    HeaderMutation.Changes.NONE))),
                    Duration.ZERO,
                    RetryPolicy.DEFAULT,
                    new RouteAction.Rewrite(
                            Optional.of("inner"), Optional.of(new RouteAction.PathRewrite.MatchedPrefix("/new/"))),
                    List.of(new RouteAction.Mirror(Meshes.cluster("shadow"), 1_000_000)));
            Route route = new Route(
                    "all",
                    new RouteMatch(
                            new RouteMatch.PathMatch.Prefix("/old/"), false, Optional.empty(), List.of(), List.of()),
                    forward,
                    List.of(),
                    new HeaderMutation(
                            new HeaderMutation.Changes(
                                    List.of(new HeaderMutation.Field("x-set", "new")),
                                    List.of(new HeaderMutation.Field("x-add", "2")),
                                    List.of("x-gone")),
                            new HeaderMutation.Changes(
                                    List.of(new HeaderMutation.Field("x-by", "mesh")), List.of(), List.of("server"))),
                    ResourceRef.DEFAULT);
            try (ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                    .subset("", origin.port())
                    .subset("shadow", shadow.port())
                    .routes(route)
                    .build())) {
                RawClient.Response response = RawClient.once(
                        proxy.port,
                        "POST /old/a?b HTTP/1.1\r\nHost: web:80\r\nX-Gone: 1\r\nX-Set: old\r\nX-Add: 1\r\n"
                                + "Content-Length: 4\r\n\r\nbody");
                assertEquals("ok", response.body());
                assertEquals("mesh", response.field("x-by"));
                assertEquals("", response.field("server"));
                Origin.Request seen = origin.requests.get(0);
                assertEquals("POST /new/a?b HTTP/1.1", seen.line());
                assertEquals("inner", seen.field("host"));
                assertEquals("", seen.field("x-gone"));
                assertEquals("new", seen.field("x-set"));
                assertEquals("s", seen.field("x-share"));
                assertTrue(seen.head().contains("X-Add: 1\r\n") && seen.head().contains("x-add: 2\r\n"), seen.head());
                for (int i = 0; i < 100 && shadow.requests.isEmpty(); i++) {
                    Thread.sleep(20);
                }
                assertEquals("inner", shadow.requests.get(0).field("host"));
                assertEquals("body", shadow.requests.get(0).body());
            }
        }
    }

    @Test
    void connectionBoundsHold() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    Thread.sleep(300);
                    out.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().bounded("", 2, 2, origin.port()).build())) {
            List<RawClient> clients = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                clients.add(new RawClient(proxy.port).send("GET / HTTP/1.1\r\nHost: w\r\n\r\n"));
            }
            int good = 0;
            for (RawClient client : clients) {
                good += client.read(false).code() == 200 ? 1 : 0;
                client.close();
            }
            assertEquals(4, good);
            assertTrue(origin.connections.get() <= 2, "connections " + origin.connections.get());
            assertEquals(4, proxy.sum("istio_requests_total", "response_flags=\"UO\""));
        }
    }

    /** Bar A4: routes change a hundred times under load, and no request fails. */
    @Test
    void aHundredChangesUnderLoad() throws Exception {
        try (Origin v1 = Origin.answering("v1");
                Origin v2 = Origin.answering("v2")) {
            Meshes mesh = Meshes.mesh();
            try (ProxyFixture proxy = new ProxyFixture(mesh.subset("v1", v1.port())
                    .routes(Meshes.forward("r", RouteMatch.ANY, "v1"))
                    .build())) {
                AtomicBoolean over = new AtomicBoolean();
                Queue<String> failures = new ConcurrentLinkedQueue<>();
                AtomicInteger done = new AtomicInteger();
                List<Thread> load = new ArrayList<>();
                for (int i = 0; i < 8; i++) {
                    load.add(Thread.ofVirtual().start(() -> {
                        try (RawClient client = new RawClient(proxy.port)) {
                            while (!over.get()) {
                                var answer = client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n")
                                        .read(false);
                                if (answer.code() != 200) {
                                    failures.add(answer.code() + " " + answer.body());
                                }
                                done.incrementAndGet();
                            }
                        } catch (IOException e) {
                            failures.add(e.toString());
                        }
                    }));
                }
                for (int i = 0; i < 100; i++) {
                    String to = i % 2 == 0 ? "v2" : "v1";
                    int port = i % 2 == 0 ? v2.port() : v1.port();
                    proxy.xds.set(Meshes.mesh()
                            .subset(to, port)
                            .routes(Meshes.forward("r" + i, RouteMatch.ANY, to))
                            .build());
                    Thread.sleep(5);
                    assertEquals(to, eventually(proxy, to));
                }
                over.set(true);
                for (Thread thread : load) {
                    thread.join();
                }
                assertEquals(List.of(), List.copyOf(failures), "of " + done.get());
            }
        }
    }

    private static String eventually(ProxyFixture proxy, String expected) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(200);
        String seen = RawClient.get(proxy.port, "/").body();
        while (!seen.equals(expected) && System.nanoTime() < deadline) {
            seen = RawClient.get(proxy.port, "/").body();
        }
        return seen;
    }
}
