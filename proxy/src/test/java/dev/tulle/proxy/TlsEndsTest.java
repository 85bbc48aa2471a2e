package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.EdgeTls;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.UpstreamTls;
import dev.tulle.model.WeightedCluster;
import dev.tulle.proxy.transport.Pki;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** How connections of TLS end: what was lost must not look like an orderly end, on either side. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class TlsEndsTest {
    private static final String NAME = "db.example";
    private static final List<String> VERSIONS = List.of("TLSv1.2", "TLSv1.3");

    @TempDir
    static Path directory;

    private static Pki pki;
    private static SSLContext context;

    @BeforeAll
    static void certificates() throws Exception {
        pki = new Pki(directory).authority("root").issue("server", "root", "DNS:" + NAME);
        Path store = directory.resolve("server.p12");
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
                store.toString());
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store)) {
            keys.load(in, "x".toCharArray());
        }
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(keys, "x".toCharArray());
        context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
    }

    private interface Serving {
        void serve(SSLSocket tls, Socket below) throws Exception;
    }

    /** Serves one connection. */
    private static ServerSocket server(String version, Serving serving) throws IOException {
        ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofPlatform().daemon().start(() -> {
            try (Socket below = server.accept()) {
                SSLSocket tls = (SSLSocket) context.getSocketFactory().createSocket(below, null, false);
                tls.setUseClientMode(false);
                tls.setEnabledProtocols(new String[] {version});
                serving.serve(tls, below);
            } catch (Exception e) {
                // The test sees at its own end what went wrong; here it is of use to who looks for it.
                System.getLogger(TlsEndsTest.class.getName()).log(System.Logger.Level.DEBUG, "served", e);
            }
        });
        return server;
    }

    private static Meshes mesh(ServerSocket server) {
        UpstreamTls tls = new UpstreamTls(NAME, "", "", pki.certificate("root").toString(), List.of(NAME));
        return Meshes.mesh().tls(tls).subset("", server.getLocalPort());
    }

    private static ProxyFixture ofBytes(ServerSocket server) throws IOException {
        return new ProxyFixture(
                mesh(server).tcp(new WeightedCluster(Meshes.cluster(""), 1)).build());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** What comes, and then how it ends. */
    private static String all(Socket client) throws IOException {
        client.setSoTimeout(10_000);
        ByteArrayOutputStream got = new ByteArrayOutputStream();
        String end;
        try {
            client.getInputStream().transferTo(got);
            end = "END";
        } catch (IOException e) {
            end = e.toString().contains("reset") ? "RESET" : e.toString();
        }
        return got.toString(StandardCharsets.US_ASCII) + end;
    }

    @Test
    void theServerSeesThatTheClientHasReset() throws Exception {
        for (String version : VERSIONS) {
            BlockingQueue<String> seen = new LinkedBlockingQueue<>();
            try (ServerSocket server = server(version, (tls, _) -> {
                        seen.add("got " + tls.getInputStream().readNBytes(1000).length);
                        seen.add(all(tls));
                    });
                    ProxyFixture mesh = ofBytes(server);
                    Socket client = new Socket(InetAddress.getLoopbackAddress(), mesh.port)) {
                client.getOutputStream().write(new byte[1000]);
                assertEquals("got 1000", seen.poll(10, TimeUnit.SECONDS), version);
                client.setSoLinger(true, 0);
                client.close();
                assertEquals("RESET", seen.poll(20, TimeUnit.SECONDS), version);
            }
        }
    }

    @Test
    void theClientSeesThatTheServerWasCutOff() throws Exception {
        for (String version : VERSIONS) {
            for (boolean orderly : new boolean[] {true, false}) {
                try (ServerSocket server = server(version, (tls, below) -> {
                            tls.getInputStream().read();
                            tls.getOutputStream().write(bytes("half"));
                            if (orderly) {
                                tls.close();
                            }
                            below.close();
                        });
                        ProxyFixture mesh = ofBytes(server);
                        Socket client = new Socket(InetAddress.getLoopbackAddress(), mesh.port)) {
                    client.getOutputStream().write('x');
                    assertEquals(orderly ? "halfEND" : "halfRESET", all(client), version);
                }
            }
        }
    }

    @Test
    void aResponseWithoutLengthIsCompleteOnlyByAnOrderlyEnd() throws Exception {
        for (String version : VERSIONS) {
            for (boolean orderly : new boolean[] {true, false}) {
                try (ServerSocket server = server(version, (tls, below) -> {
                            InputStream in = tls.getInputStream();
                            StringBuilder head = new StringBuilder();
                            while (head.indexOf("\r\n\r\n") < 0) {
                                head.append((char) in.read());
                            }
                            tls.getOutputStream().write(bytes("HTTP/1.1 200 OK\r\n\r\nhalf"));
                            if (orderly) {
                                tls.close();
                            }
                            below.close();
                        });
                        ProxyFixture mesh = new ProxyFixture(mesh(server).build());
                        Socket client = new Socket(InetAddress.getLoopbackAddress(), mesh.port)) {
                    client.getOutputStream().write(bytes("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"));
                    String got = all(client);
                    assertTrue(got.contains("half"), got);
                    assertEquals(orderly, got.endsWith("\r\n0\r\n\r\nEND"), version + ": " + got);
                }
            }
        }
    }

    /** An edge of TLS whose bytes go to a server. */
    private static NodeProxy edge(FakeXds xds, int port, ServerSocket server) throws IOException {
        MeshState mesh = Meshes.mesh().subset("", server.getLocalPort()).build();
        Listener.Target.Chain chain = new Listener.Target.Chain(
                "bytes",
                port,
                List.of(),
                Optional.of(new EdgeTls(
                        pki.certificate("server").toString(), pki.key("server").toString(), "", false)),
                new Listener.Target.Tcp(List.of(new WeightedCluster(Meshes.cluster(""), 1))),
                ResourceRef.DEFAULT);
        xds.set(Edges.edge(mesh, List.of(chain), List.of()));
        return Edges.start(xds);
    }

    private static Socket dial(int port) throws IOException, InterruptedException {
        for (int i = 0; ; i++) {
            try {
                return new Socket(InetAddress.getLoopbackAddress(), port);
            } catch (IOException e) {
                if (i == 200) {
                    throw e;
                }
                TimeUnit.MILLISECONDS.sleep(20);
            }
        }
    }

    @Test
    void theServerSeesThatAClientOfTheEdgeWasCutOff() throws Exception {
        SSLContext anyone = SSLContext.getInstance("TLS");
        anyone.init(null, InsecureTrustManagerFactory.INSTANCE.getTrustManagers(), null);
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                FakeXds xds = new FakeXds();
                NodeProxy _ = edge(xds, port, server)) {
            for (String version : VERSIONS) {
                for (boolean orderly : new boolean[] {true, false}) {
                    try (Socket below = dial(port)) {
                        SSLSocket tls = (SSLSocket) anyone.getSocketFactory().createSocket(below, NAME, port, false);
                        tls.setEnabledProtocols(new String[] {version});
                        tls.getOutputStream().write('x');
                        try (Socket served = server.accept()) {
                            assertEquals('x', served.getInputStream().read());
                            if (orderly) {
                                tls.shutdownOutput();
                            }
                            below.shutdownOutput();
                            assertEquals(orderly ? "END" : "RESET", all(served), version);
                        }
                    }
                }
            }
        }
        Leaks.check();
    }
}
