package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.LocalApiServer;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.AuthorizationPolicy.Action;
import dev.tulle.model.AuthorizationPolicy.Condition;
import dev.tulle.model.AuthorizationPolicy.Operation;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Source;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.TextPattern;
import dev.tulle.model.WeightedCluster;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What policies do to requests and connections: who passes, what is answered, and that a change holds at once. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class AuthorizationTest {
    private static final String ORIGIN = "ok";

    /** Set by JUnit. */
    @TempDir
    private Path directory = Path.of("");

    /** Answers who the next clients are. */
    private volatile String caller = "node/default/me";

    private static List<TextPattern> patterns(String... written) {
        return Arrays.stream(written).map(TextPattern::parse).toList();
    }

    private static Source principal(String pattern) {
        return new Source(patterns(pattern), List.of(), List.of(), List.of());
    }

    private static Operation paths(String... paths) {
        return new Operation(
                List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), patterns(paths), List.of());
    }

    private static Operation methods(String... methods) {
        return new Operation(
                List.of(), List.of(), List.of(), List.of(), patterns(methods), List.of(), List.of(), List.of());
    }

    private static AuthorizationPolicy policy(Action action, String name, Rule... rules) {
        return new AuthorizationPolicy(
                "default/" + name,
                AuthorizationPolicy.Scope.NAMESPACE,
                action,
                List.of(rules),
                new ResourceRef("AuthorizationPolicy", "default", name, "", 0));
    }

    private static AuthorizationPolicy denyPath(String... paths) {
        return policy(Action.DENY, "deny-path", new Rule(List.of(), List.of(paths(paths)), List.of()));
    }

    /** Its workloads name policies of which nothing is heard. */
    private static MeshState withoutPolicies(MeshState whole) {
        return new MeshState(
                whole.services(),
                whole.workloads(),
                whole.listeners(),
                whole.routes(),
                whole.clusters(),
                whole.endpoints());
    }

    private static Meshes mesh(Origin origin, AuthorizationPolicy... policies) {
        return Meshes.mesh()
                .subset("", origin.port())
                .workload(Meshes.member("default", "me", "me"))
                .workload(Meshes.member("default", "you", "you"))
                .policies(policies);
    }

    private ProxyFixture proxy(MeshState state) throws IOException {
        Path socket = directory.resolve("node" + agents.size() + ".sock");
        LocalApiServer agent = LocalApiServer.start(socket, (request, replies) -> {
            boolean whois = request.contains("whois");
            replies.send(whois ? Whois.answer(caller) : "{\"ok\":false}");
        });
        agents.add(agent);
        return new ProxyFixture(state, socket, directory.resolve("access.log").toString());
    }

    private final List<LocalApiServer> agents = new java.util.concurrent.CopyOnWriteArrayList<>();

    @org.junit.jupiter.api.AfterEach
    void endAgents() throws Exception {
        for (LocalApiServer agent : agents) {
            agent.close();
        }
    }

    @Test
    void byCallerPathAndMethod() throws Exception {
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = proxy(mesh(
                                origin,
                                policy(
                                        Action.ALLOW,
                                        "me",
                                        new Rule(
                                                List.of(principal("cluster.local/ns/default/sa/me")),
                                                List.of(paths("/reviews/*")),
                                                List.of())),
                                policy(
                                        Action.DENY,
                                        "no-delete",
                                        new Rule(List.of(), List.of(methods("DELETE")), List.of())))
                        .build())) {
            assertEquals(200, RawClient.get(proxy.port, "/reviews/0").code());
            RawClient.Response denied = RawClient.get(proxy.port, "/other");
            assertEquals(403, denied.code());
            assertEquals("RBAC: access denied", denied.body());
            assertEquals(
                    403,
                    RawClient.once(proxy.port, "DELETE /reviews/0 HTTP/1.1\r\nHost: web\r\n\r\n")
                            .code());
            caller = "node/default/you";
            assertEquals(403, RawClient.get(proxy.port, "/reviews/0").code());
            caller = "";
            assertEquals(403, RawClient.get(proxy.port, "/reviews/0").code());
            assertEquals(1, origin.requests.size());
            assertEquals(3, proxy.sum("tulle_proxy_policy_denied_total", "policy=\"none\""));
            assertEquals(1, proxy.sum("tulle_proxy_policy_denied_total", "policy=\"default/no-delete\""));
            assertEquals(
                    4,
                    proxy.sum(
                            "istio_requests_total",
                            "response_code=\"403\"",
                            "response_flags=\"UAEX\"",
                            "destination_workload=\"web-" + origin.port() + "\""));
        }
        String log = Files.readString(directory.resolve("access.log"));
        assertTrue(log.contains("rbac_access_denied_matched_policy[none]"), log);
        assertTrue(log.contains("rbac_access_denied_matched_policy[ns[default]-policy[no-delete]-rule[0]]"), log);
    }

    @Test
    void whereNothingAsksWhoCallsNobodyWaitsForIt() throws Exception {
        Path socket = directory.resolve("silent.sock");
        agents.add(LocalApiServer.start(socket, (_, _) -> {}));
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = new ProxyFixture(
                        withoutPolicies(mesh(origin, denyPath("/admin")).build()),
                        socket,
                        directory.resolve("access.log").toString());
                RawClient waiting = new RawClient(proxy.port)) {
            waiting.send("GET /a HTTP/1.1\r\nHost: web\r\n\r\n");
            Thread.sleep(1000);
            assertEquals(0, origin.requests.size());
            // What it waits for turns out to be nothing: no policy applies.
            proxy.xds.set(mesh(origin).build());
            assertEquals(200, waiting.read(false).code());
        }
    }

    @Test
    void everyCallerOfABurstIsNamed() throws Exception {
        AuthorizationPolicy mine = policy(
                Action.ALLOW,
                "mine",
                new Rule(List.of(principal("cluster.local/ns/default/sa/me")), List.of(), List.of()));
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = proxy(mesh(origin, mine).build())) {
            AtomicInteger refused = new AtomicInteger();
            List<Thread> clients = java.util.stream.IntStream.range(0, 200)
                    .mapToObj(i -> Thread.ofVirtual().start(() -> {
                        try {
                            int code = RawClient.get(proxy.port, "/").code();
                            refused.addAndGet(code == 200 ? 0 : 1);
                        } catch (IOException e) {
                            refused.incrementAndGet();
                        }
                    }))
                    .toList();
            for (Thread client : clients) {
                client.join();
            }
            assertEquals(0, refused.get());
        }
    }

    /** The agent takes 64 connections of the proxy's user, and refuses the others without a word. */
    @Test
    void oneConnectionToTheAgentCarriesManyQuestions() throws Exception {
        Set<LocalApiServer.Replies> lines = Collections.newSetFromMap(new ConcurrentHashMap<>());
        Path socket = directory.resolve("counting.sock");
        agents.add(LocalApiServer.start(socket, (request, replies) -> {
            if (request.contains("whois")) {
                lines.add(replies);
                replies.send(Whois.answer(caller));
            }
        }));
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = new ProxyFixture(
                        mesh(origin, denyPath("/admin")).build(),
                        socket,
                        directory.resolve("access.log").toString())) {
            for (int i = 0; i < 100; i++) {
                assertEquals(200, RawClient.get(proxy.port, "/").code());
            }
        }
        assertTrue(lines.size() < 16, lines.size() + " connections");
    }

    /** The client's socket leads to the explicit port, not to what it asks for there. */
    @Test
    void whoCallsThroughTheExplicitPortIsKnown() throws Exception {
        AuthorizationPolicy mine = policy(
                Action.ALLOW,
                "mine",
                new Rule(List.of(principal("cluster.local/ns/default/sa/me")), List.of(), List.of()));
        Path socket = directory.resolve("explicit.sock");
        agents.add(LocalApiServer.start(socket, (request, replies) -> {
            if (request.contains("whois")) {
                JsonObject params =
                        JsonParser.parseString(request).getAsJsonObject().getAsJsonObject("params");
                replies.send(
                        params.get("dialled").equals(params.get("local"))
                                ? Whois.answer(caller)
                                : "{\"ok\":true,\"result\":{\"workload\":\"\",\"outside\":false}}");
            }
        }));
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = new ProxyFixture(
                        mesh(origin, mine).build(),
                        socket,
                        directory.resolve("access.log").toString())) {
            int port = proxy.proxy.listenExplicit("127.0.0.1", 0);
            assertEquals(200, RawClient.get(port, "/web/a").code());
            try (RawClient client = new RawClient(port)) {
                client.send("CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n");
                Origin.readHead(client.in());
                assertEquals(
                        200,
                        client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n")
                                .read(false)
                                .code());
            }
        }
    }

    @Test
    void aCallerWhoCannotBeNamedIsNotTakenForAnOutsider() throws Exception {
        AuthorizationPolicy notMe = policy(
                Action.DENY,
                "not-me",
                new Rule(List.of(principal("cluster.local/ns/default/sa/me")), List.of(), List.of()));
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = new ProxyFixture(
                        mesh(origin, notMe).build(),
                        directory.resolve("nobody.sock"),
                        directory.resolve("access.log").toString())) {
            assertEquals(503, RawClient.get(proxy.port, "/").code());
            assertEquals(0, origin.requests.size());
        }
    }

    @Test
    void aRefusedRequestLeavesTheConnectionUsable() throws Exception {
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = proxy(mesh(origin, denyPath("/admin*")).build());
                RawClient client = new RawClient(proxy.port)) {
            for (int i = 0; i < 3; i++) {
                assertEquals(
                        200,
                        client.send("GET /a HTTP/1.1\r\nHost: web\r\n\r\n")
                                .read(false)
                                .code());
                assertEquals(
                        403,
                        client.send("GET /admin HTTP/1.1\r\nHost: web\r\n\r\n")
                                .read(false)
                                .code());
                assertEquals(
                        403,
                        client.send("GET /x/%2e%2e//admin/y HTTP/1.1\r\nHost: web\r\n\r\n")
                                .read(false)
                                .code());
            }
            assertEquals(3, origin.requests.size());
        }
    }

    @Test
    void aBodyOfARefusedRequestGoesNowhere() throws Exception {
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = proxy(mesh(origin, denyPath("/admin")).build())) {
            RawClient.Response denied = RawClient.once(
                    proxy.port, "POST /admin HTTP/1.1\r\nHost: web\r\nContent-Length: 100000\r\n\r\nhalf");
            assertEquals(403, denied.code());
            assertEquals("close", denied.field("connection"));
            assertEquals(0, origin.requests.size());
        }
    }

    /** What a route changes is what the server reads, so that is decided on. */
    @Test
    void theRequestAsItIsSentIsDecidedOn() throws Exception {
        RouteAction.Forward forward = new RouteAction.Forward(
                List.of(new WeightedCluster(Meshes.cluster(""), 1)),
                Duration.ZERO,
                RetryPolicy.NONE,
                new RouteAction.Rewrite(Optional.empty(), Optional.of(new RouteAction.PathRewrite.Full("/admin"))),
                List.of());
        Route rewriting = Meshes.route(
                "rewriting",
                new RouteMatch(
                        new RouteMatch.PathMatch.Exact("/public"), false, Optional.empty(), List.of(), List.of()),
                forward);
        Route plain = Meshes.forward("plain", RouteMatch.ANY, "");
        Route adding = new Route(
                "adding",
                plain.match(),
                plain.action(),
                plain.filters(),
                new HeaderMutation(
                        new HeaderMutation.Changes(
                                List.of(new HeaderMutation.Field("x-role", "guest")), List.of(), List.of("x-secret")),
                        HeaderMutation.Changes.NONE),
                ResourceRef.DEFAULT);
        AuthorizationPolicy guests = policy(
                Action.DENY,
                "only-guests",
                new Rule(List.of(), List.of(), List.of(new Condition.Header("x-role", List.of(), patterns("guest")))),
                new Rule(List.of(), List.of(), List.of(new Condition.Header("x-secret", patterns("*"), List.of()))));
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = proxy(mesh(origin, denyPath("/admin"), guests)
                        .routes(rewriting, adding)
                        .build())) {
            assertEquals(403, RawClient.get(proxy.port, "/public").code());
            assertEquals(
                    200,
                    RawClient.get(proxy.port, "/x", "x-role: admin", "x-secret: 1")
                            .code());
        }
    }

    /** Fields that concern one hop are judged where they travel: the server reads them. */
    @Test
    void whatTravelsIsJudged() throws Exception {
        AuthorizationPolicy known = policy(
                Action.DENY,
                "no-proxy-users",
                new Rule(
                        List.of(),
                        List.of(),
                        List.of(new Condition.Header("proxy-authorization", patterns("Basic*"), List.of()))),
                new Rule(List.of(), List.of(), List.of(new Condition.Header("expect", patterns("*"), List.of()))),
                new Rule(List.of(), List.of(), List.of(new Condition.Header("te", patterns("*"), List.of()))));
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = proxy(mesh(origin, known).build())) {
            assertEquals(
                    403,
                    RawClient.get(proxy.port, "/", "Proxy-Authorization: Basic eDp5")
                            .code());
            assertEquals(200, RawClient.get(proxy.port, "/", "TE: trailers").code());
            try (RawClient client = new RawClient(proxy.port)) {
                client.send("POST / HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
                assertEquals(403, client.read(false).code());
            }
        }
    }

    @Test
    void aChangeHoldsFromTheMomentItIsTaken() throws Exception {
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = proxy(mesh(origin).build())) {
            // Odd while it is forbidden: a request may last from one such time into the next.
            AtomicInteger turn = new AtomicInteger();
            AtomicBoolean over = new AtomicBoolean();
            AtomicInteger passed = new AtomicInteger();
            AtomicInteger refused = new AtomicInteger();
            AtomicInteger wrong = new AtomicInteger();
            List<Thread> clients = java.util.stream.IntStream.range(0, 4)
                    .mapToObj(i -> Thread.ofVirtual().start(() -> {
                        try (RawClient client = new RawClient(proxy.port)) {
                            while (!over.get()) {
                                int before = turn.get();
                                int code = client.send("GET /admin HTTP/1.1\r\nHost: web\r\n\r\n")
                                        .read(false)
                                        .code();
                                (code == 200 ? passed : refused).incrementAndGet();
                                if (before % 2 == 1 && before == turn.get() && code != 403) {
                                    wrong.incrementAndGet();
                                }
                            }
                        } catch (IOException e) {
                            throw new AssertionError(e);
                        }
                    }))
                    .toList();
            for (int i = 0; i < 50; i++) {
                // By a new policy, then by a change of its rules.
                proxy.xds.set(mesh(origin, denyPath("/other")).build());
                proxy.xds.set(mesh(origin, denyPath("/admin")).build());
                turn.incrementAndGet();
                Thread.sleep(10);
                turn.incrementAndGet();
                proxy.xds.set(mesh(origin).build());
                Thread.sleep(5);
            }
            over.set(true);
            for (Thread client : clients) {
                client.join();
            }
            assertEquals(0, wrong.get());
            assertTrue(passed.get() > 0 && refused.get() > 0, passed + " passed, " + refused + " refused");
        }
    }

    @Test
    void whatIsNotKnownDoesNotPass() throws Exception {
        try (Origin origin = Origin.answering(ORIGIN)) {
            Meshes named = mesh(origin, denyPath("/admin"));
            MeshState whole = named.build();
            MeshState withoutPolicy = withoutPolicies(whole);
            try (ProxyFixture proxy = proxy(withoutPolicy);
                    RawClient waiting = new RawClient(proxy.port)) {
                waiting.send("GET /a HTTP/1.1\r\nHost: web\r\n\r\n");
                Thread.sleep(300);
                assertEquals(0, origin.requests.size());
                proxy.xds.set(whole);
                assertEquals(200, waiting.read(false).code());
                // Once known, it stays in force as long as the workload names it.
                proxy.xds.set(withoutPolicy);
                assertEquals(403, RawClient.get(proxy.port, "/admin").code());
            }
            try (ProxyFixture proxy = proxy(withoutPolicy)) {
                RawClient.Response never = RawClient.get(proxy.port, "/a");
                assertEquals(503, never.code());
                assertTrue(proxy.sum("istio_requests_total", "response_flags=\"UAEX\"") == 1);
            }
            assertEquals(1, origin.requests.size());
        }
    }

    @Test
    void aWorkloadThatHasGoneKeepsItsLastPolicies() throws Exception {
        try (Origin origin = Origin.answering(ORIGIN)) {
            MeshState whole = mesh(origin, denyPath("/admin")).build();
            // Its endpoint is still known, as it is to a request that chose it a moment ago.
            MeshState gone = new MeshState(
                    whole.services(),
                    Map.of(),
                    whole.listeners(),
                    whole.routes(),
                    whole.clusters(),
                    whole.endpoints(),
                    whole.policies());
            try (ProxyFixture proxy = proxy(whole)) {
                assertEquals(200, RawClient.get(proxy.port, "/a").code());
                proxy.xds.set(gone);
                assertEquals(200, RawClient.get(proxy.port, "/a").code());
                assertEquals(403, RawClient.get(proxy.port, "/admin").code());
            }
        }
    }

    @Test
    void aRefusedConnectionClosesBeforeAByte() throws Exception {
        AuthorizationPolicy me =
                policy(Action.ALLOW, "me", new Rule(List.of(principal("*/sa/me")), List.of(), List.of()));
        try (Origin origin = Origin.answering(ORIGIN);
                ProxyFixture proxy = proxy(mesh(origin, me)
                        .tcp(new WeightedCluster(Meshes.cluster(""), 1))
                        .build())) {
            assertEquals(200, RawClient.get(proxy.port, "/").code());
            caller = "node/default/you";
            try (RawClient refused = new RawClient(proxy.port)) {
                refused.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
                assertTrue(refused.isClosed());
            }
            assertEquals(1, origin.connections.get());
            assertEquals(1, proxy.sum("tulle_proxy_policy_denied_total", "policy=\"none\""));
        }
        assertTrue(
                Files.readString(directory.resolve("access.log")).contains("rbac_access_denied_matched_policy[none]"));
    }

    /** A policy of which nothing is known yet may come between the choice of an endpoint and the connection to it. */
    @Test
    void aConnectionWaitsForAPolicyThatComesWhileItIsMade() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket first = new Socket(server.getInetAddress(), server.getLocalPort());
                Socket second = new Socket(server.getInetAddress(), server.getLocalPort())) {
            server.setSoTimeout(10_000);
            // The queue is full: the proxy's first SYN is dropped, the kernel sends another one after a second.
            Meshes open = Meshes.mesh()
                    .subset("", server.getLocalPort())
                    .workload(Meshes.member("default", "me", "me"))
                    .tcp(new WeightedCluster(Meshes.cluster(""), 1));
            MeshState before = open.build();
            AuthorizationPolicy me =
                    policy(Action.ALLOW, "me", new Rule(List.of(principal("*/sa/me")), List.of(), List.of()));
            MeshState whole = open.policies(me).build();
            MeshState unknown = withoutPolicies(whole);
            try (ProxyFixture proxy = proxy(before);
                    RawClient client = new RawClient(proxy.port)) {
                client.send("hello");
                Thread.sleep(300);
                proxy.xds.set(unknown);
                server.accept().close();
                server.accept().close();
                // The connection that was made for nothing is given up, and the client waits on.
                try (Socket made = server.accept()) {
                    made.setSoTimeout(5000);
                    assertEquals(-1, made.getInputStream().read());
                }
                proxy.xds.set(whole);
                try (Socket made = server.accept()) {
                    made.setSoTimeout(5000);
                    assertEquals("hello", new String(made.getInputStream().readNBytes(5), StandardCharsets.US_ASCII));
                    made.getOutputStream().write("there".getBytes(StandardCharsets.US_ASCII));
                }
                assertEquals("there", new String(client.in().readAllBytes(), StandardCharsets.US_ASCII));
            }
        }
    }

    @Test
    void aShadowGoesOnlyWhereItMay() throws Exception {
        RouteAction.Forward forward = new RouteAction.Forward(
                List.of(new WeightedCluster(Meshes.cluster(""), 1)),
                Duration.ZERO,
                RetryPolicy.NONE,
                RouteAction.Rewrite.NONE,
                List.of(new RouteAction.Mirror(Meshes.cluster("shadow"), 1_000_000)));
        try (Origin origin = Origin.answering(ORIGIN);
                Origin shadow = Origin.answering(ORIGIN)) {
            AuthorizationPolicy noShadows = policy(
                    Action.DENY,
                    "no-shadows",
                    new Rule(
                            List.of(),
                            List.of(new Operation(
                                    List.of(shadow.port()),
                                    List.of(),
                                    List.of(),
                                    List.of(),
                                    List.of(),
                                    List.of(),
                                    patterns("/admin"),
                                    List.of())),
                            List.of()));
            try (ProxyFixture proxy = proxy(mesh(origin, noShadows)
                    .subset("shadow", shadow.port())
                    .routes(Meshes.route("mirrored", RouteMatch.ANY, forward))
                    .build())) {
                assertEquals(200, RawClient.get(proxy.port, "/admin").code());
                assertEquals(200, RawClient.get(proxy.port, "/b").code());
                for (int i = 0; shadow.requests.isEmpty() && i < 200; i++) {
                    Thread.sleep(10);
                }
                assertEquals(1, shadow.requests.size());
                assertEquals("GET /b HTTP/1.1", shadow.requests.getFirst().line());
            }
        }
    }
}
