package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tulle.common.LocalApiClient;
import dev.tulle.common.LocalUsers;
import dev.tulle.config.SecretFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Secrets hold as files: whose they are, and that they go when nobody refers to them. */
class SecretFolderTest {
    private static final int PROXIES = 15001;

    @TempDir
    Path directory;

    private static List<Path> below(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.sorted().toList();
        }
    }

    private static void areTheProxies(Path folder) throws IOException {
        for (Path path : below(folder)) {
            assertEquals(
                    Files.isDirectory(path) ? "rwxr-x---" : "rw-r-----",
                    PosixFilePermissions.toString(Files.getPosixFilePermissions(path)),
                    path.toString());
            assertEquals(PROXIES, Files.getAttribute(path, "unix:gid"), path.toString());
        }
    }

    @Test
    void filesAreTheProxiesAloneAndGoWhenNobodyRefersToThem() throws Exception {
        Path folder = directory.resolve("secrets");
        SecretFolder secrets = new SecretFolder(folder, PROXIES);
        SecretFile one = new SecretFile(folder.resolve("default/shop/1.key"), "one");
        SecretFile two = new SecretFile(folder.resolve("default/shop/2.key"), "two");
        secrets.write(List.of(one));
        assertEquals("one", Files.readString(one.file()));
        areTheProxies(folder);
        secrets.write(List.of(two));
        // Who has not heard of the other one yet still finds it.
        assertTrue(Files.exists(one.file()));
        secrets.sweep();
        assertFalse(Files.exists(one.file()));
        assertEquals("two", Files.readString(two.file()));
        secrets.write(List.of());
        secrets.sweep();
        assertFalse(Files.exists(folder));
        assertEquals(two.file().toString(), two + "");
    }

    @Test
    void theControlPlaneWritesWhatIsNamedAndShowsNothing() throws Exception {
        Process openssl = new ProcessBuilder(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
                                + " -days 30 -subj /CN=a -keyout a.key -out a.crt")
                        .split(" ", -1))
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(openssl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, openssl.waitFor(), said);
        String key = Base64.getEncoder().encodeToString(Files.readAllBytes(directory.resolve("a.key")));
        String manifests =
                """
                apiVersion: v1
                kind: Secret
                metadata: {name: shop}
                type: kubernetes.io/tls
                data: {tls.crt: %s, tls.key: %s}
                ---
                apiVersion: networking.istio.io/v1
                kind: Gateway
                metadata: {name: front}
                spec:
                  servers:
                  - port: {number: 443, name: https, protocol: HTTPS}
                    hosts: [shop.example.com]
                    tls: {mode: SIMPLE, credentialName: shop}
                """.formatted(Base64.getEncoder().encodeToString(Files.readAllBytes(directory.resolve("a.crt"))), key);
        ControlOptions options = ControlOptions.of(directory.resolve("state"), directory.resolve("control.sock"))
                .withHttpPort(0)
                .withUsers(new LocalUsers(PROXIES, ""))
                .withTimes(Duration.ofSeconds(30), Duration.ofMillis(100));
        try (ControlPlane plane = ControlPlane.start(options)) {
            plane.directory().apply(manifests, "-");
            Path folder = directory.resolve("secrets");
            for (int i = 0; !plane.servesEdge(); i++) {
                assertTrue(i < 500, "no gateway is served");
                Thread.sleep(20);
            }
            areTheProxies(folder);
            assertEquals(5, below(folder).size(), "two files in two directories");
            for (String question : List.of("get", "config-dump")) {
                JsonObject parameters = new JsonObject();
                parameters.addProperty("kind", "Secret");
                JsonObject request = new JsonObject();
                request.addProperty("method", question);
                request.add("params", parameters);
                try (LocalApiClient client =
                        LocalApiClient.connect(options.places().socket())) {
                    String answer = client.call(request.toString());
                    assertTrue(answer.contains("\"ok\":true") && answer.contains("shop"), answer);
                    assertFalse(answer.contains(key.substring(40, 90)), question);
                }
            }
        }
    }
}
