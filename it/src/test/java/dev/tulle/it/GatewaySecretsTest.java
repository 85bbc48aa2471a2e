package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Certificates of the gateway from Secrets, which nobody sees, beside TLS that passes through on the same port. */
@Tag("e2e")
class GatewaySecretsTest {
    private static String front(int port) {
        return """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              selector: {istio: ingressgateway}
              servers:
              - port: {number: %1$d, name: shop, protocol: HTTPS}
                hosts: [shop.example.com]
                tls: {mode: SIMPLE, credentialName: shop-cert}
              - port: {number: %1$d, name: pass, protocol: TLS}
                hosts: ["*.example.com"]
                tls: {mode: PASSTHROUGH}
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: pass}
            spec:
              hosts: ["*.example.com"]
              gateways: [front]
              tls:
              - match: [{sniHosts: [pass.example.com]}]
                route: [{destination: {host: vault}}]
            """.formatted(port);
    }

    private static String base64(Path file) throws IOException {
        return Base64.getEncoder().encodeToString(Files.readAllBytes(file));
    }

    private static String secret(Path folder, String certificate, String key) throws IOException {
        return """
            apiVersion: v1
            kind: Secret
            metadata: {name: shop-cert}
            type: kubernetes.io/tls
            data:
              tls.crt: %s
              tls.key: %s
            """.formatted(base64(folder.resolve(certificate + ".pem")), base64(folder.resolve(key + ".key")));
    }

    private static String subject(int port, Path folder) throws Exception {
        String said = Command.of(List.of(
                        "curl",
                        "-sv",
                        "-m",
                        "15",
                        "--cacert",
                        folder.resolve("ca.pem").toString(),
                        "--resolve",
                        "shop.example.com:" + port + ":127.0.0.1",
                        "https://shop.example.com:" + port + "/public/page"))
                .run()
                .err();
        int at = said.indexOf("subject: CN=");
        return at < 0 ? said : said.substring(at + 12, said.indexOf('\n', at)).strip();
    }

    @Test
    void secretsAndTlsThatPassesThrough() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            GatewayTest.serve(lab);
            Path folder = Files.createDirectories(lab.folder().resolve("tls"));
            GatewayTest.issue(folder, "one", "shop.example.com");
            GatewayTest.issue(folder, "two", "shop.example.com");
            GatewayTest.issue(folder, "vault", "pass.example.com");
            lab.workload(
                    "vault",
                    List.of("--service", "vault", "--port", "tls:8443"),
                    List.of(
                            "openssl",
                            "s_server",
                            "-accept",
                            "8443",
                            "-www",
                            "-cert",
                            folder.resolve("vault.pem").toString(),
                            "-key",
                            folder.resolve("vault.key").toString()));
            lab.await("the vault is ready", Duration.ofSeconds(20), () -> {
                try {
                    return lab.tulle("endpoints").run().out().contains("8443");
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
            int port = GatewayTest.freePort();
            lab.apply("shop", GatewayTest.SHOP);
            Command.Result told = lab.apply("front", front(port));
            assertTrue((told.out() + told.err()).contains("TUL0112"), told.toString());
            assertEquals("000 0", GatewayTest.secureCode(port, folder, "shop.example.com"), "no Secret yet");
            // The server's own certificate, which is for this name.
            assertPassed(GatewayTest.secureCode(port, folder, "pass.example.com"));
            assertEquals("000 0", GatewayTest.secureCode(port, folder, "other.example.com"));

            lab.apply("secret", secret(folder, "one", "one"));
            assertEquals("200 2", GatewayTest.secureCode(port, folder, "shop.example.com"));
            assertEquals("one", subject(port, folder));
            isNowhereToBeSeen(lab, base64(folder.resolve("one.key")));
            replacedUnderLoad(lab, folder, port);

            Path file = lab.folder().resolve("broken.yaml");
            Files.writeString(file, secret(folder, "one", "two"));
            Command.Result refused = lab.tulle("apply", "-f", file.toString()).run();
            assertEquals(1, refused.status(), refused.toString());
            assertTrue(
                    (refused.out() + refused.err()).contains("is not that of the certificate for CN=one"),
                    refused.toString());
            assertEquals("200 2", GatewayTest.secureCode(port, folder, "shop.example.com"), "the last good one serves");
            lab.tulle("delete", "secret", "shop-cert").ok();
            assertEquals("000 0", GatewayTest.secureCode(port, folder, "shop.example.com"), "the Secret is gone");
            assertPassed(GatewayTest.secureCode(port, folder, "pass.example.com"));
        }
    }

    /** The vault answers in HTTP/1.0, which curl calls 1 or 1.0. */
    private static void assertPassed(String code) {
        assertTrue(code.equals("200 1") || code.equals("200 1.0"), code);
    }

    private static String listener(int port) {
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              gatewayClassName: tulle
              listeners:
              - name: shop
                port: %d
                protocol: HTTPS
                hostname: shop.example.com
                tls: {certificateRefs: [{name: shop-cert}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: shop}
            spec:
              parentRefs: [{name: front}]
              rules:
              - backendRefs: [{name: web, port: 9080}]
            """.formatted(port);
    }

    @Test
    void aListenerOfGatewayApiHasTheCertificateOfASecret() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            GatewayTest.serve(lab);
            Path folder = Files.createDirectories(lab.folder().resolve("tls"));
            GatewayTest.issue(folder, "one", "shop.example.com");
            GatewayTest.issue(folder, "two", "shop.example.com");
            int port = GatewayTest.freePort();
            Command.Result told = lab.apply("front", listener(port));
            assertTrue((told.out() + told.err()).contains("TUL0112"), told.toString());
            String shown = lab.tulle("get", "gateway").ok().out();
            assertTrue(shown.contains("Accepted, not ResolvedRefs (InvalidCertificateRef: "), shown);
            assertEquals("000 0", GatewayTest.secureCode(port, folder, "shop.example.com"), "no Secret yet");
            for (String name : List.of("one", "two")) {
                lab.apply("secret", secret(folder, name, name));
                assertEquals("200 2", GatewayTest.secureCode(port, folder, "shop.example.com"));
                assertEquals(name, subject(port, folder));
            }
            shown = lab.tulle("get", "gateway").ok().out();
            assertTrue(shown.contains("Accepted, ResolvedRefs, Programmed, 1 attached route"), shown);
            lab.tulle("delete", "secret", "shop-cert").ok();
            assertEquals("000 0", GatewayTest.secureCode(port, folder, "shop.example.com"), "the Secret is gone");
        }
    }

    private static void isNowhereToBeSeen(MeshLab lab, String key) throws Exception {
        String part = key.substring(60, 120);
        String plain = new String(Base64.getDecoder().decode(key), java.nio.charset.StandardCharsets.US_ASCII)
                .lines()
                .skip(1)
                .findFirst()
                .orElseThrow();
        List<Command.Result> shown = List.of(
                lab.tulle("get", "secret", "-o", "yaml").ok(),
                lab.tulle("get", "secret", "-o", "json").ok(),
                lab.tulle("config dump").ok(),
                lab.tulle("config proxy").ok(),
                lab.tulle("status").run());
        for (Command.Result result : shown) {
            String all = result.out() + result.err();
            assertFalse(all.contains(part) || all.contains(plain), all);
        }
        assertFalse(lab.log().contains(part) || lab.log().contains(plain));
        assertEquals(
                "rw-------",
                PosixFilePermissions.toString(
                        Files.getPosixFilePermissions(lab.configDirectory().resolve("secret.default.shop-cert.yaml"))));
        try (Stream<Path> files = Files.walk(lab.folder().resolve("run/secrets"))) {
            for (Path path : files.toList()) {
                assertEquals(
                        Files.isDirectory(path) ? "rwxr-x---" : "rw-r-----",
                        PosixFilePermissions.toString(Files.getPosixFilePermissions(path)),
                        path.toString());
                assertEquals(0, Files.getAttribute(path, "unix:uid"), path.toString());
                assertEquals(15001, Files.getAttribute(path, "unix:gid"), path.toString());
            }
        }
    }

    /** Callers one after the other, each with a connection of its own, while the Secret is replaced. */
    private static void replacedUnderLoad(MeshLab lab, Path folder, int port) throws Exception {
        SecureCallers callers = new SecureCallers(port, folder);
        try (callers) {
            for (int i = 0; i < 6; i++) {
                String name = i % 2 == 0 ? "two" : "one";
                lab.apply("secret", secret(folder, name, name));
                // Apply has ended: whoever comes now is shown this one.
                assertEquals(name, subject(port, folder));
            }
        }
        assertEquals(List.of(), callers.bad());
        assertTrue(callers.good() > 5, callers.good() + " connections");
    }
}
