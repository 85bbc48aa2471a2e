package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.UpstreamTls;
import dev.tulle.model.WeightedCluster;
import dev.tulle.proxy.transport.Pki;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Connections of bytes to a server of the JDK's TLS. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class TlsTcpTest {
    private static final String NAME = "db.example";

    @TempDir
    static Path directory;

    private static Pki pki;

    @BeforeAll
    static void certificates() {
        pki = new Pki(directory).authority("root").authority("stranger").issue("server", "root", "DNS:" + NAME);
        pki.run(
                "pkcs12",
                "-export",
                "-in",
                pki.certificate("server").toString(),
                "-inkey",
                pki.key("server").toString(),
                "-passout",
                "pass:x",
                "-out",
                store().toString());
    }

    private static Path store() {
        return directory.resolve("server.p12");
    }

    private interface Serving {
        void serve(SSLSocket client) throws IOException;
    }

    /** Serves one connection after the other until it is closed. */
    private static SSLServerSocket server(String version, Serving serving) throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store())) {
            keys.load(in, "x".toCharArray());
        }
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(keys, "x".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
        SSLServerSocket server = (SSLServerSocket)
                context.getServerSocketFactory().createServerSocket(0, 50, InetAddress.getLoopbackAddress());
        server.setEnabledProtocols(new String[] {version});
        Thread.ofPlatform().daemon().start(() -> {
            while (!server.isClosed()) {
                try (SSLSocket client = (SSLSocket) server.accept()) {
                    serving.serve(client);
                } catch (IOException e) {
                    // The test sees at its own end what went wrong; here it is of use to who looks for it.
                    System.getLogger(TlsTcpTest.class.getName()).log(System.Logger.Level.DEBUG, "served", e);
                }
            }
        });
        return server;
    }

    private static ProxyFixture proxy(int port, String authority, String name) throws IOException {
        UpstreamTls tls =
                new UpstreamTls(NAME, "", "", pki.certificate(authority).toString(), List.of(name));
        return new ProxyFixture(Meshes.mesh()
                .tls(tls)
                .subset("", port)
                .tcp(new WeightedCluster(Meshes.cluster(""), 1))
                .build());
    }

    @Test
    void bytesGoBothWays() throws Exception {
        for (String version : List.of("TLSv1.2", "TLSv1.3")) {
            byte[] sent = new byte[4 << 20];
            new Random(1).nextBytes(sent);
            try (SSLServerSocket server = server(version, client -> {
                        client.getOutputStream().write("hello".getBytes(StandardCharsets.US_ASCII));
                        client.getInputStream().transferTo(client.getOutputStream());
                    });
                    ProxyFixture mesh = proxy(server.getLocalPort(), "root", NAME);
                    Socket client = new Socket(InetAddress.getLoopbackAddress(), mesh.port)) {
                InputStream in = client.getInputStream();
                assertEquals("hello", new String(in.readNBytes(5), StandardCharsets.US_ASCII));
                OutputStream out = client.getOutputStream();
                Thread writer = Thread.ofPlatform().start(() -> {
                    try {
                        out.write(sent);
                    } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                    }
                });
                assertArrayEquals(sent, in.readNBytes(sent.length));
                writer.join();
            }
        }
    }

    @Test
    void theClientEndsItsHalfAndTheServerAnswersAfterIt() throws Exception {
        try (SSLServerSocket server = server("TLSv1.3", client -> {
                    int n = client.getInputStream().readAllBytes().length;
                    client.getOutputStream().write(("got " + n).getBytes(StandardCharsets.US_ASCII));
                });
                ProxyFixture mesh = proxy(server.getLocalPort(), "root", NAME);
                Socket client = new Socket(InetAddress.getLoopbackAddress(), mesh.port)) {
            client.getOutputStream().write(new byte[100_000]);
            client.shutdownOutput();
            assertEquals("got 100000", new String(client.getInputStream().readAllBytes(), StandardCharsets.US_ASCII));
        }
    }

    @Test
    void aServerThatIsNotTheOneGetsNothing() throws Exception {
        AtomicInteger got = new AtomicInteger();
        try (SSLServerSocket server = server(
                "TLSv1.3", client -> got.addAndGet(client.getInputStream().readAllBytes().length))) {
            for (String[] wrong : new String[][] {{"stranger", NAME}, {"root", "other.example"}}) {
                try (ProxyFixture mesh = proxy(server.getLocalPort(), wrong[0], wrong[1]);
                        Socket client = new Socket(InetAddress.getLoopbackAddress(), mesh.port)) {
                    client.getOutputStream().write('x');
                    assertEquals(-1, endOf(client));
                    assertEquals(1, mesh.sum("istio_tcp_connections_closed_total", "response_flags=\"UF\""));
                }
            }
            assertEquals(0, got.get());
        }
    }

    /** -1, or what was read instead; what was sent may be unread, and the end a reset then. */
    private static int endOf(Socket client) throws IOException {
        try {
            return client.getInputStream().read();
        } catch (SocketException e) {
            return -1;
        }
    }
}
