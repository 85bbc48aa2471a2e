package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.StringMatch;
import dev.tulle.model.TextPattern;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/** The proxy at the mesh's edge: ports come and go with the control plane's word, hosts choose the routes. */
class EdgeTest {
    /** The mesh's state with an edge of these chains and hosts. */
    private static MeshState edge(MeshState mesh, List<Listener.Target.Chain> chains, VirtualHost... hosts) {
        return Edges.edge(mesh, chains, List.of(new RouteConfiguration("http.80", List.of(hosts))));
    }

    private static Listener.Target.Chain http(int port) {
        return new Listener.Target.Chain(
                port, new Listener.Target.Http("http.80", false, List.of()), ResourceRef.DEFAULT);
    }

    private static VirtualHost host(String domain, String subset) {
        return new VirtualHost(domain, List.of(domain), List.of(Meshes.forward(domain, RouteMatch.ANY, subset)));
    }

    /** What a port answers to a host, once it is served; an empty answer while it is not. */
    private static RawClient.Response ask(int port, String host, String... fields) throws IOException {
        StringBuilder request = new StringBuilder("GET /x HTTP/1.1\r\nHost: " + host + "\r\n");
        for (String field : fields) {
            request.append(field).append("\r\n");
        }
        return RawClient.once(port, request.append("\r\n").toString());
    }

    private static boolean isOpen(int port) throws IOException {
        try (Socket _ = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return true;
        } catch (SocketException e) {
            // Refused; or reset, by a listener that closed before it accepted what had just connected.
            return false;
        }
    }

    private static void await(int port, boolean open) throws IOException, InterruptedException {
        for (int i = 0; isOpen(port) != open; i++) {
            assertTrue(i < 250, "port " + port + " is not " + (open ? "open" : "closed") + " after 5 s");
            Thread.sleep(20);
        }
    }

    @Test
    void hostsChooseTheRoutesAndNoneIs404() throws Exception {
        int port = Edges.freePort();
        try (Origin a = Origin.answering("a");
                Origin b = Origin.answering("b");
                FakeXds xds = new FakeXds()) {
            MeshState mesh =
                    Meshes.mesh().subset("a", a.port()).subset("b", b.port()).build();
            xds.set(edge(mesh, List.of(http(port)), host("a.example.com", "a"), host("*.example.com", "b")));
            try (NodeProxy proxy = Edges.start(xds)) {
                await(port, true);
                assertEquals("a", ask(port, "a.example.com").body());
                assertEquals("a", ask(port, "A.example.com:" + port).body());
                assertEquals("b", ask(port, "b.example.com").body());
                assertEquals(404, ask(port, "example.com").code());
                assertEquals(404, ask(port, "a.example.org").code());
                assertEquals(
                        404,
                        RawClient.once(port, "CONNECT a.example.com:80 HTTP/1.1\r\nHost: a.example.com:80\r\n\r\n")
                                .code());
                String metrics = proxy.metrics().expose();
                assertTrue(
                        metrics.lines()
                                .anyMatch(line -> line.startsWith("istio_requests_total")
                                        && line.contains("destination_service=\"" + Meshes.HOST + "\"")
                                        && line.contains("response_code=\"200\"")),
                        metrics);
            }
            Leaks.check();
        }
    }

    @Test
    void whatAClientSaysOfThoseBeforeItIsNotPassedOn() throws Exception {
        int port = Edges.freePort();
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(edge(mesh, List.of(http(port)), host("*", "a")));
            try (NodeProxy _ = Edges.start(xds)) {
                await(port, true);
                RawClient.Response answer = ask(
                        port,
                        "any",
                        "X-Forwarded-For: 1.2.3.4",
                        "X-Envoy-Attempt-Count: 7",
                        "X-Forwarded-Proto: https");
                assertEquals(200, answer.code(), answer.head());
                String head = a.requests.getFirst().head().toLowerCase(Locale.ROOT);
                assertTrue(head.contains("x-forwarded-for: 127.0.0.1\r\n"), head);
                assertTrue(head.contains("x-forwarded-proto: http\r\n"), head);
                assertTrue(head.contains("x-request-id: "), head);
                assertFalse(head.contains("1.2.3.4"), head);
                assertFalse(head.contains("attempt-count: 7"), head);
            }
            Leaks.check();
        }
    }

    @Test
    void portsComeAndGo() throws Exception {
        int one = Edges.freePort();
        int two = Edges.freePort();
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(mesh);
            try (NodeProxy _ = Edges.start(xds)) {
                xds.set(edge(mesh, List.of(http(one)), host("*", "a")));
                await(one, true);
                try (RawClient kept = new RawClient(one)) {
                    kept.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
                    assertEquals(200, kept.read(false).code());
                    xds.set(edge(mesh, List.of(http(two)), host("*", "a")));
                    await(two, true);
                    await(one, false);
                    assertEquals("a", ask(two, "x").body());
                    kept.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
                    assertEquals(200, kept.read(false).code(), "a connection that was made before goes on");
                }
                xds.set(mesh);
                await(two, false);
                xds.set(edge(mesh, List.of(http(one)), host("*", "a")));
                await(one, true);
                assertEquals("a", ask(one, "x").body());
            }
            Leaks.check();
        }
    }

    @Test
    void aPortForBytesGoesToItsShare() throws Exception {
        int port = Edges.freePort();
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            Listener.Target target = new Listener.Target.Tcp(List.of(new WeightedCluster(Meshes.cluster("a"), 1)));
            xds.set(edge(mesh, List.of(new Listener.Target.Chain(port, target, ResourceRef.DEFAULT))));
            try (NodeProxy _ = Edges.start(xds)) {
                await(port, true);
                assertEquals("a", ask(port, "whatever").body());
                assertFalse(a.requests.getFirst().head().contains("x-request-id"));
            }
            Leaks.check();
        }
    }

    @Test
    void aPortThatSomebodyElseHasIsTriedUntilItIsFree() throws Exception {
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            ServerSocket other = new ServerSocket(0);
            int port = other.getLocalPort();
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(edge(mesh, List.of(http(port)), host("*", "a")));
            try (NodeProxy _ = Edges.start(xds)) {
                Thread.sleep(300);
                other.close();
                await(port, true);
                assertEquals("a", ask(port, "x").body());
            }
            Leaks.check();
        }
    }

    private static AuthorizationPolicy onlyFor(String field, String value) {
        AuthorizationPolicy.Condition condition =
                new AuthorizationPolicy.Condition.Header(field, List.of(TextPattern.parse(value)), List.of());
        return new AuthorizationPolicy(
                "default/trusted",
                AuthorizationPolicy.Scope.NAMESPACE,
                AuthorizationPolicy.Action.ALLOW,
                List.of(new AuthorizationPolicy.Rule(List.of(), List.of(), List.of(condition))),
                new ResourceRef("AuthorizationPolicy", "default", "trusted", "", 0));
    }

    /** What a caller outside writes of whom it speaks for is not sent, so no policy believes it. */
    @Test
    void policiesReadWhatIsSent() throws Exception {
        int port = Edges.freePort();
        for (String[] one : new String[][] {
            {"x-forwarded-for", "10.0.0.5", "403"},
            {"x-forwarded-for", "*", "200"},
            {"x-forwarded-proto", "https", "403"},
            {"x-forwarded-proto", "http", "200"},
            {"x-real-ip", "10.0.0.5", "403"},
            {"x-forwarded-client-cert", "10.0.0.5", "403"},
            {"x-free", "10.0.0.5", "200"}
        }) {
            try (Origin a = Origin.answering("a");
                    FakeXds xds = new FakeXds()) {
                MeshState mesh = Meshes.mesh()
                        .subset("a", a.port())
                        .policies(onlyFor(one[0], one[1]))
                        .build();
                xds.set(edge(mesh, List.of(http(port)), host("*", "a")));
                try (NodeProxy _ = Edges.start(xds)) {
                    await(port, true);
                    String written = one[0].endsWith("proto") ? "https" : "10.0.0.5";
                    int code = ask(port, "any", one[0] + ": " + written).code();
                    assertEquals(Integer.parseInt(one[2]), code, String.join(" ", one));
                }
            }
        }
    }

    /** Nor does a route. */
    @Test
    void routesReadWhatIsSent() throws Exception {
        int port = Edges.freePort();
        RouteMatch byField = new RouteMatch(
                RouteMatch.ANY.path(),
                false,
                RouteMatch.ANY.method(),
                List.of(new RouteMatch.Named("x-forwarded-proto", new StringMatch.Exact("https"), false)),
                List.of());
        try (Origin a = Origin.answering("plain");
                Origin b = Origin.answering("secure");
                FakeXds xds = new FakeXds()) {
            MeshState mesh =
                    Meshes.mesh().subset("a", a.port()).subset("b", b.port()).build();
            VirtualHost both = new VirtualHost(
                    "*",
                    List.of("*"),
                    List.of(Meshes.forward("https", byField, "b"), Meshes.forward("http", RouteMatch.ANY, "a")));
            xds.set(edge(mesh, List.of(http(port)), both));
            try (NodeProxy _ = Edges.start(xds)) {
                await(port, true);
                assertEquals("plain", ask(port, "any").body());
                assertEquals(
                        "plain", ask(port, "any", "X-Forwarded-Proto: https").body());
            }
        }
    }
}
