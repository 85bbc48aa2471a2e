package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ports of the edge at which every connection begins with a header of the PROXY protocol. */
class AnnouncedPortTest {
    private static final String TEXT = "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n";
    private static final String SIGNATURE = "0d0a0d0a000d0a515549540a";

    private static MeshState edge(MeshState mesh, int port, Listener.Target target) {
        VirtualHost all = new VirtualHost("*", List.of("*"), List.of(Meshes.forward("all", RouteMatch.ANY, "a")));
        return Edges.edge(
                mesh,
                List.of(new Listener.Target.Chain(port, target, ResourceRef.DEFAULT)),
                Set.of(port),
                List.of(new RouteConfiguration("http.80", List.of(all))));
    }

    private static Listener.Target http(int hops) {
        return new Listener.Target.Http("http.80", false, List.of(), hops);
    }

    private static void await(int port) throws InterruptedException, IOException {
        for (int i = 0; i < 250; i++) {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                socket.getOutputStream().write(ascii("PROXY UNKNOWN\r\n"));
                return;
            } catch (SocketException e) {
                Thread.sleep(20);
            }
        }
        throw new AssertionError("port " + port + " is not open after 5 s");
    }

    /** What comes back for bytes that are sent in pieces of a size. */
    private static String ask(int port, byte[] header, String rest, int size) throws IOException, InterruptedException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(10_000);
            byte[] body = rest.getBytes(StandardCharsets.ISO_8859_1);
            byte[] all = java.util.Arrays.copyOf(header, header.length + body.length);
            System.arraycopy(body, 0, all, header.length, body.length);
            for (int i = 0; i < all.length; i += size) {
                socket.getOutputStream().write(all, i, Math.min(size, all.length - i));
                if (size < all.length) {
                    Thread.sleep(1);
                }
            }
            InputStream in = socket.getInputStream();
            return new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
        }
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static double refused(NodeProxy proxy, String reason) {
        return proxy.metrics()
                .expose()
                .lines()
                .filter(line -> line.startsWith("tulle_proxy_connections_refused_total{reason=\"" + reason + "\"}"))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    /** What is tried of an announced port. */
    private interface Trial {
        void run(int port, Origin a, NodeProxy proxy) throws Exception;
    }

    /** An announced port of a gateway, which leads to an origin, while something is tried of it. */
    private static void serving(Listener.Target target, Trial trial) throws Exception {
        int port = Edges.freePort();
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(edge(mesh, port, target));
            try (NodeProxy proxy = Edges.start(xds)) {
                await(port);
                trial.run(port, a, proxy);
            }
            Leaks.check();
        }
    }

    @Test
    void theHeadersClientIsTheCaller() throws Exception {
        serving(http(0), (port, a, _) -> {
            String request = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close\r\n\r\n";
            byte[] six = HexFormat.of()
                    .parseHex(SIGNATURE + "21210024" + "20010db8000000000000000000000007"
                            + "20010db8000000000000000000000001" + "9c4001bb");
            byte[] local = HexFormat.of().parseHex(SIGNATURE + "20000000");
            List<byte[]> headers = List.of(ascii(TEXT), six, local, ascii("PROXY UNKNOWN\r\n"));
            List<String> callers = List.of("192.0.2.7", "2001:db8::7", "127.0.0.1", "127.0.0.1");
            for (int i = 0; i < headers.size(); i++) {
                for (int size : new int[] {1, 7, 1_000}) {
                    a.requests.clear();
                    String answer = ask(port, headers.get(i), request, size);
                    assertTrue(answer.startsWith("HTTP/1.1 200 "), answer);
                    String head = a.requests.getFirst().head().toLowerCase(Locale.ROOT);
                    assertTrue(head.contains("x-forwarded-for: " + callers.get(i) + "\r\n"), head);
                    assertTrue(head.contains("x-envoy-external-address: " + callers.get(i) + "\r\n"), head);
                }
            }
        });
    }

    /** The header is a hop of its own: who is behind it is the last of the trusted ones. */
    @Test
    void trustedHopsAreCountedFromTheHeadersClient() throws Exception {
        serving(http(1), (port, a, _) -> {
            String request = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n";
            assertTrue(ask(port, ascii(TEXT), request, 1_000).startsWith("HTTP/1.1 200 "));
            String head = a.requests.getFirst().head().toLowerCase(Locale.ROOT);
            assertTrue(head.contains("x-forwarded-for: 203.0.113.9,192.0.2.7\r\n"), head);
            assertTrue(head.contains("x-envoy-external-address: 203.0.113.9\r\n"), head);
        });
    }

    @Test
    void bytesFollowTheHeader() throws Exception {
        serving(new Listener.Target.Tcp(List.of(new WeightedCluster(Meshes.cluster("a"), 1))), (port, a, _) -> {
            try (RawClient client = new RawClient(port)) {
                client.send(TEXT + "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
                assertEquals("a", client.read(false).body());
            }
            String head = a.requests.getFirst().head();
            assertTrue(head.startsWith("GET / HTTP/1.1\r\nHost: x\r\n"), head);
        });
    }

    @ParameterizedTest
    @CsvSource({
        "proxy_header_missing, 474554202f20485454502f312e310d0a486f73743a20780d0a0d0a",
        "proxy_header_missing, 16030100",
        "proxy_header_malformed, 50524f5859205443503420312e320d0a",
        "proxy_header_unsupported, 0d0a0d0a000d0a515549540a2131000000",
        "proxy_header_too_long, 0d0a0d0a000d0a515549540a2111ffff",
        "proxy_header_checksum, 0d0a0d0a000d0a515549540a21110013c0000207c63364019c4001bb03000412345678",
    })
    void whatIsNoHeaderIsReset(String reason, String bytes) throws Exception {
        serving(http(0), (port, a, proxy) -> {
            assertThrows(SocketException.class, () -> ask(port, HexFormat.of().parseHex(bytes), "", 1_000));
            assertEquals(1, refused(proxy, reason), proxy.metrics().expose());
            assertEquals(0, a.requests.size());
        });
    }

    @Test
    void anEndBeforeTheHeadersIsNoHeader() throws Exception {
        serving(http(0), (port, a, proxy) -> {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                socket.getOutputStream().write(ascii("PROXY TCP4 "));
                socket.shutdownOutput();
                socket.setSoTimeout(10_000);
                assertThrows(
                        SocketException.class, () -> socket.getInputStream().read());
            }
            assertEquals(1, refused(proxy, "proxy_header_missing"));
        });
    }

    @Test
    void aChangeHoldsForConnectionsThatFollow() throws Exception {
        int port = Edges.freePort();
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            VirtualHost all = new VirtualHost("*", List.of("*"), List.of(Meshes.forward("all", RouteMatch.ANY, "a")));
            xds.set(Edges.edge(
                    mesh,
                    List.of(new Listener.Target.Chain(port, http(0), ResourceRef.DEFAULT)),
                    List.of(new RouteConfiguration("http.80", List.of(all)))));
            try (NodeProxy _ = Edges.start(xds)) {
                await(port);
                String request = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
                try (RawClient before = new RawClient(port)) {
                    before.send(request);
                    assertEquals(200, before.read(false).code());
                    assertEquals("127.0.0.1", a.requests.getLast().field("x-envoy-external-address"));
                    xds.set(edge(mesh, port, http(1)));
                    for (int i = 0; ; i++) {
                        try (RawClient after = new RawClient(port)) {
                            after.send(TEXT + request);
                            // The ports may know of it a moment before the routes do.
                            if (after.read(false).code() == 200
                                    && a.requests
                                            .getLast()
                                            .field("x-envoy-external-address")
                                            .equals("203.0.113.9")) {
                                break;
                            }
                        }
                        assertTrue(i < 250, "no header is taken after 5 s");
                        Thread.sleep(20);
                    }
                    assertEquals("203.0.113.9", a.requests.getLast().field("x-envoy-external-address"));
                    before.send(request);
                    assertEquals(200, before.read(false).code(), "a connection that was made before goes on");
                    assertEquals("127.0.0.1", a.requests.getLast().field("x-envoy-external-address"));
                }
            }
            Leaks.check();
        }
    }
}
