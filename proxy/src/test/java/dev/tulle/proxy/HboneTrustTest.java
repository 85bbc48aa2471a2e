package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.pki.Certificates;
import dev.tulle.common.pki.Pem;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.model.Secret;
import dev.tulle.proxy.hbone.TunnelTarget;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may make a tunnel, who may take one, and what certificates have to do with it. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HboneTrustTest {
    /** Set by JUnit. */
    @TempDir
    private Path directory = Path.of("");

    private static Origin web() throws IOException {
        return Origin.at(TunnelNodes.WEB, 0, Origin.answer("ok"));
    }

    private TunnelNodes nodes(int port) throws IOException {
        return new TunnelNodes(directory, port, Meshes.mesh().subset("", port));
    }

    private static void until(BooleanSupplier isSo) throws InterruptedException {
        for (int i = 0; i < 1_000 && !isSo.getAsBoolean(); i++) {
            Thread.sleep(20);
        }
        assertTrue(isSo.getAsBoolean());
    }

    // ---- the caller's end ----

    @Test
    void aNodeMustBeTheOneThatHasTheWorkload() throws Exception {
        try (Origin web = web();
                TunnelNodes nodes = nodes(web.port())) {
            nodes.tunnelTo(new TunnelTarget(nodes.target.node(), Set.of(TunnelNodes.proxyOf("other"))));
            RawClient.Response answer = RawClient.get(nodes.port, "/");
            assertEquals(503, answer.code());
            assertTrue(answer.body().contains("is spiffe://cluster.local/node/far/proxy, expected"), answer.body());
            assertEquals(0, web.requests.size());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"another root", "another trust domain", "two names", "no name"})
    void aCertificateOfNobodyIsRefusedAtEitherEnd(String how) throws Exception {
        try (Origin web = web();
                TunnelNodes nodes = nodes(web.port())) {
            nodes.pki.authority("stranger");
            SpiffeId me = TunnelNodes.workload("me");
            Secret forged =
                    switch (how) {
                        case "another root" -> nodes.certificate(me, "stranger");
                        case "another trust domain" -> nodes.certificate(me, "spiffe://other/ns/default/sa/me", "root");
                        case "two names" -> nodes.certificate(me, me + ",URI:spiffe://cluster.local/ns/x/sa/y", "root");
                        default -> nodes.certificate(me, "https://cluster.local/me", "root");
                    };
            String[] made = connect(nodes, (Secret.IdentityCertificate) forged, "TLSv1.3");
            assertEquals("refused", made[0]);
            until(() -> nodes.far.sum("tulle_proxy_connections_refused_total", "tunnel_handshake_failed") == 1);
        }
    }

    @Test
    void whoShowsNothingOrSpeaksOldTlsIsRefused() throws Exception {
        try (Origin web = web();
                TunnelNodes nodes = nodes(web.port())) {
            assertEquals("refused", connect(nodes, null, "TLSv1.3")[0]);
            Secret me = nodes.certificate(TunnelNodes.workload("me"), "root");
            assertEquals("refused", connect(nodes, (Secret.IdentityCertificate) me, "TLSv1.2")[0]);
            assertEquals("h2", connect(nodes, (Secret.IdentityCertificate) me, "TLSv1.3")[0]);
        }
    }

    /** Tries to be taken; "refused", or what was agreed to be spoken, and the first frame's type. */
    private String[] connect(TunnelNodes nodes, Secret.@Nullable IdentityCertificate certificate, String version)
            throws Exception {
        try (SSLSocket socket = socket(nodes, certificate, version)) {
            socket.startHandshake();
            socket.getOutputStream().write(PREFACE);
            int length = socket.getInputStream().read();
            return length < 0
                    ? new String[] {"refused"}
                    : new String[] {String.valueOf(socket.getApplicationProtocol())};
        } catch (IOException e) {
            return new String[] {"refused"};
        }
    }

    private static final byte[] PREFACE =
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1);

    private static SSLSocket socket(TunnelNodes nodes, Secret.@Nullable IdentityCertificate certificate, String version)
            throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(null, null);
        if (certificate != null) {
            TlsIdentity identity =
                    Certificates.identity(new Pem("test", certificate.chain()), new Pem("test", certificate.key()));
            keys.setKeyEntry(
                    "own",
                    identity.key(),
                    new char[0],
                    identity.chain().toArray(new java.security.cert.Certificate[0]));
        }
        KeyManagerFactory own = KeyManagerFactory.getInstance("PKIX");
        own.init(keys, new char[0]);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(own.getKeyManagers(), InsecureTrustManagerFactory.INSTANCE.getTrustManagers(), null);
        SSLSocket socket =
                (SSLSocket) context.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), nodes.tunnels);
        socket.setSoTimeout(10_000);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setProtocols(new String[] {version});
        parameters.setApplicationProtocols(new String[] {"h2"});
        socket.setSSLParameters(parameters);
        return socket;
    }

    // ---- what is asked for ----

    @ParameterizedTest
    @ValueSource(
            strings = {
                "127.0.1.8:80 400", // nobody's
                "127.0.1.9:80 400", // of another node
                "127.0.0.1:80 400", // of the host
                "web:80 400",
                "127.0.1.7 400",
                "127.0.1.7:0 400",
                "127.0.1.7:65536 400",
                "127.0.1.7:1 503", // nobody listens there
            })
    void onlyWorkloadsOfThisNodeAreTunnelledTo(String asked) throws Exception {
        try (Origin web = web();
                TunnelNodes nodes = nodes(web.port())) {
            String[] parts = asked.split(" ");
            Secret me = nodes.certificate(TunnelNodes.workload("me"), "root");
            try (SSLSocket socket = socket(nodes, (Secret.IdentityCertificate) me, "TLSv1.3")) {
                socket.startHandshake();
                socket.getOutputStream().write(PREFACE);
                ask(socket, "\2\7CONNECT", parts[0]);
                assertEquals(parts[1], status(socket.getInputStream()));
            }
        }
    }

    @Test
    void whatIsNoConnectIsRefused() throws Exception {
        try (Origin web = web();
                TunnelNodes nodes = nodes(web.port())) {
            Secret me = nodes.certificate(TunnelNodes.workload("me"), "root");
            try (SSLSocket socket = socket(nodes, (Secret.IdentityCertificate) me, "TLSv1.3")) {
                socket.startHandshake();
                socket.getOutputStream().write(PREFACE);
                ask(socket, "\u0082\u0087\u0084", TunnelNodes.WEB + ":" + web.port());
                assertEquals("400", status(socket.getInputStream()));
                assertEquals(0, web.requests.size());
            }
        }
    }

    /** A head of these fields (RFC 7541), and an authority. */
    private static void ask(SSLSocket socket, String fields, String authority) throws IOException {
        byte[] block =
                (fields + (char) 1 + (char) authority.length() + authority).getBytes(StandardCharsets.ISO_8859_1);
        socket.getOutputStream().write(H2Frames.of(H2Frames.HEADERS, H2Frames.END_HEADERS, 1, block));
    }

    /** The status of the first answer; what it is written as is enough for these. */
    private static String status(InputStream socket) throws IOException {
        DataInputStream in = new DataInputStream(socket);
        while (true) {
            int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
            int type = in.readUnsignedByte();
            in.readUnsignedByte();
            in.readInt();
            byte[] payload = in.readNBytes(length);
            if (type == H2Frames.HEADERS) {
                return switch (payload[0]) {
                    case (byte) 0x88 -> "200";
                    case (byte) 0x8c -> "400";
                    default -> digits(payload);
                };
            }
        }
    }

    private static String digits(byte[] payload) {
        String text = new String(payload, StandardCharsets.ISO_8859_1).replaceAll("[^0-9]", "");
        return text.length() > 3 ? text.substring(0, 3) : text;
    }

    // ---- certificates that change ----

    @Test
    void aNewCertificateIsUsedWithoutAFailure() throws Exception {
        try (Origin web = web();
                TunnelNodes nodes = nodes(web.port());
                RawClient kept = new RawClient(nodes.port)) {
            for (int i = 0; i < 5; i++) {
                assertEquals(
                        200,
                        kept.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n")
                                .read(false)
                                .code());
                assertEquals(200, RawClient.get(nodes.port, "/").code());
                nodes.near.agent().give(nodes.certificate(TunnelNodes.workload("me"), "root"));
                nodes.far.agent().give(nodes.certificate(TunnelNodes.proxyOf(TunnelNodes.FAR), "root"));
            }
        }
    }

    @Test
    void aNewRootIsTrustedAndAnOldOneNotAnyMore() throws Exception {
        try (Origin web = web();
                TunnelNodes nodes = nodes(web.port())) {
            assertEquals(200, RawClient.get(nodes.port, "/").code());
            nodes.pki.authority("next");
            String old = Files.readString(nodes.pki.certificate("root"));
            String next = Files.readString(nodes.pki.certificate("next"));
            for (TunnelNodes.Node node : List.of(nodes.near, nodes.far)) {
                node.agent().give(new Secret.TrustedRoots(Secret.ROOTS, old + next));
            }
            assertEquals(200, RawClient.get(nodes.port, "/").code());
            nodes.near.agent().give(nodes.certificate(TunnelNodes.workload("me"), "next"));
            assertEquals(200, RawClient.get(nodes.port, "/").code());
            nodes.far.agent().give(nodes.certificate(TunnelNodes.proxyOf(TunnelNodes.FAR), "next"));
            assertEquals(200, RawClient.get(nodes.port, "/").code());
            for (TunnelNodes.Node node : List.of(nodes.near, nodes.far)) {
                node.agent().give(new Secret.TrustedRoots(Secret.ROOTS, next));
            }
            assertEquals(200, RawClient.get(nodes.port, "/").code());
            Secret late = nodes.certificate(TunnelNodes.workload("me"), "root");
            assertEquals("refused", connect(nodes, (Secret.IdentityCertificate) late, "TLSv1.3")[0]);
        }
    }

    @Test
    void aCallerWithoutACertificateWaitsAndIsTold() throws Exception {
        try (Origin web = web();
                TunnelNodes nodes = nodes(web.port())) {
            nodes.caller = TunnelNodes.NEAR + "/default/nobody";
            RawClient.Response answer = RawClient.get(nodes.port, "/");
            assertEquals(503, answer.code());
            assertTrue(
                    answer.body().contains("no certificate for spiffe://cluster.local/ns/default/sa/nobody"),
                    answer.body());
        }
    }

    // ---- the wire ----

    @Test
    void nothingOfARequestIsReadableOnTheWire() throws Exception {
        String canary = "a-canary-that-nobody-else-writes";
        try (Origin web = Origin.at(TunnelNodes.WEB, 0, Origin.answer(canary));
                TunnelNodes nodes = nodes(web.port());
                Tap tap = new Tap(nodes.tunnels)) {
            nodes.tunnelTo(new TunnelTarget(
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), tap.port()), nodes.target.identities()));
            RawClient.Response answer = RawClient.get(nodes.port, "/" + canary, "X-Canary: " + canary);
            assertEquals(canary, answer.body());
            String wire = tap.heard();
            assertTrue(wire.length() > 1_000, wire);
            assertFalse(wire.contains(canary));
            assertFalse(wire.contains("GET /"));
            assertFalse(wire.contains(TunnelNodes.WEB));
        }
    }

    /** Stands between the nodes and writes down what passes. */
    private static final class Tap implements AutoCloseable {
        private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        private final List<Socket> open = new ArrayList<>();
        private final ByteArrayOutputStream heard = new ByteArrayOutputStream();

        Tap(int to) throws IOException {
            Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        Socket from = server.accept();
                        Socket on = new Socket(InetAddress.getLoopbackAddress(), to);
                        open.add(from);
                        open.add(on);
                        Thread.ofVirtual().start(() -> pass(from, on));
                        Thread.ofVirtual().start(() -> pass(on, from));
                    }
                } catch (IOException e) {
                    // The test is over.
                }
            });
        }

        private void pass(Socket from, Socket to) {
            byte[] buffer = new byte[16 << 10];
            try {
                for (int n = from.getInputStream().read(buffer);
                        n >= 0;
                        n = from.getInputStream().read(buffer)) {
                    synchronized (heard) {
                        heard.write(buffer, 0, n);
                    }
                    to.getOutputStream().write(buffer, 0, n);
                }
            } catch (IOException e) {
                // One of them has closed.
            }
        }

        int port() {
            return server.getLocalPort();
        }

        String heard() {
            synchronized (heard) {
                return heard.toString(StandardCharsets.ISO_8859_1);
            }
        }

        @Override
        public void close() throws IOException {
            server.close();
            for (Socket socket : open) {
                socket.close();
            }
        }
    }
}
