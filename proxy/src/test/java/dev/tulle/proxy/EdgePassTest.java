package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.EdgeTls;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import dev.tulle.proxy.transport.Pki;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS that passes through the mesh's edge: by the name that is asked for, whole, and beside TLS that ends there. */
class EdgePassTest {
    private static final String REFUSED = "tulle_proxy_connections_refused_total";

    @TempDir
    static Path directory;

    private static Pki pki;
    private static SSLContext client;

    @BeforeAll
    static void make() throws Exception {
        pki = new Pki(directory).authority("root");
        pki.issue("edge", "root", "DNS:edge.example.com").issue("behind", "root", "DNS:behind.example.com");
        client = SSLContext.getInstance("TLS");
        client.init(null, EdgeTlsTest.trust(pki.certificate("root")), null);
    }

    private static Listener.Target.Chain passing(String name, int port, String subset, String... serverNames) {
        return Listener.Target.Chain.passing(
                name,
                port,
                List.of(serverNames),
                new Listener.Target.Tcp(
                        subset.isEmpty() ? List.of() : List.of(new WeightedCluster(Meshes.cluster(subset), 1))),
                ResourceRef.DEFAULT);
    }

    private static EdgeTls files(String authorities) {
        return new EdgeTls(pki.certificate("edge").toString(), pki.key("edge").toString(), authorities, false);
    }

    /** A chain for requests whose TLS ends at the edge. */
    private static Listener.Target.Chain ending(int port, EdgeTls tls, String... serverNames) {
        return new Listener.Target.Chain(
                "ending",
                port,
                List.of(serverNames),
                Optional.of(tls),
                new Listener.Target.Http("ending", false, List.of()),
                ResourceRef.DEFAULT);
    }

    private static MeshState edge(MeshState mesh, Listener.Target.Chain... chains) {
        VirtualHost all = new VirtualHost("all", List.of("*"), List.of(Meshes.forward("all", RouteMatch.ANY, "plain")));
        return Edges.edge(mesh, List.of(chains), List.of(new RouteConfiguration("ending", List.of(all))));
    }

    private static String subject(SSLSocket socket) throws IOException {
        return ((X509Certificate) socket.getSession().getPeerCertificates()[0])
                .getSubjectX500Principal()
                .getName();
    }

    private static double counted(NodeProxy proxy, String name, String label) {
        return proxy.metrics()
                .expose()
                .lines()
                .filter(line -> line.startsWith(name + "{") && line.contains(label))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    private static void await(int port) throws IOException, InterruptedException {
        for (int i = 0; ; i++) {
            try {
                new Socket(InetAddress.getLoopbackAddress(), port).close();
                return;
            } catch (IOException e) {
                if (i == 250) {
                    throw e;
                }
                Thread.sleep(20);
            }
        }
    }

    @Test
    void oneServerEndsTlsAndAnotherOneOfThePortDoesNot() throws Exception {
        int port = Edges.freePort();
        try (Origin plain = Origin.answering("plain");
                TlsNginx behind = new TlsNginx(directory, pki, "behind", "root");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh()
                    .subset("plain", plain.port())
                    .subset("behind", behind.port)
                    .build();
            xds.set(edge(
                    mesh,
                    ending(port, files(""), "edge.example.com"),
                    passing("passing", port, "behind", "*.example.com"),
                    passing("closed", port, "", "closed.example.com")));
            try (NodeProxy proxy = Edges.start(xds)) {
                for (String version : List.of("TLSv1.2", "TLSv1.3")) {
                    try (SSLSocket socket = EdgeTlsTest.connect(client, port, "edge.example.com", version)) {
                        assertEquals("CN=edge", subject(socket));
                        assertEquals("plain", EdgeTlsTest.ask(socket, "edge.example.com"));
                    }
                    try (SSLSocket socket = EdgeTlsTest.connect(client, port, "behind.example.com", version)) {
                        assertEquals("CN=behind", subject(socket), "the server's own certificate");
                        String seen = EdgeTlsTest.ask(socket, "behind.example.com");
                        assertTrue(seen.contains("name=behind.example.com "), seen);
                        assertTrue(seen.contains("tls=" + version), seen);
                    }
                }
                // Asking for the closed one, for a name of nobody, for none.
                for (String name : List.of("closed.example.com", "example.org", "")) {
                    assertThrows(IOException.class, () -> EdgeTlsTest.connect(client, port, name)
                            .close());
                }
                assertEquals(1, counted(proxy, "tulle_proxy_connections_refused_total", "\"tls_not_served\""));
                assertEquals(2, counted(proxy, "tulle_proxy_connections_refused_total", "\"tls_no_certificate\""));
                assertEquals(2, counted(proxy, "istio_tcp_connections_opened_total", "web"), "connections as bytes");
                assertTrue(counted(proxy, "istio_tcp_sent_bytes_total", "web") > 1_000);
            }
            Leaks.check();
        }
    }

    /** The first message of a caller. */
    private static byte[] hello(String name) throws IOException {
        SSLEngine engine = client.createSSLEngine();
        engine.setUseClientMode(true);
        SSLParameters parameters = engine.getSSLParameters();
        parameters.setServerNames(List.of(new SNIHostName(name)));
        engine.setSSLParameters(parameters);
        ByteBuffer out = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
        engine.wrap(ByteBuffer.allocate(0), out);
        return Arrays.copyOf(out.array(), out.position());
    }

    /** The same message in records of some bytes each. */
    private static byte[] inRecords(byte[] hello, int size) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int at = 5; at < hello.length; at += size) {
            int length = Math.min(size, hello.length - at);
            out.write(hello, 0, 3);
            out.write(length >> 8);
            out.write(length);
            out.write(hello, at, length);
        }
        return out.toByteArray();
    }

    @Test
    void everyByteArrivesInWhateverPiecesTheFirstMessageComes() throws Exception {
        int port = Edges.freePort();
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                FakeXds xds = new FakeXds()) {
            MeshState mesh =
                    Meshes.mesh().subset("behind", server.getLocalPort()).build();
            xds.set(edge(mesh, passing("passing", port, "behind", "behind.example.com")));
            try (NodeProxy _ = Edges.start(xds)) {
                await(port);
                byte[] hello = hello("behind.example.com");
                byte[] rest = "and what comes after it".getBytes(StandardCharsets.US_ASCII);
                for (byte[] first : List.of(hello, inRecords(hello, 100), inRecords(hello, 7))) {
                    for (int pause : new int[] {first.length, 200, 3}) {
                        byte[] all = Arrays.copyOf(first, first.length + rest.length);
                        System.arraycopy(rest, 0, all, first.length, rest.length);
                        try (Socket caller = new Socket(InetAddress.getLoopbackAddress(), port)) {
                            caller.setTcpNoDelay(true);
                            for (int at = 0; at < all.length; at += pause) {
                                caller.getOutputStream().write(all, at, Math.min(pause, all.length - at));
                            }
                            // Half of the connection ends, the other one goes on.
                            caller.shutdownOutput();
                            try (Socket served = server.accept()) {
                                assertArrayEquals(all, served.getInputStream().readAllBytes());
                                served.getOutputStream().write("answer".getBytes(StandardCharsets.US_ASCII));
                                served.shutdownOutput();
                                assertEquals(
                                        "answer",
                                        new String(caller.getInputStream().readAllBytes(), StandardCharsets.US_ASCII));
                            }
                        }
                    }
                }
                try (Socket caller = new Socket(InetAddress.getLoopbackAddress(), port)) {
                    caller.getOutputStream().write(hello);
                    try (Socket served = server.accept()) {
                        assertEquals(hello[0], (byte) served.getInputStream().read());
                        caller.setSoLinger(true, 0);
                        caller.close();
                        assertThrows(
                                IOException.class, () -> served.getInputStream().readAllBytes(), "a reset stays one");
                    }
                }
            }
            Leaks.check();
        }
    }

    private static List<String> refusals(NodeProxy proxy) {
        return proxy.metrics()
                .expose()
                .lines()
                .filter(line -> line.startsWith(REFUSED + "{"))
                .sorted()
                .toList();
    }

    @Test
    void whatIsNoFirstMessageIsRefusedByItsReason() throws Exception {
        int port = Edges.freePort();
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                FakeXds xds = new FakeXds()) {
            MeshState mesh =
                    Meshes.mesh().subset("behind", server.getLocalPort()).build();
            xds.set(edge(mesh, passing("passing", port, "behind")));
            try (NodeProxy proxy = Edges.start(xds)) {
                await(port);
                byte[] hello = hello("behind.example.com");
                byte[] huge = hello.clone();
                // It says that a megabyte follows.
                huge[6] = 0x10;
                byte[] plain = "GET / HTTP/1.1\r\nHost: behind.example.com\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
                byte[] half = Arrays.copyOf(hello, hello.length / 2);
                for (byte[] said : List.of(plain, huge, half)) {
                    try (Socket caller = new Socket(InetAddress.getLoopbackAddress(), port)) {
                        caller.setSoTimeout(15_000);
                        caller.getOutputStream().write(said);
                        try {
                            caller.getInputStream().readAllBytes();
                        } catch (IOException e) {
                            // A reset, as not everything was read.
                        }
                    }
                }
                // Two say too little: half of a message, and who only looked whether the port is open. Each may be of a
                // loop of its own, of which one is behind.
                List<String> expected = List.of(
                        REFUSED + "{reason=\"tls_handshake_failed\"} 1",
                        REFUSED + "{reason=\"tls_handshake_timeout\"} 2",
                        REFUSED + "{reason=\"tls_hello_too_long\"} 1");
                for (int i = 0; i < 250 && !refusals(proxy).equals(expected); i++) {
                    Thread.sleep(20);
                }
                assertEquals(expected, refusals(proxy));
                server.setSoTimeout(1);
                assertThrows(IOException.class, server::accept, "nobody is connected with the server");
            }
            Leaks.check();
        }
    }

    @Test
    void aCallerThatComesAfterTheAnswerNeverGetsWhatWasThereBefore() throws Exception {
        int port = Edges.freePort();
        try (Origin plain = Origin.answering("plain");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("plain", plain.port()).build();
            MeshState open = edge(mesh, ending(port, files("")));
            MeshState mutual =
                    edge(mesh, ending(port, files(pki.certificate("root").toString())));
            xds.set(open);
            try (NodeProxy _ = Edges.start(xds)) {
                EdgeTlsTest.connect(client, port, "any").close();
                for (int i = 0; i < 30; i++) {
                    xds.set(mutual);
                    int round = i;
                    assertThrows(
                            IOException.class,
                            () -> {
                                try (SSLSocket socket = EdgeTlsTest.connect(client, port, "any", "TLSv1.2")) {
                                    EdgeTlsTest.ask(socket, "any");
                                }
                            },
                            () -> "round " + round + ": a caller without a certificate");
                    xds.set(open);
                    try (SSLSocket socket = EdgeTlsTest.connect(client, port, "any", "TLSv1.2")) {
                        assertEquals("plain", EdgeTlsTest.ask(socket, "any"));
                    }
                }
            }
            Leaks.check();
        }
    }
}
