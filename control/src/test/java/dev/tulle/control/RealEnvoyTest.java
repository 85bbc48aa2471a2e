package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Locality;
import dev.tulle.model.Workload;
import dev.tulle.xds.NodeLease;
import dev.tulle.xds.RegistrationAnswer;
import dev.tulle.xds.RegistrationClient;
import dev.tulle.xds.RegistrationOptions;
import dev.tulle.xds.WorkloadRegistration;
import dev.tulle.xds.XdsClientState;
import dev.tulle.xds.XdsClients;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A real Envoy as a client: it takes listeners, routes, clusters and endpoints over ADS in both variants, routes a request, and
 * follows a change. {@code TULLE_ENVOY} names the Envoy binary ({@code src/test/envoy/run} provides one and runs this). All
 * addresses are on the loopback: services get theirs from 127.66.0.0/16, which Envoy can bind without privileges.
 */
@Tag("envoy")
class RealEnvoyTest {
    @TempDir
    private Path directory = Path.of("");

    @ParameterizedTest
    @ValueSource(strings = {"DELTA_GRPC", "GRPC"})
    void envoyRoutesARequestAndFollowsAChange(String apiType) throws Exception {
        ControlOptions options = ControlOptions.of(directory, directory.resolve("control.sock"))
                .withHttpPort(0)
                .withRanges("100.64.0.0/10", "127.66.0.0/16");
        try (ControlPlane plane = ControlPlane.start(options);
                RegistrationClient node = XdsClients.register(
                        new RegistrationOptions(plane.options().places().xdsSocket(), "n1", ""), new Quiet())) {
            HttpServer v1 = serve("127.67.0.1", 0, "v1");
            HttpServer v2 = serve("127.67.0.2", v1.getAddress().getPort(), "v2");
            register(node, "v1", v1);
            register(node, "v2", v2);
            Process envoy = startEnvoy(apiType, plane.options().places().xdsSocket());
            try {
                until(() -> plane.clients().stream().anyMatch(RealEnvoyTest::hasRoutes));
                URI uri = URI.create(
                        "http://" + address(plane) + ":" + v1.getAddress().getPort() + "/");
                until(() -> answer(uri).startsWith("v"));
                Set<String> seen = new TreeSet<>();
                for (int i = 0; i < 40; i++) {
                    seen.add(answer(uri));
                }
                assertEquals(Set.of("v1", "v2"), seen);

                Files.writeString(options.places().config().resolve("v2.yaml"), ALL_TO_V2);
                until(() -> plane.view().state().routes().toString().contains("|v2|"));
                until(() -> plane.clients().stream().allMatch(XdsClientState::synced));
                until(() -> answer(uri).equals("v2"));
                for (int i = 0; i < 20; i++) {
                    assertEquals("v2", answer(uri));
                }
                for (XdsClientState client : plane.clients()) {
                    client.types().forEach(type -> assertEquals(0, type.nacked(), type.toString()));
                }
            } catch (AssertionError e) {
                String last = answer(URI.create(
                        "http://" + address(plane) + ":" + v1.getAddress().getPort() + "/"));
                throw new AssertionError(
                        plane.clients() + "\nlast answer: " + last + "\n"
                                + plane.view().problems() + "\n" + Files.readString(directory.resolve("envoy.log")),
                        e);
            } finally {
                envoy.destroy();
                assertTrue(envoy.waitFor(10, TimeUnit.SECONDS));
                v1.stop(0);
                v2.stop(0);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"DELTA_GRPC", "GRPC"})
    void envoyPrefersTheNearestEndpointAndFailsOver(String apiType) throws Exception {
        ControlOptions options = ControlOptions.of(directory, directory.resolve("control.sock"))
                .withHttpPort(0)
                .withRanges("100.64.0.0/10", "127.66.0.0/16");
        try (ControlPlane plane = ControlPlane.start(options);
                RegistrationClient node = XdsClients.register(
                        new RegistrationOptions(plane.options().places().xdsSocket(), "n1", "", Locality.parse("r/z1")),
                        new Quiet())) {
            Files.writeString(options.places().config().resolve("near.yaml"), NEAREST);
            HttpServer near = serve("127.67.0.1", 0, "near");
            int port = near.getAddress().getPort();
            HttpServer far = serve("127.67.0.2", port, "far");
            register(node, "near", near);
            register(node, "far", far, Locality.LABEL, "q.z");
            // Not ready, and of the best priority: it neither serves nor takes a share of the load away.
            for (int i = 3; i < 9; i++) {
                HttpServer sick = serve("127.67.0." + i, port, "sick");
                register(node, "sick" + i, sick);
                node.health("n1/default/reviews-sick" + i, false);
                sick.stop(0);
            }
            Process envoy = startEnvoy(apiType, plane.options().places().xdsSocket());
            try {
                until(() -> plane.clients().stream().anyMatch(RealEnvoyTest::hasRoutes));
                URI uri = URI.create("http://" + address(plane) + ":" + port + "/");
                until(() -> answer(uri).equals("near"));
                until(() -> plane.clients().stream().allMatch(XdsClientState::synced));
                for (int i = 0; i < 60; i++) {
                    assertEquals("near", answer(uri));
                }
                node.health("n1/default/reviews-near", false);
                until(() -> answer(uri).equals("far"));
                node.health("n1/default/reviews-near", true);
                until(() -> answer(uri).equals("near"));
                node.deregister("n1/default/reviews-near");
                until(() -> answer(uri).equals("far"));
                for (XdsClientState client : plane.clients()) {
                    client.types().forEach(type -> assertEquals(0, type.nacked(), type.toString()));
                }
            } finally {
                envoy.destroy();
                assertTrue(envoy.waitFor(10, TimeUnit.SECONDS));
                near.stop(0);
                far.stop(0);
            }
        }
    }

    @Test
    void envoySpeaksTlsToEndpointsAsThePolicySays() throws Exception {
        ControlOptions options = ControlOptions.of(directory, directory.resolve("control.sock"))
                .withHttpPort(0)
                .withRanges("100.64.0.0/10", "127.66.0.0/16");
        try (ControlPlane plane = ControlPlane.start(options);
                RegistrationClient node = XdsClients.register(
                        new RegistrationOptions(plane.options().places().xdsSocket(), "n1", ""), new Quiet())) {
            TlsServer.makeCertificates(directory);
            HttpServer server = TlsServer.start("127.67.0.1", directory);
            register(node, "v1", server);
            Path rule = options.places().config().resolve("tls.yaml");
            String root = ", caCertificates: " + directory.resolve("root.pem");
            Files.writeString(rule, TlsServer.rule("mode: SIMPLE" + root));
            Process envoy = startEnvoy("DELTA_GRPC", plane.options().places().xdsSocket());
            try {
                until(() -> plane.clients().stream().anyMatch(RealEnvoyTest::hasRoutes));
                URI uri = URI.create(
                        "http://" + address(plane) + ":" + server.getAddress().getPort() + "/");
                until(() -> answer(uri).equals("to reviews.default.svc.cluster.local from nobody"));
                Files.writeString(
                        rule,
                        TlsServer.rule(
                                "mode: MUTUAL, sni: other.example, subjectAltNames: [\"spiffe://td/ns/a\"]" + root
                                        + ", clientCertificate: " + directory.resolve("client.pem") + ", privateKey: "
                                        + directory.resolve("client.key")));
                until(() -> answer(uri).equals("to other.example from CN=client"));
                Files.writeString(rule, TlsServer.rule("mode: SIMPLE, sni: other.example" + root));
                until(() -> answer(uri).startsWith("upstream connect error"));
                Files.writeString(rule, TlsServer.rule("mode: SIMPLE, insecureSkipVerify: true"));
                until(() -> answer(uri).equals("to reviews.default.svc.cluster.local from nobody"));
                Files.writeString(
                        rule, TlsServer.rule("mode: SIMPLE, caCertificates: " + directory.resolve("stranger.pem")));
                until(() -> answer(uri).startsWith("upstream connect error"));
                for (XdsClientState client : plane.clients()) {
                    client.types().forEach(type -> assertEquals(0, type.nacked(), type.toString()));
                }
            } catch (AssertionError e) {
                String last = answer(URI.create(
                        "http://" + address(plane) + ":" + server.getAddress().getPort() + "/"));
                throw new AssertionError(
                        last + "\n" + plane.clients() + "\n" + plane.view().problems() + "\n"
                                + Files.readString(directory.resolve("envoy.log")),
                        e);
            } finally {
                envoy.destroy();
                assertTrue(envoy.waitFor(10, TimeUnit.SECONDS));
                server.stop(0);
            }
        }
    }

    private static final String NEAREST = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: reviews}
            spec:
              host: reviews
              trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}
            """;

    private static final String ALL_TO_V2 = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: reviews}
            spec:
              host: reviews
              subsets: [{name: v2, labels: {version: v2}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: reviews}
            spec:
              hosts: [reviews]
              http:
                - fault: {abort: {httpStatus: 555, percentage: {value: 0}}}
                  headers: {response: {set: {x-share: all}}}
                  retries: {attempts: 2, retryOn: "connect-failure,503"}
                  route: [{destination: {host: reviews, subset: v2}}]
            """;

    private static String address(ControlPlane plane) {
        return plane.view()
                .state()
                .services()
                .values()
                .iterator()
                .next()
                .addresses()
                .getFirst();
    }

    private static boolean hasRoutes(XdsClientState client) {
        return client.software().startsWith("envoy")
                && client.synced()
                && client.types().stream()
                        .anyMatch(type -> type.type().equals("rds") && type.sent() > 0 && type.acked() > 0);
    }

    private Process startEnvoy(String apiType, Path xdsSocket) throws IOException {
        String config = """
                node: {id: envoy-1, cluster: envoy, locality: {region: r, zone: z1}}
                admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
                dynamic_resources:
                  ads_config:
                    api_type: %s
                    transport_api_version: V3
                    grpc_services: [{envoy_grpc: {cluster_name: control}}]
                  cds_config: {ads: {}, resource_api_version: V3}
                  lds_config: {ads: {}, resource_api_version: V3}
                static_resources:
                  clusters:
                    - name: control
                      connect_timeout: 2s
                      typed_extension_protocol_options:
                        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
                          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
                          explicit_http_config: {http2_protocol_options: {}}
                      load_assignment:
                        cluster_name: control
                        endpoints:
                          - lb_endpoints:
                              - endpoint:
                                  address: {pipe: {path: %s}}
                """.formatted(apiType, xdsSocket);
        Path file = Files.writeString(directory.resolve("envoy.yaml"), config);
        return new ProcessBuilder(
                        String.valueOf(System.getenv("TULLE_ENVOY")),
                        "-c",
                        file.toString(),
                        "--concurrency",
                        "1",
                        "--disable-hot-restart",
                        "-l",
                        "warning")
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("envoy.log").toFile())
                .start();
    }

    private static HttpServer serve(String address, int port, String text) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getByName(address), port), 16);
        server.createContext("/", exchange -> {
            byte[] body = text.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        return server;
    }

    private static void register(RegistrationClient node, String version, HttpServer server) throws Exception {
        register(node, version, server, "version", version);
    }

    private static void register(RegistrationClient node, String version, HttpServer server, String label, String value)
            throws Exception {
        int port = server.getAddress().getPort();
        RegistrationAnswer answer = node.register(new WorkloadRegistration(
                        "reviews-" + version,
                        "default",
                        "reviews",
                        List.of(server.getAddress().getAddress().getHostAddress()),
                        Map.of(label, value),
                        List.of("reviews"),
                        List.of(new Workload.WorkloadPort(port, AppProtocol.HTTP)),
                        true))
                .get(20, TimeUnit.SECONDS);
        assertTrue(answer instanceof RegistrationAnswer.Accepted, answer.toString());
    }

    private static String answer(URI uri) {
        try (HttpClient client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(Duration.ofSeconds(2))
                .build()) {
            return client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString())
                    .body();
        } catch (IOException e) {
            return "not yet: " + e;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "interrupted";
        }
    }

    /** Something that becomes true. */
    @FunctionalInterface
    private interface Condition {
        boolean holds();
    }

    private static void until(Condition condition) throws InterruptedException {
        for (int i = 0; i < 300 && !condition.holds(); i++) {
            TimeUnit.MILLISECONDS.sleep(50);
        }
        assertTrue(condition.holds());
    }

    private static final class Quiet implements RegistrationClient.Listener {
        @Override
        public void onLease(NodeLease lease) {}

        @Override
        public void onTrouble(String reason) {}
    }
}
