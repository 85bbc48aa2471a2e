package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import dev.tulle.model.CorsPolicy;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.Listener.Target;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Route;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.StringMatch;
import dev.tulle.model.VirtualHost;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Calls of gRPC-Web at the edge, to a server of gRPC that is not ours. Real clients: it/edge/grpc-web. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class GrpcWebTest {
    private static final String SHOP = "https://shop.example";

    private static final class Edge implements AutoCloseable {
        final int port = Edges.freePort();
        final FakeXds xds = new FakeXds();
        final NodeProxy proxy;

        Edge(Meshes mesh, RouteFilter... filters) throws Exception {
            Route route = new Route(
                    "r",
                    RouteMatch.ANY,
                    Meshes.forward("r", RouteMatch.ANY, "").action(),
                    List.of(filters),
                    HeaderMutation.NONE,
                    ResourceRef.DEFAULT);
            RouteConfiguration table = new RouteConfiguration(
                    "http." + port, List.of(new VirtualHost("all", List.of("*"), List.of(route))));
            Target target = new Target.Http(table.name(), false, List.of());
            xds.set(Edges.edge(
                    mesh.build(), List.of(new Target.Chain(port, target, ResourceRef.DEFAULT)), List.of(table)));
            proxy = Edges.start(xds);
            Edges.await(port);
        }

        WireEnd client(boolean http2) throws IOException {
            return http2
                    ? new Http2End(new H2Frames(port), false)
                    : new Http1End(new Socket(InetAddress.getLoopbackAddress(), port));
        }

        @Override
        public void close() {
            proxy.close();
            Leaks.check();
        }
    }

    private static Meshes to(GrpcPeer peer) {
        return Meshes.mesh().protocol(Cluster.Protocol.HTTP2).subset("", peer.port());
    }

    private static byte[] message(String text) {
        byte[] body = text.getBytes(StandardCharsets.ISO_8859_1);
        byte[] all = new byte[5 + body.length];
        all[3] = (byte) (body.length >> 8);
        all[4] = (byte) body.length;
        System.arraycopy(body, 0, all, 5, body.length);
        return all;
    }

    private static String rest(WireEnd from) throws IOException {
        StringBuilder all = new StringBuilder();
        for (byte[] piece = from.read(); piece != null; piece = from.read()) {
            all.append(new String(piece, StandardCharsets.ISO_8859_1));
        }
        return all.toString();
    }

    /** Messages and, last, the trailers. */
    private static List<String> frames(String body) {
        List<String> all = new ArrayList<>();
        for (int at = 0; at < body.length(); ) {
            int length = body.charAt(at + 3) << 8 | body.charAt(at + 4);
            String kind = body.charAt(at) == 0x80 ? "trailers " : "";
            all.add(kind + body.substring(at + 5, at + 5 + length));
            at += 5 + length;
        }
        return all;
    }

    /** Parts are padded by themselves. */
    private static String decoded(String text) {
        StringBuilder all = new StringBuilder();
        for (int at = 0; at < text.length(); at += 4) {
            all.append(new String(Base64.getDecoder().decode(text.substring(at, at + 4)), StandardCharsets.ISO_8859_1));
        }
        return all.toString();
    }

    private static WireEnd.Head call(WireEnd client, String method, String type, byte[] body, String... more)
            throws IOException {
        List<String> fields = new ArrayList<>(List.of("content-type", type));
        fields.addAll(List.of(more));
        client.head(method, WireEnd.Framing.LENGTH, body.length, fields.toArray(String[]::new));
        client.data(body);
        client.end();
        return client.readHead(false);
    }

    @Test
    void callsInBothFormsAndVersions() throws Exception {
        try (GrpcPeer peer = new GrpcPeer();
                Edge edge = new Edge(to(peer))) {
            for (boolean http2 : List.of(false, true)) {
                for (boolean text : List.of(false, true)) {
                    try (WireEnd client = edge.client(http2)) {
                        client.path = "/test.Echo/Unary";
                        String type = text ? "application/grpc-web-text" : "application/grpc-web+proto";
                        byte[] hello = message("hello");
                        byte[] body = text ? Base64.getEncoder().encode(hello) : hello;
                        WireEnd.Head head = call(client, "POST", type, body, "accept", type, "x-grpc-web", "1");
                        assertEquals("200", head.start());
                        assertEquals(
                                text ? "application/grpc-web-text+proto" : "application/grpc-web+proto",
                                head.fields().get("content-type"));
                        assertFalse(head.fields().containsKey("content-length"));
                        String answer = rest(client);
                        assertEquals(
                                List.of("hello", "trailers grpc-status:0\r\n"),
                                frames(text ? decoded(answer) : answer));
                        assertTrue(client.trailers.isEmpty());
                    }
                }
            }
            assertEquals(4, peer.heads.size());
        }
    }

    @Test
    void aFailureOfTheServerStandsInTheTrailersFrame() throws Exception {
        try (GrpcPeer peer = new GrpcPeer();
                Edge edge = new Edge(to(peer));
                WireEnd client = edge.client(false)) {
            client.path = "/test.Echo/Down";
            WireEnd.Head head = call(client, "POST", "application/grpc-web", message("3"));
            assertEquals("application/grpc-web+proto", head.fields().get("content-type"));
            List<String> frames = frames(rest(client));
            assertEquals(4, frames.size());
            assertEquals("trailers grpc-status:0\r\n", frames.getLast());

            client.path = "/test.Echo/Unary";
            head = call(client, "POST", "application/grpc-web", message("fail 9"));
            assertEquals("9", head.fields().get("grpc-status"), "trailers alone came as the head");
            assertEquals("as asked: 100 %25", head.fields().get("grpc-message"));
            assertEquals("why", head.fields().get("x-echo"));
            assertEquals("", rest(client));

            client.path = "/test.Echo/Nothing";
            head = call(client, "POST", "application/grpc-web", message("x"));
            assertEquals("12", head.fields().get("grpc-status"));
        }
    }

    @Test
    void theProxysOwnAnswersAreStatusesOfGrpc() throws Exception {
        FaultInjection abort =
                new FaultInjection(Optional.empty(), Optional.of(new FaultInjection.Abort(503, 1_000_000)));
        for (boolean http2 : List.of(false, true)) {
            try (Edge edge = new Edge(
                            Meshes.mesh().protocol(Cluster.Protocol.HTTP2).subset(""));
                    WireEnd client = edge.client(http2)) {
                WireEnd.Head head = call(client, "POST", "application/grpc-web-text", new byte[0]);
                assertEquals("200", head.start());
                assertEquals("14", head.fields().get("grpc-status"));
                assertEquals("no healthy upstream", head.fields().get("grpc-message"));
                assertEquals("application/grpc-web-text+proto", head.fields().get("content-type"));
                assertEquals("", rest(client));
            }
            try (GrpcPeer peer = new GrpcPeer();
                    Edge edge = new Edge(to(peer), abort);
                    WireEnd client = edge.client(http2)) {
                WireEnd.Head head = call(client, "POST", "application/grpc-web+json", message("{}"));
                assertEquals("14", head.fields().get("grpc-status"));
                assertEquals("application/grpc-web+json", head.fields().get("content-type"));
                assertEquals(0, peer.heads.size());
            }
        }
    }

    @Test
    void whatIsNoBase64IsAnsweredWith400() throws Exception {
        try (GrpcPeer peer = new GrpcPeer();
                Edge edge = new Edge(to(peer));
                WireEnd client = edge.client(false)) {
            client.path = "/test.Echo/Unary";
            WireEnd.Head head =
                    call(client, "POST", "application/grpc-web-text", "AAAA!".getBytes(StandardCharsets.US_ASCII));
            assertEquals("13", head.fields().get("grpc-status"));
            assertEquals(
                    "Bad gRPC-web request, invalid base64 data.", head.fields().get("grpc-message"));
        }
    }

    @Test
    void crossOriginIsTheRoutesMatterAndAPreflightIsNoCall() throws Exception {
        CorsPolicy cors = new CorsPolicy(
                List.of(new StringMatch.Exact(SHOP)),
                "POST",
                "content-type,x-grpc-web",
                "grpc-status",
                "",
                false,
                true);
        try (GrpcPeer peer = new GrpcPeer();
                Edge edge = new Edge(to(peer), cors);
                WireEnd client = edge.client(false)) {
            client.path = "/test.Echo/Unary";
            client.head(
                    "OPTIONS",
                    WireEnd.Framing.NONE,
                    0,
                    "origin",
                    SHOP,
                    "access-control-request-method",
                    "POST",
                    "access-control-request-headers",
                    "content-type,x-grpc-web");
            WireEnd.Head leave = client.readHead(false);
            assertEquals("200", leave.start());
            assertEquals(SHOP, leave.fields().get("access-control-allow-origin"));
            assertEquals("content-type,x-grpc-web", leave.fields().get("access-control-allow-headers"));
            assertEquals(0, peer.heads.size());
            WireEnd.Head head = call(client, "POST", "application/grpc-web", message("hello"), "origin", SHOP);
            assertEquals(SHOP, head.fields().get("access-control-allow-origin"));
            assertEquals("grpc-status", head.fields().get("access-control-expose-headers"));
            assertEquals(List.of("hello", "trailers grpc-status:0\r\n"), frames(rest(client)));
        }
    }

    @Test
    void aServerOfHttp1GetsItAsItCame() throws Exception {
        try (Origin origin = Origin.answering("as it came");
                Edge edge = new Edge(Meshes.mesh().subset("", origin.port()));
                WireEnd client = edge.client(false)) {
            WireEnd.Head head = call(client, "POST", "application/grpc-web", message("hello"));
            assertEquals("200", head.start());
            assertEquals("as it came", rest(client));
            assertEquals("application/grpc-web", origin.requests.getFirst().field("content-type"));
            assertTrue(origin.requests.getFirst().body().endsWith("hello"));
        }
    }

    @Test
    void callsAreCountedAsCallsOfGrpc() throws Exception {
        try (GrpcPeer peer = new GrpcPeer();
                Edge edge = new Edge(to(peer));
                WireEnd client = edge.client(true)) {
            client.path = "/test.Echo/Unary";
            byte[] two = Base64.getEncoder().encode(message("hello"));
            call(client, "POST", "application/grpc-web-text", two);
            rest(client);
            call(client, "POST", "application/grpc-web", message("fail 5"));
            rest(client);
            String all = edge.proxy.metrics().expose();
            assertTrue(
                    all.lines()
                            .anyMatch(line -> line.startsWith("istio_requests_total")
                                    && line.contains("grpc_response_status=\"0\"")),
                    all);
            assertTrue(
                    all.lines()
                            .anyMatch(line -> line.startsWith("istio_requests_total")
                                    && line.contains("grpc_response_status=\"5\"")),
                    all);
        }
    }

    /** The table is what a real Envoy did: it/edge/grpc_web.py. */
    @Test
    void whatACallBecomesIsWhatEnvoyMakesOfIt() throws Exception {
        List<String> rows;
        try (BufferedReader table = new BufferedReader(new InputStreamReader(
                Objects.requireNonNull(GrpcWebTest.class.getResourceAsStream("grpc-web.txt")),
                StandardCharsets.UTF_8))) {
            rows = table.lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .toList();
        }
        assertTrue(rows.size() >= 20, rows.size() + " rows");
        try (ServerSocket listener = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
                Edge edge =
                        new Edge(Meshes.mesh().protocol(Cluster.Protocol.HTTP2).subset("", listener.getLocalPort()))) {
            listener.setSoTimeout(10_000);
            WireEnd server = null;
            // One connection: another could be of another loop, which has connections of its own to the server.
            try (WireEnd client = edge.client(false)) {
                for (String row : rows) {
                    server = check(row, client, server, listener);
                }
            }
        }
    }

    private static WireEnd check(String row, WireEnd client, @Nullable WireEnd known, ServerSocket listener)
            throws IOException {
        String[] parts = row.split(" \\| ", -1);
        String[] called = parts[0].split(" ; ", -1);
        String[] given = parts[2].split(" ; ", -1);
        String[] received = parts[3].split(" ; ", -1);
        String[] got = parts[4].split(" ; ", -1);
        byte[] body = bytes(parts[1]);
        byte[] sent = called[0].startsWith("application/grpc-web-text")
                ? Base64.getEncoder().encode(body)
                : body;
        List<String> fields = new ArrayList<>(List.of("content-type", called[0]));
        if (!called[1].isEmpty()) {
            fields.addAll(List.of("accept", called[1]));
        }
        client.head("POST", WireEnd.Framing.LENGTH, sent.length, fields.toArray(String[]::new));
        client.data(sent);
        client.end();
        WireEnd server = known == null ? new Http2End(new H2Frames(listener.accept(), H2Server.NOTHING), true) : known;
        WireEnd.Head asked = server.readHead(false);
        assertEquals(received[0], asked.fields().get("content-type"), row);
        if (called[0].startsWith("application/grpc-web")) {
            assertEquals("trailers", asked.fields().get("te"), row);
            assertEquals("identity", asked.fields().get("grpc-accept-encoding"), row);
            assertFalse(!parts[1].isEmpty() && asked.fields().containsKey("content-length"), row);
        }
        assertEquals(received[1], hex(rest(server)), row);
        server.head(given[0], WireEnd.Framing.OPEN, 0, "content-type", given[1]);
        server.data(bytes(given[2]));
        List<String> trailers = new ArrayList<>();
        for (int i = 3; i < given.length; i++) {
            trailers.addAll(List.of(given[i].split(": ", 2)));
        }
        server.end(trailers.toArray(String[]::new));
        WireEnd.Head answered = client.readHead(false);
        assertEquals(got[0], answered.start(), row);
        assertEquals(got[1], answered.fields().get("content-type"), row);
        String back = rest(client);
        assertEquals(got[2], hex(got[1].startsWith("application/grpc-web-text") ? decoded(back) : back), row);
        assertEquals(got[3], answered.fields().getOrDefault("grpc-status", ""), row);
        return server;
    }

    private static byte[] bytes(String hex) {
        return HexFormat.of().parseHex(hex);
    }

    private static String hex(String bytes) {
        return HexFormat.of().formatHex(bytes.getBytes(StandardCharsets.ISO_8859_1));
    }
}
