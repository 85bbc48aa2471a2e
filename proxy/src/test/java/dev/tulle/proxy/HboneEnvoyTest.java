package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.AuthorizationPolicy.Action;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Source;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Secret;
import dev.tulle.model.TextPattern;
import dev.tulle.model.WeightedCluster;
import dev.tulle.proxy.hbone.TunnelTarget;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A real Envoy at either end of a tunnel. {@code TULLE_ENVOY} names it ({@code control/src/test/envoy/binary} prints one). */
@Tag("envoy")
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class HboneEnvoyTest {
    private static final int MANY = 16 << 20;

    private static String tls(String kind, String more, Path chain, Path key, Path roots, SpiffeId expected) {
        return """
                transport_socket:
                  name: tls
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.%s
                    %s
                    common_tls_context:
                      alpn_protocols: [h2]
                      tls_params: {tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3}
                      tls_certificates: [{certificate_chain: {filename: %s}, private_key: {filename: %s}}]
                      validation_context:
                        trusted_ca: {filename: %s}
                        match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: "%s"}}]
            """.formatted(kind, more, chain, key, roots, expected);
    }

    /** Bytes that it accepts become a tunnel. */
    private static String client(String dialled, int port, String tls) {
        return """
            static_resources:
              listeners:
              - name: entry
                address: {socket_address: {address: 127.0.0.1, port_value: 0}}
                filter_chains:
                - filters:
                  - name: tcp
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                      stat_prefix: entry
                      cluster: far
                      tunneling_config: {hostname: "%s"}
              clusters:
              - name: far
                connect_timeout: 5s
                typed_extension_protocol_options:
                  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
                    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
                    explicit_http_config: {http2_protocol_options: {}}
                load_assignment:
                  cluster_name: far
                  endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}}]}]
            %s
            """.formatted(dialled, port, tls);
    }

    /** Tunnels end here, and go on to one workload. */
    private static String server(String tls, String address, int port) {
        return """
            static_resources:
              listeners:
              - name: entry
                address: {socket_address: {address: 127.0.0.1, port_value: 0}}
                filter_chains:
                - filters:
                  - name: http
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                      stat_prefix: entry
                      codec_type: HTTP2
                      http2_protocol_options: {allow_connect: true}
                      upgrade_configs: [{upgrade_type: CONNECT}]
                      route_config:
                        virtual_hosts:
                        - name: all
                          domains: ["*"]
                          routes:
                          - match: {connect_matcher: {}}
                            route: {cluster: web, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}
                      http_filters:
                      - name: router
                        typed_config:
                          "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
            %s
              clusters:
              - name: web
                connect_timeout: 5s
                load_assignment:
                  cluster_name: web
                  endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: %s, port_value: %d}}}}]}]
            """.formatted(tls.indent(2), address, port);
    }

    /** Nobody waits for another one's thread. */
    private static final Executor THREADS = task -> Thread.ofVirtual().start(task);

    /** Set by JUnit. */
    @TempDir
    private Path directory = Path.of("");

    /** A running Envoy. */
    private record Envoy(Process process, int port, Path log) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            process.destroy();
            try {
                assertTrue(process.waitFor(20, TimeUnit.SECONDS), "Envoy does not end");
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
        }
    }

    private Envoy start(String config) throws Exception {
        String binary = System.getenv("TULLE_ENVOY");
        assertTrue(binary != null, "TULLE_ENVOY has to name an Envoy (control/src/test/envoy/binary prints one)");
        Path admin = directory.resolve("admin");
        Path log = directory.resolve("envoy.log");
        Path file = Files.writeString(
                directory.resolve("envoy.yaml"),
                "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n" + config);
        Process process = new ProcessBuilder(
                        binary,
                        "-c",
                        file.toString(),
                        "--concurrency",
                        "1",
                        "--disable-hot-restart",
                        "-l",
                        "warning",
                        "--admin-address-path",
                        admin.toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        for (int i = 0; i < 600; i++) {
            if (!process.isAlive()) {
                throw new AssertionError("Envoy has ended: " + Files.readString(log));
            }
            if (Files.exists(admin) && !Files.readString(admin).isEmpty()) {
                return new Envoy(process, port(Files.readString(admin)), log);
            }
            Thread.sleep(50);
        }
        process.destroy();
        throw new AssertionError("Envoy does not start: " + Files.readString(log));
    }

    private static int port(String admin) throws Exception {
        try (HttpClient client = HttpClient.newHttpClient()) {
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + admin + "/listeners?format=json"))
                    .timeout(Duration.ofSeconds(10))
                    .build();
            String answer =
                    client.send(request, HttpResponse.BodyHandlers.ofString()).body();
            return JsonParser.parseString(answer)
                    .getAsJsonObject()
                    .getAsJsonArray("listener_statuses")
                    .get(0)
                    .getAsJsonObject()
                    .getAsJsonObject("local_address")
                    .getAsJsonObject("socket_address")
                    .get("port_value")
                    .getAsInt();
        }
    }

    private String tls(TunnelNodes nodes, String kind, String more, SpiffeId shown, SpiffeId expected)
            throws IOException {
        Secret.IdentityCertificate certificate = (Secret.IdentityCertificate) nodes.certificate(shown, "root");
        Path chain = Files.writeString(directory.resolve("envoy.pem"), certificate.chain());
        Path key = Files.writeString(directory.resolve("envoy.key"), certificate.key());
        return tls(kind, more, chain, key, nodes.pki.certificate("root"), expected);
    }

    private static AuthorizationPolicy onlyMe() {
        Source me = new Source(
                List.of(TextPattern.parse("cluster.local/ns/default/sa/me")), List.of(), List.of(), List.of());
        return new AuthorizationPolicy(
                "default/only-me",
                AuthorizationPolicy.Scope.NAMESPACE,
                Action.ALLOW,
                List.of(new Rule(List.of(me), List.of(), List.of())),
                new ResourceRef("AuthorizationPolicy", "default", "only-me", "", 0));
    }

    /** Sends bytes, ends its half, and expects them back. */
    private static void echo(ServerSocket web, int port) throws Exception {
        byte[] there = new byte[MANY];
        new Random(3).nextBytes(there);
        CompletableFuture<Void> served = CompletableFuture.runAsync(
                () -> {
                    try (Socket taken = web.accept()) {
                        taken.getOutputStream().write(taken.getInputStream().readAllBytes());
                    } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                    }
                },
                THREADS);
        try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
            client.setSoTimeout(60_000);
            client.getOutputStream().write(there);
            client.shutdownOutput();
            assertArrayEquals(there, client.getInputStream().readAllBytes());
        }
        served.get(20, TimeUnit.SECONDS);
    }

    private static ServerSocket web() throws IOException {
        return new ServerSocket(0, 50, InetAddress.getByName(TunnelNodes.WEB));
    }

    private TunnelNodes nodes(int port, AuthorizationPolicy... policies) throws IOException {
        Meshes mesh = Meshes.mesh().subset("", port).tcp(new WeightedCluster(Meshes.cluster(""), 1));
        return new TunnelNodes(Files.createDirectories(directory.resolve("nodes")), port, mesh, policies);
    }

    @Test
    void anEnvoyCallsAWorkloadOfOurs() throws Exception {
        try (ServerSocket web = web();
                TunnelNodes nodes = nodes(web.getLocalPort(), onlyMe());
                Envoy envoy = start(client(
                        TunnelNodes.WEB + ":" + web.getLocalPort(),
                        nodes.tunnels,
                        tls(
                                nodes,
                                "UpstreamTlsContext",
                                "",
                                TunnelNodes.workload("me"),
                                TunnelNodes.proxyOf(TunnelNodes.FAR))))) {
            echo(web, envoy.port());
            echo(web, envoy.port());
            assertEquals(
                    2,
                    nodes.far.sum(
                            "istio_tcp_connections_closed_total",
                            "source_principal=\"spiffe://cluster.local/ns/default/sa/me\""));
        }
    }

    @Test
    void anEnvoyThatMayNotIsTold() throws Exception {
        try (ServerSocket web = web();
                TunnelNodes nodes = nodes(web.getLocalPort(), onlyMe());
                Envoy envoy = start(client(
                        TunnelNodes.WEB + ":" + web.getLocalPort(),
                        nodes.tunnels,
                        tls(
                                nodes,
                                "UpstreamTlsContext",
                                "",
                                TunnelNodes.workload("you"),
                                TunnelNodes.proxyOf(TunnelNodes.FAR))));
                Socket client = new Socket(InetAddress.getLoopbackAddress(), envoy.port())) {
            client.setSoTimeout(20_000);
            client.getOutputStream().write('x');
            assertEquals(0, ended(client));
            assertTrue(nodes.far.sum("tulle_proxy_policy_denied_total") >= 1);
        }
    }

    /** What comes until the connection ends, by a reset or in order. */
    private static int ended(Socket client) throws IOException {
        try {
            return client.getInputStream().readAllBytes().length;
        } catch (java.net.SocketException e) {
            return 0;
        }
    }

    @Test
    void oursCallAWorkloadBehindAnEnvoy() throws Exception {
        try (ServerSocket web = web();
                TunnelNodes nodes = nodes(web.getLocalPort());
                Envoy envoy = start(server(
                        tls(
                                nodes,
                                "DownstreamTlsContext",
                                "require_client_certificate: true",
                                TunnelNodes.workload("web"),
                                TunnelNodes.workload("me")),
                        TunnelNodes.WEB,
                        web.getLocalPort()))) {
            nodes.tunnelTo(new TunnelTarget(
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), envoy.port()),
                    Set.of(TunnelNodes.workload("web"))));
            echo(web, nodes.port);
            echo(web, nodes.port);
        }
    }
}
