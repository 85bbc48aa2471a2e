package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import dev.tulle.model.MeshState;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.UpstreamTls;
import dev.tulle.proxy.transport.Pki;
import io.grpc.ManagedChannel;
import io.grpc.stub.ClientCalls;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Requests to endpoints that speak TLS: nginx says what it has seen of the proxy. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class TlsOriginationTest {
    private static final String NAME = "shop.example";

    @TempDir
    static Path directory;

    private static Pki pki;
    private static TlsNginx nginx;

    @BeforeAll
    static void start() throws IOException {
        pki = new Pki(directory).authority("root").authority("stranger");
        pki.issue(
                        "server",
                        "root",
                        "DNS:" + NAME
                                + ",DNS:*.wild.example,URI:spiffe://td/ns/shop/sa/web,IP:2001:db8::7,DNS:192.0.2.7")
                .issue("client", "root", "DNS:client.example")
                .issue("client2", "root", "DNS:client2.example");
        nginx = new TlsNginx(directory, pki, "server", "root");
    }

    @AfterAll
    static void stop() {
        nginx.close();
    }

    private static UpstreamTls simple(String name, String authority) {
        return new UpstreamTls(name, "", "", pki.certificate(authority).toString(), List.of(name));
    }

    private static UpstreamTls mutual(Path certificate, Path key) {
        return new UpstreamTls(
                NAME,
                certificate.toString(),
                key.toString(),
                pki.certificate("root").toString(),
                List.of(NAME));
    }

    private static Meshes mesh(UpstreamTls tls, int port) {
        return Meshes.mesh().tls(tls).subset("", port);
    }

    /** A connection for each request. */
    private static MeshState each(UpstreamTls tls, int port) {
        return Meshes.mesh().perConnection(1).tls(tls).subset("", port).build();
    }

    private static ProxyFixture proxy(UpstreamTls tls, int port) throws IOException {
        return new ProxyFixture(mesh(tls, port).build());
    }

    private static void isSeen(String seen, String... parts) {
        for (String part : parts) {
            assertTrue(seen.contains(part), seen);
        }
    }

    private static RawClient.Response get(ProxyFixture mesh) throws IOException {
        return RawClient.get(mesh.port, "/");
    }

    private static void refused(UpstreamTls tls, int port, String why) throws IOException {
        try (ProxyFixture mesh = proxy(tls, port)) {
            RawClient.Response response = get(mesh);
            assertEquals(503, response.code(), response.body());
            assertTrue(response.body().contains("TLS_error: "), response.body());
            assertTrue(response.body().contains(why), response.body());
            assertEquals(1, mesh.sum("istio_requests_total", "response_code=\"503\"", "response_flags=\"UF"));
        }
    }

    @Test
    void http1() throws Exception {
        try (ProxyFixture mesh = proxy(simple(NAME, "root"), nginx.port);
                RawClient client = new RawClient(mesh.port)) {
            for (int i = 1; i <= 3; i++) {
                RawClient.Response response =
                        client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n").read(false);
                assertEquals(200, response.code());
                isSeen(
                        response.body(),
                        "name=" + NAME + " ",
                        "alpn=http/1.1 ",
                        "tls=TLSv1.3 ",
                        "http=HTTP/1.1 ",
                        "requests=" + i + " ",
                        "scheme=https");
            }
        }
    }

    @Test
    void http2() throws Exception {
        Meshes state = Meshes.mesh()
                .protocol(Cluster.Protocol.HTTP2)
                .tls(simple(NAME, "root"))
                .subset("", nginx.port);
        try (ProxyFixture mesh = new ProxyFixture(state.build());
                RawClient client = new RawClient(mesh.port)) {
            for (int i = 1; i <= 3; i++) {
                RawClient.Response response =
                        client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n").read(false);
                isSeen(response.body(), "name=" + NAME + " ", "alpn=h2 ", "http=HTTP/2.0 ", "requests=" + i + " ");
            }
        }
    }

    @Test
    void grpc() throws Exception {
        try (GrpcPeer peer = new GrpcPeer(pki.certificate("server"), pki.key("server"));
                ProxyFixture mesh = new ProxyFixture(Meshes.mesh()
                        .protocol(Cluster.Protocol.HTTP2)
                        .tls(simple(NAME, "root"))
                        .subset("", peer.port())
                        .build())) {
            ManagedChannel channel = GrpcPeer.channel(mesh.port);
            try {
                byte[] message = new byte[3 << 20];
                byte[] answer =
                        ClientCalls.blockingUnaryCall(channel, GrpcPeer.UNARY, GrpcPeer.within(20_000), message);
                assertEquals(message.length, answer.length);
            } finally {
                channel.shutdownNow();
            }
        }
    }

    @Test
    void whatIsOfferedInTheFirstMessage() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                ProxyFixture mesh = proxy(simple(NAME, "root"), server.getLocalPort());
                RawClient client = new RawClient(mesh.port)) {
            client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
            try (Socket proxy = server.accept()) {
                byte[] head = proxy.getInputStream().readNBytes(5);
                String hello = HexFormat.of()
                        .formatHex(proxy.getInputStream().readNBytes((head[3] & 0xff) << 8 | (head[4] & 0xff)));
                // X25519MLKEM768, X25519, P-256, P-384; versions 1.3 and 1.2.
                isSeen(hello, "000a000a000811ec001d00170018", "002b0005040304" + "0303");
            }
        }
    }

    @Test
    void everyNameThatTheCertificateIsFor() throws Exception {
        String root = pki.certificate("root").toString();
        for (String name : List.of("Shop.Example", "a.wild.example", "spiffe://td/ns/shop/sa/web", "2001:0db8::7")) {
            UpstreamTls tls = new UpstreamTls(NAME, "", "", root, List.of("other.example", name));
            try (ProxyFixture mesh = proxy(tls, nginx.port)) {
                assertEquals(200, get(mesh).code(), name);
            }
        }
        try (ProxyFixture mesh = proxy(new UpstreamTls("localhost", "", "", root, List.of()), nginx.port)) {
            isSeen(get(mesh).body(), "name=localhost ");
        }
    }

    @Test
    void serversThatAreNotWhoTheyShouldBe() throws Exception {
        refused(simple(NAME, "stranger"), nginx.port, "unable to find valid certification path");
        for (String name : List.of("other.example", "wild.example", "a.b.wild.example", "hop.example", "192.0.2.7")) {
            refused(simple(name, "root"), nginx.port, "expected one of " + name);
        }
        String root = pki.certificate("root").toString();
        refused(
                new UpstreamTls(NAME, "", "", root, List.of("spiffe://td/ns/shop/sa/other")),
                nginx.port,
                "the certificate is for " + NAME);
        try (ProxyFixture mesh = proxy(new UpstreamTls(NAME, "", "", "", List.of()), nginx.port)) {
            assertEquals(200, get(mesh).code(), "nobody is asked for a name here");
        }
    }

    @Test
    void clientCertificates() throws Exception {
        try (ProxyFixture mesh = proxy(simple(NAME, "root"), nginx.mutualPort)) {
            assertEquals(400, get(mesh).code());
        }
        try (ProxyFixture mesh = proxy(mutual(pki.certificate("client"), pki.key("client")), nginx.mutualPort)) {
            isSeen(get(mesh).body(), "client=CN=client ");
        }
    }

    @Test
    void whatCannotBeReadIsNamedAndTakenUpWhenItCan() throws Exception {
        Path chain = directory.resolve("late.pem");
        Path key = directory.resolve("late.key");
        try (ProxyFixture mesh = proxy(mutual(chain, key), nginx.mutualPort)) {
            RawClient.Response response = get(mesh);
            assertEquals(503, response.code());
            isSeen(response.body(), "TLS_error: " + chain + ": there is no such file");
            assertEquals(1, mesh.sum("tulle_proxy_tls_unusable"));
            replace("client", chain, key);
            await(() -> get(mesh).code() == 200);
            assertEquals(0, mesh.sum("tulle_proxy_tls_unusable"));
        }
    }

    private static void replace(String name, Path chain, Path key) throws IOException {
        for (Path[] pair : new Path[][] {{pki.certificate(name), chain}, {pki.key(name), key}}) {
            Path fresh = Files.copy(pair[0], Path.of(pair[1] + ".new"), StandardCopyOption.REPLACE_EXISTING);
            Files.move(fresh, pair[1], StandardCopyOption.ATOMIC_MOVE);
        }
    }

    private interface Condition {
        boolean holds() throws IOException;
    }

    private static void await(Condition condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!condition.holds()) {
            assertTrue(System.nanoTime() < end, "not within 10 s");
            TimeUnit.MILLISECONDS.sleep(50);
        }
    }

    @Test
    void aCertificateThatBecomesBadLeavesTheLastGoodOne() throws Exception {
        Path chain = directory.resolve("changing.pem");
        Path key = directory.resolve("changing.key");
        replace("client", chain, key);
        try (ProxyFixture mesh = new ProxyFixture(each(mutual(chain, key), nginx.mutualPort))) {
            isSeen(get(mesh).body(), "client=CN=client ");
            replace("client2", chain, directory.resolve("unused.key"));
            await(() -> mesh.sum("tulle_proxy_tls_unusable") == 1);
            isSeen(get(mesh).body(), "client=CN=client ");
            replace("client2", chain, key);
            await(() -> mesh.sum("tulle_proxy_tls_unusable") == 0);
            isSeen(get(mesh).body(), "client=CN=client2 ");
        }
    }

    @Test
    void handshakesThatDoNotHappen() throws Exception {
        try (ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            long began = System.nanoTime();
            refused(simple(NAME, "root"), silent.getLocalPort(), "no handshake within the connect timeout");
            long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
            assertTrue(millis < 8000, millis + " ms for tries of 2 s each");
        }
        try (Origin plain = Origin.answering("hello")) {
            refused(simple(NAME, "root"), plain.port(), "");
        }
    }

    @Test
    void largeBodiesBothWays() throws Exception {
        try (ProxyFixture mesh = proxy(simple(NAME, "root"), nginx.port)) {
            RawClient.Response response = RawClient.get(mesh.port, "/large");
            assertEquals(200, response.code());
            assertEquals(20 << 20, response.body().length());
            String body = "x".repeat(8 << 20);
            RawClient.Response sent = RawClient.once(
                    mesh.port,
                    "POST /whole HTTP/1.1\r\nHost: web\r\nContent-Length: " + body.length() + "\r\n\r\n" + body);
            assertEquals(200, sent.code());
        }
    }

    @Test
    void sessionsAreResumedByTheSameIdentityAlone() throws Exception {
        UpstreamTls first = mutual(pki.certificate("client"), pki.key("client"));
        UpstreamTls second = mutual(pki.certificate("client2"), pki.key("client2"));
        Meshes state = Meshes.mesh()
                .perConnection(1)
                .tls(first)
                .subset("", nginx.mutualPort)
                .tls(second)
                .subset("other", nginx.mutualPort)
                .routes(
                        Meshes.forward(
                                "other",
                                new RouteMatch(
                                        new RouteMatch.PathMatch.Exact("/other"),
                                        false,
                                        Optional.empty(),
                                        List.of(),
                                        List.of()),
                                "other"),
                        Meshes.forward("default", RouteMatch.ANY, ""));
        try (ProxyFixture mesh = new ProxyFixture(state.build())) {
            isSeen(get(mesh).body(), "client=CN=client ", "reused=. ");
            await(() -> get(mesh).body().contains("client=CN=client reused=r "));
            isSeen(RawClient.get(mesh.port, "/other").body(), "client=CN=client2 ", "reused=. ");
            isSeen(get(mesh).body(), "client=CN=client ", "reused=r ");
        }
    }

    @Test
    void connectionsOfAnotherSettingAreNotUsed() throws Exception {
        try (ProxyFixture mesh = proxy(new UpstreamTls(NAME, "", "", "", List.of()), nginx.port)) {
            assertEquals(200, get(mesh).code());
            mesh.xds.set(mesh(simple(NAME, "stranger"), nginx.port).build());
            assertEquals(503, get(mesh).code());
            mesh.xds.set(mesh(simple(NAME, "root"), nginx.port).build());
            isSeen(get(mesh).body(), "requests=1 ");
            mesh.xds.set(Meshes.mesh().subset("", nginx.port).build());
            assertEquals(400, get(mesh).code(), "nginx wants TLS and gets none");
        }
    }

    @Test
    void aCertificateIsReplaced200TimesUnderLoad() throws Exception {
        Path chain = directory.resolve("often.pem");
        Path key = directory.resolve("often.key");
        replace("client", chain, key);
        try (ProxyFixture mesh = new ProxyFixture(each(mutual(chain, key), nginx.mutualPort))) {
            Thread[] clients = new Thread[4];
            int[] failed = new int[clients.length];
            int[] done = new int[clients.length];
            boolean[] over = {false};
            for (int i = 0; i < clients.length; i++) {
                int n = i;
                clients[i] = Thread.ofPlatform().start(() -> {
                    while (!over[0]) {
                        try {
                            done[n]++;
                            failed[n] += get(mesh).code() == 200 ? 0 : 1;
                        } catch (IOException e) {
                            failed[n]++;
                        }
                    }
                });
            }
            for (int i = 0; i < 200; i++) {
                replace(i % 2 == 0 ? "client2" : "client", chain, key);
                TimeUnit.MILLISECONDS.sleep(i % 20 == 0 ? 800 : 20);
            }
            over[0] = true;
            for (Thread client : clients) {
                client.join();
            }
            assertEquals(0, java.util.Arrays.stream(failed).sum());
            assertTrue(java.util.Arrays.stream(done).sum() > 200);
        }
    }
}
