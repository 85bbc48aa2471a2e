package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.FreePorts;
import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The gateway with real programs: it comes with the first Gateway and goes with the last, and what it serves in between. */
@Tag("e2e")
class GatewayTest {
    private static final String GATEWAY = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              selector: {istio: ingressgateway}
              servers:
              - {port: {number: %d, name: http, protocol: HTTP}, hosts: [shop.example.com]}
            """;

    static final String SHOP = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: shop}
            spec:
              hosts: [shop.example.com]
              gateways: [front]
              http:
              - match: [{uri: {prefix: /public}}]
                route: [{destination: {host: web}}]
              - match: [{uri: {prefix: /secret}}]
                route: [{destination: {host: web}}]
            """;

    private static final String ONLY_PUBLIC = """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: only-public, namespace: default}
            spec:
              selector: {matchLabels: {app: web}}
              rules:
              - to: [{operation: {paths: ["/public*"]}}]
              - from: [{source: {principals: ["*"]}}]
            """;

    /** A port that nobody has, below those that the kernel gives to connections until the agent opens it. */
    static int freePort() {
        return ThreadLocalRandom.current()
                .ints(20_000, 32_000)
                .filter(FreePorts::isFree)
                .findFirst()
                .orElseThrow();
    }

    static void serve(MeshLab lab) throws Exception {
        Path files = lab.folder().resolve("files");
        for (String name : List.of("public", "secret")) {
            Files.createDirectories(files.resolve(name));
            Files.writeString(files.resolve(name).resolve("page"), name + " page\n");
        }
        lab.workload(
                "web",
                List.of("--service", "web", "--port", "http:9080"),
                List.of("python3", "-m", "http.server", "9080", "--directory", files.toString()));
        lab.await("web is ready", Duration.ofSeconds(20), () -> {
            try {
                return lab.tulle("endpoints").run().out().contains("9080");
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
    }

    /** What curl is told at the gateway: the status, 000 for no answer. */
    private static String code(int port, String host, String path, String... more) throws Exception {
        List<String> command = new ArrayList<>(
                List.of("curl", "-s", "-o", "/dev/null", "-m", "15", "-w", "%{http_code}", "-H", "Host: " + host));
        command.addAll(List.of(more));
        command.add("http://127.0.0.1:" + port + path);
        return Command.of(command).run().out();
    }

    private static boolean runs(MeshLab lab) {
        try {
            return ProcessHandle.of(lab.pid("gateway"))
                    .map(ProcessHandle::isAlive)
                    .orElse(false);
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void comesWithTheFirstGatewayAndGoesWithTheLast() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            serve(lab);
            assertTrue(!runs(lab), "a gateway without a Gateway");
            int port = freePort();
            lab.apply("shop", SHOP);
            lab.apply("front", GATEWAY.formatted(port));
            // The agent holds the port already: who comes before the process waits for it.
            assertEquals("200", code(port, "shop.example.com", "/public/page"));
            assertEquals("200", code(port, "shop.example.com:" + port, "/public/page"));
            assertEquals("200", code(port, "shop.example.com", "/public/page", "--http2-prior-knowledge"));
            assertEquals("404", code(port, "shop.example.com", "/other"));
            assertEquals("404", code(port, "other.example.com", "/public/page"));
            assertTrue(runs(lab));
            String status = lab.tulle("status").ok().out();
            assertTrue(status.contains("gateway") && status.contains("healthy"), status);

            lab.apply("only-public", ONLY_PUBLIC);
            assertEquals("200", code(port, "shop.example.com", "/public/page"));
            assertEquals("403", code(port, "shop.example.com", "/secret/page"), "nobody outside has a principal");
            Command.Result inside = lab.in(
                            "caller",
                            "curl",
                            "-s",
                            "-H",
                            "Host: shop.example.com",
                            "http://127.0.0.1:" + port + "/secret/page")
                    .ok();
            assertEquals("secret page\n", inside.out(), "a workload is who it is at the gateway as well");

            lab.tulle("delete", "gateway", "front").ok();
            lab.await("the gateway is gone", Duration.ofSeconds(20), () -> !runs(lab));
            assertEquals("000", code(port, "shop.example.com", "/public/page"));
            Command.Result end = lab.tulle("status").run();
            assertEquals(0, end.status(), end.toString());
        }
    }

    @Test
    void proxiesBeforeItAreBelievedAsFarAsItSays() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            serve(lab);
            int port = freePort();
            lab.apply("shop", SHOP);
            String topology = "{\"gatewayTopology\": {\"numTrustedProxies\": 1, \"proxyProtocol\": {}}}";
            lab.apply(
                    "front",
                    GATEWAY.formatted(port)
                            .replace(
                                    "{name: front}",
                                    "{name: front, annotations: {proxy.istio.io/config: '" + topology + "'}}"));
            lab.apply(
                    "only-public",
                    ONLY_PUBLIC.replace(
                            "from: [{source: {principals: [\"*\"]}}]",
                            "when: [{key: 'request.headers[x-envoy-external-address]', values: [203.0.113.9]}]"));
            String host = "shop.example.com";
            String said = "X-Forwarded-For: 203.0.113.9";
            String header = "--haproxy-protocol";
            assertEquals("200", code(port, host, "/secret/page", header, "-H", said));
            assertEquals("403", code(port, host, "/secret/page", header));
            assertEquals("403", code(port, host, "/secret/page", header, "-H", said + ", 203.0.113.8"));
            assertEquals("000", code(port, host, "/public/page"), "no header of the PROXY protocol");
            lab.apply("front", GATEWAY.formatted(port));
            assertEquals("200", code(port, host, "/public/page"));
            assertEquals("403", code(port, host, "/secret/page", "-H", said), "nobody is believed any more");
            lab.tulle("delete", "gateway", "front").ok();
        }
    }

    @Test
    void aKilledGatewayComesBackAndNobodyIsRefusedMeanwhile() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            serve(lab);
            int port = freePort();
            lab.apply("shop", SHOP);
            lab.apply("front", GATEWAY.formatted(port));
            assertEquals("200", code(port, "shop.example.com", "/public/page"));
            for (int i = 0; i < 3; i++) {
                long before = lab.pid("gateway");
                long proxy = lab.pid("proxy");
                ProcessHandle.of(before).orElseThrow().destroyForcibly();
                // Made while there is no process: it waits in the agent's socket.
                assertEquals("200", code(port, "shop.example.com", "/public/page"));
                assertNotEquals(before, lab.pid("gateway"));
                assertEquals(proxy, lab.pid("proxy"), "the node proxy is another process");
            }
            long before = lab.pid("gateway");
            lab.tulle("upgrade", "proxy").within(Duration.ofSeconds(90)).ok();
            assertNotEquals(before, lab.pid("gateway"));
            assertEquals("200", code(port, "shop.example.com", "/public/page"));
            // The JVM of control plane and agent dies: the gateway goes on, and is adopted.
            long kept = lab.pid("gateway");
            lab.killMesh("up");
            assertEquals("200", code(port, "shop.example.com", "/public/page"));
            lab.awaitReady();
            assertEquals("200", code(port, "shop.example.com", "/public/page"));
            assertEquals(kept, lab.pid("gateway"));
        }
    }

    @Test
    void aPortThatSomebodyHasIsSaidByApplyAndServedOnceItIsFree() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            serve(lab);
            lab.apply("shop", SHOP);
            int port;
            try (ServerSocket other = new ServerSocket(0, 5, InetAddress.getByName("0.0.0.0"))) {
                port = other.getLocalPort();
                Path file = lab.folder().resolve("front.yaml");
                Files.writeString(file, GATEWAY.formatted(port));
                Command.Result told = lab.tulle("apply", "-f", file.toString()).run();
                assertEquals(1, told.status(), told.toString());
                String process = "process " + ProcessHandle.current().pid();
                assertTrue(
                        (told.out() + told.err()).contains("port " + port + " is in use by " + process),
                        told.toString());
                Command.Result status = lab.tulle("status").run();
                assertTrue(status.out().contains("port " + port + " is in use by " + process), status.toString());
                assertTrue(lab.tulle("get", "gw").run().out().contains("partly"));
            }
            lab.await("the port is served", Duration.ofSeconds(25), () -> {
                try {
                    return code(port, "shop.example.com", "/public/page").equals("200");
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
            lab.await("nothing is wrong any more", Duration.ofSeconds(25), () -> {
                try {
                    return lab.tulle("status").run().status() == 0;
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
            assertTrue(lab.tulle("get", "gw").ok().out().contains("in force"));
        }
    }

    private static final String SECURE = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              selector: {istio: ingressgateway}
              servers:
              - port: {number: %1$d, name: http, protocol: HTTP}
                hosts: ["*.example.com"]
                tls: {httpsRedirect: true}
              - port: {number: %2$d, name: shop, protocol: HTTPS}
                hosts: [shop.example.com]
                tls: {mode: SIMPLE, serverCertificate: %3$s/live.pem, privateKey: %3$s/live.key}
              - port: {number: %2$d, name: back, protocol: HTTPS}
                hosts: [back.example.com]
                tls: {mode: MUTUAL, serverCertificate: %3$s/back.pem, privateKey: %3$s/back.key, caCertificates: %3$s/ca.pem}
            """;

    static final String BACK = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: back}
            spec:
              hosts: [back.example.com]
              gateways: [front]
              http:
              - route: [{destination: {host: web}}]
            """;

    /** A certificate and key in a folder, by the authority of that folder, readable by the gateway's user. */
    static void issue(Path folder, String name, String host) throws Exception {
        if (!Files.exists(folder.resolve("ca.pem"))) {
            openssl(
                    folder,
                    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=ca"
                            + " -keyout ca.key -out ca.pem");
        }
        openssl(
                folder,
                "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name + " -keyout " + name
                        + ".key -out " + name + ".csr");
        Files.writeString(folder.resolve(name + ".ext"), "subjectAltName=DNS:" + host);
        openssl(
                folder,
                "x509 -req -days 30 -in " + name + ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile " + name
                        + ".ext -out " + name + ".pem");
        Files.setPosixFilePermissions(folder.resolve(name + ".key"), PosixFilePermissions.fromString("rw-r--r--"));
    }

    private static void openssl(Path folder, String words) throws Exception {
        List<String> command = new ArrayList<>(List.of("openssl"));
        command.addAll(List.of(words.split(" ")));
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), said);
    }

    static String secureCode(int port, Path folder, String host, String... more) throws Exception {
        List<String> command = new ArrayList<>(
                List.of("curl", "-s", "-o", "/dev/null", "-m", "15", "-w", "%{http_code} %{http_version}", "--cacert"));
        command.add(folder.resolve("ca.pem").toString());
        command.addAll(List.of("--resolve", host + ":" + port + ":127.0.0.1"));
        command.addAll(List.of(more));
        command.add("https://" + host + ":" + port + "/public/page");
        return Command.of(command).run().out();
    }

    @Test
    void httpsByNameWithClientCertificatesAndReplacedFiles() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            serve(lab);
            Path folder = Files.createDirectories(lab.folder().resolve("tls"));
            issue(folder, "live", "shop.example.com");
            issue(folder, "back", "back.example.com");
            issue(folder, "caller", "caller");
            int plain = freePort();
            int secure = freePort();
            lab.apply("shop", SHOP);
            lab.apply("back", BACK);
            lab.apply("front", SECURE.formatted(plain, secure, folder));
            assertEquals("200 2", secureCode(secure, folder, "shop.example.com"));
            assertEquals("200 1.1", secureCode(secure, folder, "shop.example.com", "--http1.1"));
            assertEquals("200 2", secureCode(secure, folder, "shop.example.com", "--tlsv1.2", "--tls-max", "1.2"));
            assertEquals("301", code(plain, "shop.example.com", "/public/page"));
            assertEquals("421 2", secureCode(secure, folder, "shop.example.com", "-H", "Host: back.example.com"));
            assertEquals("000 0", secureCode(secure, folder, "other.example.com"));
            assertEquals("000 0", secureCode(secure, folder, "back.example.com"), "without a certificate");
            String[] known = {
                "--cert",
                folder.resolve("caller.pem").toString(),
                "--key",
                folder.resolve("caller.key").toString()
            };
            assertEquals("200 2", secureCode(secure, folder, "back.example.com", known));

            replacedUnderLoad(lab, folder, secure);

            Files.delete(folder.resolve("back.key"));
            lab.await("the missing file is named", Duration.ofSeconds(10), () -> {
                try {
                    return lab.tulle("status").run().out().contains("back.key: there is no such file");
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
            assertEquals("200 2", secureCode(secure, folder, "back.example.com", known), "what was read stays");
            Path file = lab.folder().resolve("front.yaml");
            Files.writeString(file, SECURE.formatted(plain, secure, folder).replace("live.pem", "other.pem"));
            Command.Result told = lab.tulle("apply", "-f", file.toString()).run();
            assertEquals(1, told.status(), told.toString());
            assertTrue((told.out() + told.err()).contains("other.pem: there is no such file"), told.toString());
            assertEquals("200 2", secureCode(secure, folder, "shop.example.com"), "the last good one serves");
        }
    }

    /** Callers one after the other, each with a connection of its own, while the certificate is replaced. */
    private static void replacedUnderLoad(MeshLab lab, Path folder, int port) throws Exception {
        SecureCallers callers = new SecureCallers(port, folder);
        try (callers) {
            for (int i = 0; i < 5; i++) {
                String name = "next" + i;
                issue(folder, name, "shop.example.com");
                for (String kind : List.of(".pem", ".key")) {
                    Files.move(
                            folder.resolve(name + kind),
                            folder.resolve("live" + kind),
                            StandardCopyOption.REPLACE_EXISTING);
                }
                lab.await("certificate " + i, Duration.ofSeconds(10), () -> {
                    try {
                        return Command.of(List.of(
                                        "curl",
                                        "-sv",
                                        "--cacert",
                                        folder.resolve("ca.pem").toString(),
                                        "--resolve",
                                        "shop.example.com:" + port + ":127.0.0.1",
                                        "https://shop.example.com:" + port + "/public/page"))
                                .run()
                                .err()
                                .contains("CN=" + name);
                    } catch (Exception e) {
                        throw new AssertionError(e);
                    }
                });
            }
        }
        assertEquals(List.of(), callers.bad());
        assertTrue(callers.good() > 5, callers.good() + " connections");
    }
}
