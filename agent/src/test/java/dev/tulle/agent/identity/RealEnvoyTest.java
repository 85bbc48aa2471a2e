package dev.tulle.agent.identity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.common.LocalRefusals;
import dev.tulle.common.SocketAccess;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.identity.request.CsrMaker;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A real Envoy with certificate and roots from {@code sds.sock}, in both variants of the protocol: it speaks mutual TLS by
 * them, and takes the renewed one without a restart. {@code TULLE_ENVOY} names the binary ({@code src/test/envoy/run}
 * provides one and runs this).
 */
@Tag("envoy")
class RealEnvoyTest {
    private static final SpiffeId ME = SpiffeId.workload("cluster.local", "default", "me");
    private static final SpiffeId CALLER = SpiffeId.workload("cluster.local", "default", "caller");

    @TempDir
    private Path directory = Path.of("");

    @ParameterizedTest
    @ValueSource(strings = {"DELTA_GRPC", "GRPC"})
    void envoyServesByItsCertificateAndByTheNextOne(String apiType) throws Exception {
        Cgroups cgroups = Cgroups.find();
        SetClock clock = new SetClock();
        Path socket = directory.resolve("sds.sock");
        try (TestAuthority authority = new TestAuthority(directory.resolve("authority"), Clock.systemUTC());
                LocalIdentities identities = LocalIdentities.start(
                        authority,
                        SpiffeId.proxy("cluster.local", "n1"),
                        cgroups,
                        socket,
                        SocketAccess.owner(),
                        directory.resolve("workload.sock"),
                        new LocalRefusals(),
                        clock)) {
            Process envoy = startEnvoy(apiType, socket);
            try {
                // Asked before anybody is there: answered when somebody is.
                identities.leases(List.of(RealClientTest.own(cgroups)));
                int port = port();
                KeyPair keys = CsrMaker.newKey();
                CertificateSource.Issued caller = authority.request(CALLER, keys);
                until(() -> exchange(port, caller, Optional.of(keys)).isPresent());
                Seen first = exchange(port, caller, Optional.of(keys)).orElseThrow();
                assertEquals(ME, SpiffeId.of(first.server()));
                assertEquals(CALLER.toString(), first.callerAsEnvoySaw());
                assertEquals(Optional.empty(), exchange(port, caller, Optional.empty()), "without a certificate");

                BigInteger number = first.server().getSerialNumber();
                clock.forward(Duration.ofSeconds(40));
                until(() -> exchange(port, caller, Optional.of(keys))
                        .filter(seen -> !seen.server().getSerialNumber().equals(number))
                        .isPresent());
                assertTrue(identities.clients().stream()
                        .flatMap(client -> client.types().stream())
                        .allMatch(type -> type.nacked() == 0 && type.acked() > 0));
            } catch (AssertionError e) {
                throw new AssertionError(
                        identities.clients() + "\n" + identities.reports() + "\n"
                                + Files.readString(directory.resolve("envoy.log")),
                        e);
            } finally {
                envoy.destroy();
                assertTrue(envoy.waitFor(20, TimeUnit.SECONDS));
            }
        }
    }

    /** What came of an exchange: the server's certificate, and whom it took its caller for. */
    private record Seen(X509Certificate server, String callerAsEnvoySaw) {}

    private static Optional<Seen> exchange(int port, CertificateSource.Issued caller, Optional<KeyPair> keys) {
        try (SSLSocket socket = (SSLSocket)
                context(caller, keys).getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream()
                    .write("GET / HTTP/1.1\r\nHost: me\r\nConnection: close\r\n\r\n"
                            .getBytes(StandardCharsets.US_ASCII));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
            String peer = answer.lines()
                    .filter(line -> line.startsWith("x-peer: "))
                    .map(line -> line.substring("x-peer: ".length()))
                    .findFirst()
                    .orElse("");
            return Optional.of(new Seen((X509Certificate) socket.getSession().getPeerCertificates()[0], peer));
        } catch (IOException e) {
            return Optional.empty();
        } catch (java.security.GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private static SSLContext context(CertificateSource.Issued caller, Optional<KeyPair> keys)
            throws java.security.GeneralSecurityException, IOException {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        for (X509Certificate root : caller.roots()) {
            trusted.setCertificateEntry(root.getSerialNumber().toString(), root);
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        KeyManager[] own = new KeyManager[0];
        if (keys.isPresent()) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setKeyEntry(
                    "own", keys.get().getPrivate(), new char[0], caller.chain().toArray(Certificate[]::new));
            KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
            factory.init(store, new char[0]);
            own = factory.getKeyManagers();
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(own, trust.getTrustManagers(), null);
        return context;
    }

    /** Where Envoy listens, once it does. */
    private int port() throws Exception {
        Path file = directory.resolve("admin");
        until(() -> Files.exists(file) && listening().isPresent());
        return listening().orElseThrow();
    }

    private Optional<Integer> listening() {
        try (HttpClient client = HttpClient.newHttpClient()) {
            String admin = Files.readString(directory.resolve("admin")).strip();
            JsonObject all = JsonParser.parseString(client.send(
                                    HttpRequest.newBuilder(URI.create("http://" + admin + "/listeners?format=json"))
                                            .build(),
                                    HttpResponse.BodyHandlers.ofString())
                            .body())
                    .getAsJsonObject();
            for (JsonElement one : all.getAsJsonArray("listener_statuses")) {
                return Optional.of(one.getAsJsonObject()
                        .getAsJsonObject("local_address")
                        .getAsJsonObject("socket_address")
                        .get("port_value")
                        .getAsInt());
            }
            return Optional.empty();
        } catch (IOException | RuntimeException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }

    private Process startEnvoy(String apiType, Path socket) throws IOException {
        String sds = """
                {resource_api_version: V3, api_config_source: {api_type: %s, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: sds}}]}}
                """.formatted(apiType).strip();
        String config = """
                node: {id: envoy-1, cluster: envoy}
                admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
                static_resources:
                  listeners:
                    - name: tls
                      address: {socket_address: {address: 127.0.0.1, port_value: 0}}
                      filter_chains:
                        - transport_socket:
                            name: envoy.transport_sockets.tls
                            typed_config:
                              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
                              require_client_certificate: true
                              common_tls_context:
                                tls_certificate_sds_secret_configs: [{name: "%s", sds_config: %s}]
                                validation_context_sds_secret_config: {name: ROOTCA, sds_config: %s}
                          filters:
                            - name: envoy.filters.network.http_connection_manager
                              typed_config:
                                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                                stat_prefix: tls
                                http_filters:
                                  - name: envoy.filters.http.router
                                    typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
                                route_config:
                                  response_headers_to_add: [{header: {key: x-peer, value: "%%DOWNSTREAM_PEER_URI_SAN%%"}}]
                                  virtual_hosts:
                                    - {name: all, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}
                  clusters:
                    - name: sds
                      connect_timeout: 2s
                      typed_extension_protocol_options:
                        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
                          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
                          explicit_http_config: {http2_protocol_options: {}}
                      load_assignment:
                        cluster_name: sds
                        endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: %s}}}}]}]
                """.formatted(ME, sds, sds, socket);
        Path file = Files.writeString(directory.resolve("envoy.yaml"), config);
        return new ProcessBuilder(
                        String.valueOf(System.getenv("TULLE_ENVOY")),
                        "-c",
                        file.toString(),
                        "--concurrency",
                        "1",
                        "--disable-hot-restart",
                        "--admin-address-path",
                        directory.resolve("admin").toString(),
                        "-l",
                        "warning")
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("envoy.log").toFile())
                .start();
    }

    /** Something that becomes true. */
    @FunctionalInterface
    private interface Condition {
        boolean holds();
    }

    private static void until(Condition condition) throws InterruptedException {
        for (int i = 0; i < 600 && !condition.holds(); i++) {
            TimeUnit.MILLISECONDS.sleep(50);
        }
        assertTrue(condition.holds());
    }
}
