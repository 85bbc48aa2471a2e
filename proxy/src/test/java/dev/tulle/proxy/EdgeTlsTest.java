package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.EdgeTls;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.VirtualHost;
import dev.tulle.proxy.transport.Pki;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS at the mesh's edge: the certificate by the name that is asked for, replaced files, unusable ones. */
class EdgeTlsTest {
    @TempDir
    static Path directory;

    private static Pki pki;
    private static SSLContext client;

    @BeforeAll
    static void make() throws Exception {
        pki = new Pki(directory).authority("root").authority("other");
        pki.issue("a", "root", "DNS:a.example.com").issue("b", "root", "DNS:*.example.com");
        client = SSLContext.getInstance("TLS");
        client.init(null, trust("root"), null);
    }

    private static TrustManager[] trust(String authority) throws GeneralSecurityException, IOException {
        return trust(pki.certificate(authority));
    }

    static TrustManager[] trust(Path authority) throws GeneralSecurityException, IOException {
        KeyStore anchors = KeyStore.getInstance(KeyStore.getDefaultType());
        anchors.load(null, null);
        try (var in = Files.newInputStream(authority)) {
            anchors.setCertificateEntry(
                    "anchor", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(anchors);
        return trust.getTrustManagers();
    }

    private static EdgeTls files(String name) {
        return new EdgeTls(pki.certificate(name).toString(), pki.key(name).toString(), "", false);
    }

    static Listener.Target.Chain chain(String name, int port, EdgeTls tls, String... serverNames) {
        return new Listener.Target.Chain(
                name,
                port,
                List.of(serverNames),
                Optional.of(tls),
                new Listener.Target.Http(name, false, List.of()),
                ResourceRef.DEFAULT);
    }

    /** The mesh with an edge whose chains each have a table of their name that leads everything to the subset of that name. */
    static MeshState edge(MeshState mesh, Listener.Target.Chain... chains) {
        return Edges.edge(
                mesh,
                List.of(chains),
                Arrays.stream(chains)
                        .map(chain -> new RouteConfiguration(
                                chain.name(),
                                List.of(new VirtualHost(
                                        "all",
                                        List.of("*"),
                                        List.of(Meshes.forward("all", RouteMatch.ANY, chain.name()))))))
                        .toList());
    }

    private static SSLSocket connect(int port, String name, String... versions)
            throws IOException, InterruptedException {
        return connect(client, port, name, versions);
    }

    static SSLSocket connect(SSLContext from, int port, String name, String... versions)
            throws IOException, InterruptedException {
        Socket plain = null;
        for (int i = 0; plain == null; i++) {
            try {
                plain = new Socket(InetAddress.getLoopbackAddress(), port);
            } catch (IOException e) {
                if (i == 200) {
                    throw e;
                }
                Thread.sleep(20);
            }
        }
        plain.setSoTimeout(10_000);
        SSLSocket socket = (SSLSocket) from.getSocketFactory().createSocket(plain, name, port, true);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setServerNames(name.isEmpty() ? List.of() : List.of(new SNIHostName(name)));
        parameters.setEndpointIdentificationAlgorithm(null);
        socket.setSSLParameters(parameters);
        if (versions.length > 0) {
            socket.setEnabledProtocols(versions);
        }
        socket.startHandshake();
        return socket;
    }

    static String ask(SSLSocket socket, String host) throws IOException {
        socket.getOutputStream()
                .write(("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
        String head = Origin.readHead(socket.getInputStream());
        int at = head.toLowerCase(Locale.ROOT).indexOf("content-length: ") + 16;
        int length = Integer.parseInt(head.substring(at, head.indexOf('\r', at)));
        return new String(socket.getInputStream().readNBytes(length), StandardCharsets.US_ASCII);
    }

    /** The head of the answer; empty where the connection is ended instead. */
    private static String head(SSLSocket socket, String host) throws IOException {
        socket.getOutputStream()
                .write(("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
        return Origin.readHead(socket.getInputStream());
    }

    private static String subject(SSLSocket socket) throws IOException {
        return ((X509Certificate) socket.getSession().getPeerCertificates()[0])
                .getSubjectX500Principal()
                .getName();
    }

    @Test
    void theNameThatIsAskedForChooses() throws Exception {
        int port = Edges.freePort();
        try (Origin a = Origin.answering("a");
                Origin b = Origin.answering("b");
                FakeXds xds = new FakeXds()) {
            MeshState mesh =
                    Meshes.mesh().subset("a", a.port()).subset("b", b.port()).build();
            xds.set(edge(
                    mesh,
                    chain("a", port, files("a"), "a.example.com"),
                    chain("b", port, files("b"), "*.example.com")));
            try (NodeProxy proxy = Edges.start(xds)) {
                for (String version : List.of("TLSv1.2", "TLSv1.3")) {
                    try (SSLSocket socket = connect(port, "a.example.com", version)) {
                        assertEquals("CN=a", subject(socket));
                        assertEquals("a", ask(socket, "a.example.com"));
                        assertEquals("a", ask(socket, "a.example.com"), "a second request of the connection");
                    }
                    try (SSLSocket socket = connect(port, "x.example.com", version)) {
                        assertEquals("CN=b", subject(socket));
                        assertEquals("b", ask(socket, "x.example.com"));
                    }
                }
                String head = a.requests.getFirst().head().toLowerCase(Locale.ROOT);
                assertTrue(head.contains("x-forwarded-proto: https\r\n"), head);
                assertThrows(
                        IOException.class, () -> connect(port, "example.org").close());
                assertThrows(IOException.class, () -> connect(port, "").close());
                List<String> refused = proxy.metrics()
                        .expose()
                        .lines()
                        .filter(line -> line.startsWith("tulle_proxy_connections_refused_total{"))
                        .toList();
                assertEquals(
                        List.of("tulle_proxy_connections_refused_total{reason=\"tls_no_certificate\"} 2"), refused);
            }
            Leaks.check();
        }
    }

    @Test
    void whatWasAgreedIsSpoken() throws Exception {
        int port = Edges.freePort();
        pki.issue("local", "root", "DNS:localhost,IP:127.0.0.1");
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(edge(mesh, chain("a", port, files("local"))));
            try (NodeProxy _ = Edges.start(xds)) {
                connect(port, "localhost").close();
                URI uri = URI.create("https://localhost:" + port + "/x");
                for (HttpClient.Version version : HttpClient.Version.values()) {
                    if (version.name().equals("HTTP_3")) {
                        continue;
                    }
                    try (HttpClient http = HttpClient.newBuilder()
                            .sslContext(client)
                            .version(version)
                            .build()) {
                        HttpRequest request = HttpRequest.newBuilder(uri)
                                .POST(HttpRequest.BodyPublishers.ofString("body"))
                                .build();
                        HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
                        assertEquals(version, answer.version());
                        assertEquals(200, answer.statusCode());
                        assertEquals("a", answer.body());
                    }
                }
                // HTTP/1.1 where HTTP/2 was agreed is answered by nobody.
                try (SSLSocket socket = connect(port, "localhost")) {
                    assertEquals("", socket.getApplicationProtocol());
                }
                try (SSLSocket socket = agreeing(port, "h2")) {
                    assertEquals("h2", socket.getApplicationProtocol());
                    socket.getOutputStream()
                            .write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                    String said = new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
                    assertFalse(said.contains("HTTP/1.1"), said);
                }
            }
            Leaks.check();
        }
    }

    /** A connection that offers one protocol. */
    private static SSLSocket agreeing(int port, String protocol) throws IOException {
        SSLSocket socket = (SSLSocket) client.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(10_000);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setApplicationProtocols(new String[] {protocol});
        socket.setSSLParameters(parameters);
        socket.startHandshake();
        return socket;
    }

    @Test
    void aClientThatSpeaksNoTlsIsClosed() throws Exception {
        int port = Edges.freePort();
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(edge(mesh, chain("a", port, files("a"))));
            try (NodeProxy _ = Edges.start(xds)) {
                connect(port, "any").close();
                try (RawClient plain = new RawClient(port)) {
                    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                    plain.in().readAllBytes();
                }
                assertEquals(0, a.requests.size());
            }
            Leaks.check();
        }
    }

    @Test
    void filesAreReplacedUnderLoadWithoutAFailure() throws Exception {
        int port = Edges.freePort();
        Path certificate = directory.resolve("live.pem");
        Path key = directory.resolve("live.key");
        for (String name : List.of("one", "two")) {
            pki.issue(name, "root", "DNS:" + name + ".example.com");
        }
        replace("one", certificate, key);
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(edge(mesh, chain("a", port, new EdgeTls(certificate.toString(), key.toString(), "", false))));
            try (NodeProxy _ = Edges.start(xds)) {
                AtomicBoolean over = new AtomicBoolean();
                AtomicInteger asked = new AtomicInteger();
                List<Throwable> failures = java.util.Collections.synchronizedList(new ArrayList<>());
                List<Thread> callers = new ArrayList<>();
                try (SSLSocket kept = connect(port, "x")) {
                    for (int i = 0; i < 3; i++) {
                        callers.add(Thread.ofPlatform().start(() -> {
                            while (!over.get()) {
                                try (SSLSocket socket = connect(port, "x")) {
                                    assertEquals("a", ask(socket, "x"));
                                    asked.incrementAndGet();
                                } catch (IOException | InterruptedException | AssertionError e) {
                                    failures.add(e);
                                }
                            }
                        }));
                    }
                    for (int i = 0; i < 4; i++) {
                        String next = i % 2 == 0 ? "two" : "one";
                        replace(next, certificate, key);
                        awaitSubject(port, "CN=" + next);
                        assertEquals("a", ask(kept, "x"), "a connection that was made before");
                    }
                } finally {
                    over.set(true);
                    for (Thread caller : callers) {
                        caller.join();
                    }
                }
                assertEquals(List.of(), failures);
                assertTrue(asked.get() > 20, asked + " connections");
            }
            Leaks.check();
        }
    }

    /** As certificate managers do: each file at once, one after the other. */
    private static void replace(String name, Path certificate, Path key) throws IOException {
        for (var pair :
                Map.of(pki.certificate(name), certificate, pki.key(name), key).entrySet()) {
            Path next = pair.getValue().resolveSibling(pair.getValue().getFileName() + ".new");
            Files.copy(pair.getKey(), next, StandardCopyOption.REPLACE_EXISTING);
            Files.move(next, pair.getValue(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static void awaitSubject(int port, String subject) throws IOException, InterruptedException {
        for (int i = 0; ; i++) {
            try (SSLSocket socket = connect(port, "x")) {
                if (subject(socket).equals(subject)) {
                    return;
                }
            }
            assertTrue(i < 250, subject + " is not shown after 5 s");
            Thread.sleep(20);
        }
    }

    @Test
    void callersNeedACertificateWhereOneIsAskedFor() throws Exception {
        int port = Edges.freePort();
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            EdgeTls mutual = new EdgeTls(
                    pki.certificate("a").toString(),
                    pki.key("a").toString(),
                    pki.certificate("root").toString(),
                    false);
            xds.set(edge(mesh, chain("a", port, mutual)));
            try (NodeProxy _ = Edges.start(xds)) {
                assertThrows(IOException.class, () -> {
                    try (SSLSocket socket = connect(port, "any")) {
                        ask(socket, "any");
                    }
                });
                pki.issue("caller", "root", "DNS:caller").issue("stranger", "other", "DNS:caller");
                try (SSLSocket socket = connect(keyed("caller"), port, "any")) {
                    assertEquals("a", ask(socket, "any"));
                }
                assertThrows(IOException.class, () -> {
                    try (SSLSocket socket = connect(keyed("stranger"), port, "any")) {
                        ask(socket, "any");
                    }
                });
                assertEquals(1, a.requests.size());
            }
            Leaks.check();
        }
    }

    /** A client that shows a certificate. */
    private static SSLContext keyed(String name) throws GeneralSecurityException, IOException {
        Path file = directory.resolve(name + ".p12");
        pki.run(
                "pkcs12",
                "-export",
                "-inkey",
                pki.key(name).toString(),
                "-in",
                pki.certificate(name).toString(),
                "-out",
                file.toString(),
                "-passout",
                "pass:changeit");
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (var in = Files.newInputStream(file)) {
            keys.load(in, "changeit".toCharArray());
        }
        KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
        factory.init(keys, "changeit".toCharArray());
        SSLContext made = SSLContext.getInstance("TLS");
        made.init(factory.getKeyManagers(), trust("root"), null);
        return made;
    }

    @Test
    void whatCannotBeUsedIsRefusedByNameAndTheLastGoodOneServes() throws Exception {
        int port = Edges.freePort();
        Path missing = directory.resolve("missing.pem");
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(edge(mesh, chain("a", port, files("a"), "shop.example.com")));
            try (NodeProxy proxy = Edges.start(xds)) {
                connect(port, "shop.example.com").close();
                EdgeTls broken = new EdgeTls(missing.toString(), pki.key("b").toString(), "", false);
                MeshState next = edge(mesh, chain("a", port, broken, "shop.example.com"));
                Throwable refusal = assertThrows(AssertionError.class, () -> xds.set(next));
                while (refusal.getCause() != null) {
                    refusal = refusal.getCause();
                }
                assertEquals(
                        "shop.example.com at port " + port + ": " + missing + ": there is no such file",
                        refusal.getMessage());
                try (SSLSocket socket = connect(port, "shop.example.com")) {
                    assertEquals("CN=a", subject(socket));
                }
                assertTrue(proxy.isReady());
                Files.copy(pki.certificate("b"), missing);
                for (int i = 0; ; i++) {
                    try (SSLSocket socket = connect(port, "shop.example.com")) {
                        if (subject(socket).equals("CN=b")) {
                            break;
                        }
                    }
                    assertTrue(i < 250, "the file that has come is not used after 5 s");
                    Thread.sleep(20);
                }
            } finally {
                Files.deleteIfExists(missing);
            }
            Leaks.check();
        }
    }

    @Test
    void aPortThatIsToAskForCertificatesAndCannotTakesNobodyMeanwhile() throws Exception {
        int port = Edges.freePort();
        Path missing = directory.resolve("later.pem");
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(edge(mesh, chain("a", port, files("a"))));
            try (NodeProxy _ = Edges.start(xds)) {
                connect(port, "any").close();
                EdgeTls mutual = new EdgeTls(
                        pki.certificate("a").toString(), pki.key("a").toString(), missing.toString(), false);
                assertThrows(AssertionError.class, () -> xds.set(edge(mesh, chain("a", port, mutual))));
                for (int i = 0; ; i++) {
                    try (SSLSocket _ = connect(port, "any")) {
                        assertTrue(i < 250, "callers without a certificate are still taken after 5 s");
                    } catch (IOException e) {
                        break;
                    }
                    Thread.sleep(20);
                }
                assertEquals(0, a.requests.size());
            }
            Leaks.check();
        }
    }

    @Test
    void aPortThatIsToSpeakOnlyTheNewestAndCannotTakesNobodyMeanwhile() throws Exception {
        int port = Edges.freePort();
        Path missing = directory.resolve("newest.pem");
        try (Origin a = Origin.answering("a");
                FakeXds xds = new FakeXds()) {
            MeshState mesh = Meshes.mesh().subset("a", a.port()).build();
            xds.set(edge(mesh, chain("a", port, files("a"))));
            try (NodeProxy _ = Edges.start(xds)) {
                connect(port, "any", "TLSv1.2").close();
                EdgeTls newest = new EdgeTls(missing.toString(), pki.key("a").toString(), "", true);
                assertThrows(AssertionError.class, () -> xds.set(edge(mesh, chain("a", port, newest))));
                for (int i = 0; ; i++) {
                    try (SSLSocket _ = connect(port, "any", "TLSv1.2")) {
                        assertTrue(i < 250, "TLS 1.2 is still taken after 5 s");
                    } catch (IOException e) {
                        break;
                    }
                    Thread.sleep(20);
                }
            }
            Leaks.check();
        }
    }

    private static boolean isLetIn(SSLContext from, int port) throws InterruptedException {
        try (SSLSocket socket = connect(from, port, "admin.example.com")) {
            return head(socket, "admin.example.com").startsWith("HTTP/1.1 200 ");
        } catch (IOException e) {
            return false;
        }
    }

    /** What a caller with a connection of its own chain gets once a chain that asks for certificates has taken its place. */
    private static void keptConnectionsStayOutside(String before, Listener.Target.Chain... after) throws Exception {
        int port = after[0].port();
        EdgeTls simple = files("kept");
        try (Origin a = Origin.answering("public");
                Origin b = Origin.answering("admin");
                FakeXds xds = new FakeXds()) {
            MeshState old = Meshes.mesh().subset(before, a.port()).build();
            MeshState mesh = Meshes.mesh()
                    .subset(after[0].name(), b.port())
                    .subset("rest", a.port())
                    .build();
            xds.set(edge(old, chain(before, port, simple)));
            try (NodeProxy _ = Edges.start(xds);
                    SSLSocket kept = connect(port, "");
                    HttpClient http = HttpClient.newBuilder()
                            .sslContext(client)
                            .version(HttpClient.Version.HTTP_2)
                            .build()) {
                HttpRequest get = HttpRequest.newBuilder(URI.create("https://localhost:" + port + "/"))
                        .timeout(Duration.ofSeconds(10))
                        .build();
                HttpResponse<String> first = http.send(get, HttpResponse.BodyHandlers.ofString());
                assertEquals(HttpClient.Version.HTTP_2, first.version());
                assertEquals("public", first.body());
                assertEquals("public", ask(kept, "admin.example.com"));
                xds.set(edge(mesh, after));
                SSLContext keyed = keyed("keeper");
                // The tables of the new chain may be known a moment before it asks for certificates.
                for (int i = 0; isLetIn(client, port) || !isLetIn(keyed, port); i++) {
                    assertTrue(i < 250, "the new chain is not in force after 5 s");
                    Thread.sleep(20);
                }
                int known = b.requests.size();
                String head = head(kept, "admin.example.com");
                assertTrue(head.isEmpty() || head.matches("(?s)HTTP/1.1 (404|421|503) .*"), head);
                try {
                    HttpResponse<String> answer = http.send(get, HttpResponse.BodyHandlers.ofString());
                    assertTrue(List.of(404, 421, 503).contains(answer.statusCode()), answer + " " + answer.body());
                } catch (IOException e) {
                    // It was ended, and another one needs a certificate.
                    assertEquals(1, after.length, e.toString());
                }
                assertEquals(known, b.requests.size());
            }
            Leaks.check();
        }
    }

    @Test
    void aConnectionNeverChangesItsChain() throws Exception {
        pki.issue("kept", "root", "DNS:localhost").issue("keeper", "root", "DNS:keeper");
        EdgeTls mutual = new EdgeTls(
                pki.certificate("b").toString(),
                pki.key("b").toString(),
                pki.certificate("root").toString(),
                false);
        // The chain asks for certificates now, under its old name or another.
        keptConnectionsStayOutside("s0", chain("s0", Edges.freePort(), mutual));
        keptConnectionsStayOutside("s0", chain("s1", Edges.freePort(), mutual));
        // Another chain has taken over the name.
        int port = Edges.freePort();
        keptConnectionsStayOutside(
                "s0", chain("s0", port, mutual, "admin.example.com"), chain("rest", port, files("kept")));
    }
}
