package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves that a program which speaks plain HTTP reaches a server outside the mesh in TLS where a DestinationRule says so:
 * the right server alone, with the certificate that is on disk now.
 */
@Tag("e2e")
class TlsOriginationTest {
    private static final int REPLACEMENTS = 200;

    private static MeshLab lab;
    private static Process anybody;
    private static Process known;

    @BeforeAll
    static void start() throws Exception {
        lab = MeshLab.start(null);
        authority("root");
        authority("stranger");
        certificate("server", "DNS:shop.example,DNS:bank.example");
        certificate("client-a", "DNS:a.example");
        certificate("client-b", "DNS:b.example");
        int shop = freePort();
        int bank = freePort();
        anybody = server(shop);
        known = server(bank, file("root.pem"));
        lab.apply("entries", entry("shop", shop) + "---\n" + entry("bank", bank));
    }

    @AfterAll
    static void stop() throws Exception {
        anybody.destroyForcibly().waitFor();
        known.destroyForcibly().waitFor();
        lab.close();
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static String file(String name) {
        return lab.folder().resolve(name).toString();
    }

    private static void openssl(String... words) throws Exception {
        List<String> command = new ArrayList<>(List.of("openssl"));
        command.addAll(List.of(words));
        Command.of(command).ok();
    }

    private static void authority(String name) throws Exception {
        openssl(
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=" + name,
                "-keyout",
                file(name + ".key"),
                "-out",
                file(name + ".pem"));
    }

    private static void certificate(String name, String names) throws Exception {
        Path extensions = Files.writeString(lab.folder().resolve(name + ".ext"), "subjectAltName=" + names + "\n");
        openssl(
                "req",
                "-new",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-subj",
                "/CN=" + name,
                "-keyout",
                file(name + ".key"),
                "-out",
                file(name + ".csr"));
        openssl(
                "x509",
                "-req",
                "-days",
                "2",
                "-in",
                file(name + ".csr"),
                "-CA",
                file("root.pem"),
                "-CAkey",
                file("root.key"),
                "-set_serial",
                Long.toString(System.nanoTime() | 1),
                "-extfile",
                extensions.toString(),
                "-out",
                file(name + ".pem"));
        // The proxy is another user.
        Files.setPosixFilePermissions(Path.of(file(name + ".key")), PosixFilePermissions.fromString("rw-r--r--"));
    }

    private static Process server(int port, String... authorities) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                "python3",
                lab.program("tls_server.py").toString(),
                Integer.toString(port),
                file("server.pem"),
                file("server.key")));
        command.addAll(List.of(authorities));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(new File(file("server-" + port + ".log")))
                .start();
    }

    private static String entry(String name, int port) {
        return """
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: %s, namespace: default}
                spec:
                  hosts: [%s.example]
                  location: MESH_EXTERNAL
                  resolution: STATIC
                  ports: [{number: 80, name: http, protocol: HTTP}]
                  endpoints: [{address: 127.0.0.1, ports: {http: %d}}]
                """.formatted(name, name, port);
    }

    private static void rule(String name, String tls) throws Exception {
        lab.apply("rule-" + name, """
                apiVersion: networking.istio.io/v1
                kind: DestinationRule
                metadata: {name: %s, namespace: default}
                spec:
                  host: %s.example
                  trafficPolicy: {tls: {%s}}
                """.formatted(name, name, tls));
    }

    private static Command.Result curl(String name) throws Exception {
        return lab.in("c", "curl", "-sS", "-m", "10", "-w", "%{http_code}", "http://" + name + ".example/")
                .run();
    }

    /** Soon: connections that were open before a change may have requests left. */
    private static void answers(String name, String expected) throws Exception {
        lab.await("an answer of " + name, Duration.ofSeconds(10), () -> {
            try {
                return curl(name).out().equals(expected + "\n200");
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
    }

    @Test
    void theServerSeesTlsAndOnlyTheRightOneIsSpokenTo() throws Exception {
        rule("shop", "mode: SIMPLE, caCertificates: " + file("root.pem"));
        answers("shop", "tls TLSv1.3 shop.example  shop.example");
        Command.Result explained = lab.tulle("explain", "--from", "c", "--to", "http://shop.example/")
                .run();
        assertTrue(explained.out().contains("TLS to shop.example"), explained.toString());

        rule("shop", "mode: SIMPLE, sni: other.example, caCertificates: " + file("root.pem"));
        Command.Result other = curl("shop");
        assertTrue(other.out().endsWith("503"), other.toString());
        assertTrue(other.out().contains("TLS_error: the certificate is for shop.example"), other.toString());

        rule("shop", "mode: SIMPLE, caCertificates: " + file("stranger.pem"));
        Command.Result strange = curl("shop");
        assertTrue(strange.out().endsWith("503"), strange.toString());
        assertTrue(strange.out().contains("TLS_error: unable to find valid certification path"), strange.toString());
        Command.Result counted = Command.of("curl", "-sS", "http://127.0.0.1:" + lab.port(15090) + "/stats/prometheus")
                .ok();
        assertTrue(
                counted.out()
                        .lines()
                        .anyMatch(line -> line.startsWith("istio_requests_total")
                                && line.contains("shop.example")
                                && line.contains("response_code=\"503\"")
                                && line.contains("response_flags=\"UF")),
                "no request with UF is counted");

        rule("shop", "mode: SIMPLE, insecureSkipVerify: true");
        answers("shop", "tls TLSv1.3 shop.example  shop.example");
    }

    @Test
    void aClientCertificateIsReplaced200TimesUnderLoad() throws Exception {
        replace("client-a");
        rule(
                "bank",
                "mode: MUTUAL, clientCertificate: %s, privateKey: %s, caCertificates: %s"
                        .formatted(file("client.pem"), file("client.key"), file("root.pem")));
        answers("bank", "tls TLSv1.3 bank.example client-a bank.example");
        Process probe = lab.workload(
                "probe",
                List.of(),
                List.of("python3", lab.program("probe.py").toString(), "bank.example", "80", "/", "40"));
        TimeUnit.SECONDS.sleep(2);
        for (int i = 0; i < REPLACEMENTS; i++) {
            replace(i % 2 == 0 ? "client-b" : "client-a");
            // Now and then long enough for it to be taken up, mostly in the middle of that.
            TimeUnit.MILLISECONDS.sleep(i % 10 == 0 ? 900 : 37);
        }
        replace("client-b");
        answers("bank", "tls TLSv1.3 bank.example client-b bank.example");
        probe.destroyForcibly().waitFor();
        List<String> all = Files.readAllLines(Path.of(file("probe.log")));
        assertTrue(all.size() > REPLACEMENTS, all.size() + " requests");
        assertEquals(
                List.of(),
                all.stream()
                        .filter(line -> line.split(" ").length == 4 && !line.contains(" 200 tls"))
                        .toList());

        Files.delete(Path.of(file("client.key")));
        lab.await("it is missed", Duration.ofSeconds(10), () -> logged(file("client.key") + ": there is no such file"));
        assertTrue(curl("bank").out().endsWith("200"), "the last good one stays in force");
    }

    private static boolean logged(String text) {
        try {
            return lab.log().contains(text);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void replace(String by) throws IOException {
        for (String kind : List.of(".pem", ".key")) {
            Path fresh = Files.copy(
                    Path.of(file(by + kind)),
                    Path.of(file("fresh" + kind)),
                    StandardCopyOption.REPLACE_EXISTING,
                    StandardCopyOption.COPY_ATTRIBUTES);
            Files.move(fresh, Path.of(file("client" + kind)), StandardCopyOption.ATOMIC_MOVE);
        }
    }
}
