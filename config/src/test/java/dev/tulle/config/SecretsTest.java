package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.EdgeTls;
import dev.tulle.model.Listener;
import dev.tulle.model.UpstreamTls;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Secrets with certificates: what is taken of them, that nothing shows them, and who is told of what. */
class SecretsTest {
    @TempDir
    static Path folder;

    private static String certificate;
    private static String key;
    private static String other;

    @BeforeAll
    static void make() throws Exception {
        for (String name : List.of("a", "b")) {
            Process openssl = new ProcessBuilder(
                            ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN="
                                            + name + " -keyout " + name + ".key -out " + name + ".crt")
                                    .split(" ", -1))
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .start();
            String said = new String(openssl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(0, openssl.waitFor(), said);
        }
        certificate = Files.readString(folder.resolve("a.crt"));
        key = Files.readString(folder.resolve("a.key"));
        other = Files.readString(folder.resolve("b.key"));
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String secret(String name, String type, String... values) {
        StringBuilder text = new StringBuilder(
                "apiVersion: v1\nkind: Secret\nmetadata: {name: " + name + "}\ntype: " + type + "\ndata:\n");
        for (int i = 0; i < values.length; i += 2) {
            text.append("  ")
                    .append(values[i])
                    .append(": ")
                    .append(values[i + 1])
                    .append('\n');
        }
        return text.toString();
    }

    private static String shop() {
        return secret("shop", "kubernetes.io/tls", "tls.crt", base64(certificate), "tls.key", base64(key));
    }

    private static String gateway(String mode) {
        return """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: front}
            spec: {servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: [shop.example.com],
              tls: {mode: %s, credentialName: shop}}]}
            """.formatted(mode);
    }

    private static Translation translate(String... texts) {
        return Fixtures.translate(List.of(), texts);
    }

    private static Listener.Target.Chain chain(Translation translation) {
        Listener edge = Optional.ofNullable(translation.state().listeners().get(Listener.EDGE))
                .orElseThrow();
        return ((Listener.Target.Edge) edge.target()).chains().getFirst();
    }

    private static List<String> codes(Translation translation) {
        return translation.problems().stream().map(Problem::code).toList();
    }

    private static Map<String, String> files(Translation translation) {
        return translation.secrets().stream()
                .collect(java.util.stream.Collectors.toMap(file -> file.file().toString(), SecretFile::content));
    }

    @Test
    void whatAGatewayNamesBecomesFilesAndNothingElseDoes() {
        String unused = shop().replace("name: shop", "name: unused");
        Translation translation = translate(shop(), unused, gateway("SIMPLE"));
        EdgeTls tls = chain(translation).tls().orElseThrow();
        assertTrue(tls.certificate().startsWith("/run/tulle/secrets/default/shop/"), tls.certificate());
        assertEquals(Map.of(tls.certificate(), certificate, tls.key(), key), files(translation));
        assertEquals(List.of(), codes(translation));
        assertFalse(translation.toString().contains("PRIVATE KEY"));
        assertFalse(translation.toString().contains(base64(key)));
        // Istio's older names, and text as it is.
        String generic = "apiVersion: v1\nkind: Secret\nmetadata: {name: shop}\nstringData:\n  cert: |\n"
                + certificate.indent(4) + "  key: |\n" + key.indent(4);
        assertEquals(tls, chain(translate(generic, gateway("SIMPLE"))).tls().orElseThrow());
    }

    @Test
    void authoritiesAreOfTheSecretOrOfItsCompanion() {
        Translation none = translate(shop(), gateway("MUTUAL"));
        assertEquals(List.of("TUL0112"), codes(none));
        assertTrue(chain(none).passes() && chain(none).target().equals(new Listener.Target.Tcp(List.of())));
        String companion = secret("shop-cacert", "Opaque", "cacert", base64(certificate));
        Translation beside = translate(shop(), companion, gateway("MUTUAL"));
        String authorities = chain(beside).tls().orElseThrow().authorities();
        assertEquals(certificate, files(beside).get(authorities));
        Translation within = translate(shop() + "  ca.crt: " + base64(certificate) + "\n", gateway("MUTUAL"));
        assertEquals(
                certificate, files(within).get(chain(within).tls().orElseThrow().authorities()));
    }

    @Test
    void aMissingSecretIsSaidAndItsHostsAreNobodys() {
        Translation translation = translate(gateway("SIMPLE"));
        assertEquals(List.of("TUL0112"), codes(translation));
        Listener.Target.Chain chain = chain(translation);
        assertEquals(List.of("shop.example.com"), chain.serverNames());
        assertTrue(chain.passes());
        assertEquals(new Listener.Target.Tcp(List.of()), chain.target());
        String root = shop().replace("name: shop", "name: shop, namespace: istio-system");
        assertEquals(List.of(), codes(translate(root, gateway("SIMPLE"))));
    }

    @Test
    void anotherContentIsAnotherFileAndTheSameChain() throws IOException {
        String next = secret(
                "shop",
                "kubernetes.io/tls",
                "tls.crt",
                base64(Files.readString(folder.resolve("b.crt"))),
                "tls.key",
                base64(other));
        Listener.Target.Chain before = chain(translate(shop(), gateway("SIMPLE")));
        Listener.Target.Chain after = chain(translate(next, gateway("SIMPLE")));
        assertEquals(before.name(), after.name());
        assertNotEquals(before.tls(), after.tls());
    }

    @Test
    void endpointsAreSpokenToWithASecret() {
        String rule = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: r}
            spec: {host: reviews, trafficPolicy: {tls: {mode: MUTUAL, credentialName: shop}}}
            """;
        String service = Fixtures.bookinfo("services.yaml");
        String whole = shop() + "  ca.crt: " + base64(certificate) + "\n";
        for (String given : List.of(whole, "")) {
            Translation translation = translate(Stream.of(service, rule, given)
                    .filter(text -> !text.isEmpty())
                    .toArray(String[]::new));
            UpstreamTls tls = translation.state().clusters().values().stream()
                    .filter(cluster -> cluster.hostname().startsWith("reviews."))
                    .findFirst()
                    .flatMap(cluster -> cluster.tls())
                    .orElseThrow();
            if (given.isEmpty()) {
                assertEquals("/run/tulle/secrets/default/shop/missing", tls.key());
                assertTrue(
                        codes(translation).contains("TUL0112"),
                        codes(translation).toString());
            } else {
                assertEquals(key, files(translation).get(tls.key()));
                assertEquals(certificate, files(translation).get(tls.authorities()));
            }
        }
    }

    private static String secure(String name, String hostname, String reference) {
        return ApiEdge.listener(
                name,
                443,
                "HTTPS",
                (hostname.isEmpty() ? "" : "hostname: " + hostname + ", ") + "tls: {certificateRefs: [{" + reference
                        + "}]}");
    }

    private static List<String> reasons(List<GatewayStatus.Condition> conditions) {
        return conditions.stream().map(GatewayStatus.Condition::reason).toList();
    }

    @Test
    void aListenerOfGatewayApiHasTheCertificateOfASecret() {
        String gateway = ApiEdge.gateway("name: front", secure("https", "shop.example.com", "name: shop"));
        String route = ApiEdge.route("name: r", "{name: front}", "", "a");
        Translation translation = translate(shop(), gateway);
        EdgeTls tls = chain(translation).tls().orElseThrow();
        assertEquals(Map.of(tls.certificate(), certificate, tls.key(), key), files(translation));
        assertEquals(List.of(), codes(translation));
        ApiEdge edge = new ApiEdge(shop(), gateway, route);
        assertEquals("a", edge.answer(443, "shop.example.com", ApiEdge.Asked.of("shop.example.com", "/")));
        assertEquals(List.of(), edge.warnings());
        GatewayStatus.ListenerStatus status =
                edge.status(Kinds.API_GATEWAY, "front").listeners().getFirst();
        assertTrue(status.conditions().stream().allMatch(GatewayStatus.Condition::status), status.toString());
    }

    @Test
    void aListenerOfGatewayApiWithoutItsSecretIsNobodysAndSaysSo() {
        String root = shop().replace("name: shop", "name: shop, namespace: istio-system");
        ApiEdge edge = new ApiEdge(
                root,
                shop().replace("name: shop", "name: all"),
                ApiEdge.gateway(
                        "name: front",
                        secure("https", "shop.example.com", "name: shop"),
                        secure("all", "", "name: all")),
                ApiEdge.gateway(
                        "name: alone", ApiEdge.listener("https", 444, "HTTPS", "tls: {certificateRefs: [{name: no}]}")),
                ApiEdge.route("name: r", "{name: front}", "", "a"));
        // Istio's root namespaces are Istio's.
        assertEquals(List.of("TUL0112", "TUL0112"), edge.warnings());
        assertEquals(
                List.of(443, 443),
                edge.chains().stream().map(Listener.Target.Chain::port).toList());
        Listener.Target.Chain nobodys = edge.chain(443, "shop.example.com");
        assertTrue(nobodys.passes(), "what another listener has for everybody is not for it");
        assertEquals(new Listener.Target.Tcp(List.of()), nobodys.target());
        assertEquals("a", edge.answer(443, "x.org", ApiEdge.Asked.of("x.org", "/")));
        assertEquals("421", edge.answer(443, "x.org", ApiEdge.Asked.of("shop.example.com", "/")));
        GatewayStatus front = edge.status(Kinds.API_GATEWAY, "front");
        assertEquals(List.of("Accepted", "Programmed"), reasons(front.conditions()));
        assertEquals(
                List.of("Accepted", "InvalidCertificateRef", "Invalid"),
                reasons(front.listeners().getFirst().conditions()));
        assertEquals(
                List.of("Accepted", "ResolvedRefs", "Programmed"),
                reasons(front.listeners().getLast().conditions()));
        assertEquals(
                List.of("Accepted", "Invalid"),
                reasons(edge.status(Kinds.API_GATEWAY, "alone").conditions()));
    }

    @ParameterizedTest
    @CsvSource({
        "other, Gateway, default, Secret, true",
        "other, Gateway, default, 'Secret, name: shop', true",
        "other, Gateway, default, 'Secret, name: another', false",
        "other, Gateway, default, Service, false",
        "other, ListenerSet, default, Secret, false",
        "other, Gateway, third, Secret, false",
        "default, Gateway, default, Secret, false",
    })
    void aSecretOfAnotherNamespaceNeedsAGrant(String in, String kind, String from, String to, boolean granted) {
        ApiEdge edge = new ApiEdge(
                shop().replace("name: shop", "name: shop, namespace: other"),
                ApiEdge.grant(in, kind, from, to),
                ApiEdge.gateway("name: front", secure("https", "shop.example.com", "name: shop, namespace: other")));
        assertEquals(granted ? List.of() : List.of("TUL0123"), edge.warnings());
        assertEquals(granted, edge.chains().getFirst().tls().isPresent());
        assertEquals(
                List.of("Accepted", granted ? "ResolvedRefs" : "RefNotPermitted", granted ? "Programmed" : "Invalid"),
                reasons(edge.status(Kinds.API_GATEWAY, "front")
                        .listeners()
                        .getFirst()
                        .conditions()));
    }

    @Test
    void aListenerSetAsksForASecretInItsOwnName() {
        String secret = shop().replace("name: shop", "name: shop, namespace: other");
        String set = ApiEdge.object(
                "ListenerSet",
                "name: more",
                "parentRef: {name: front}, listeners: ["
                        + secure("https", "shop.example.com", "name: shop, namespace: other") + "]");
        String gateway = ApiEdge.gateway("name: front", ApiEdge.listener("http", 80, "HTTP", ""));
        for (String kind : List.of("ListenerSet", "Gateway")) {
            ApiEdge edge = new ApiEdge(secret, gateway, set, ApiEdge.grant("other", kind, "default", "Secret"));
            boolean granted = kind.equals("ListenerSet");
            assertEquals(granted ? List.of() : List.of("TUL0123"), edge.warnings(), kind);
            assertEquals(granted, edge.chain(443, "shop.example.com").tls().isPresent(), kind);
        }
    }

    /** What is wrong with a text, which must not repeat it. */
    private static String wrong(String text, String... secrets) {
        ParsedManifest parsed = new ManifestParser().parse("s.yaml", text);
        String said = parsed.problems().toString();
        for (String secret : secrets) {
            for (int at = 0; at + 12 <= secret.length(); at += 7) {
                assertFalse(said.contains(secret.substring(at, at + 12)), said);
            }
        }
        assertFalse(parsed.isClean(), text);
        return said;
    }

    @Test
    void whatIsWrongIsToldWithoutTheSecret() {
        String encoded = base64(key);
        assertTrue(wrong(
                        secret("s", "kubernetes.io/tls", "tls.crt", base64(certificate), "tls.key", encoded + "%"),
                        encoded)
                .contains("data.tls.key: no base64: of its " + (encoded.length() + 1) + " characters number "
                        + (encoded.length() + 1) + " is none"));
        String mixed = secret("s", "kubernetes.io/tls", "tls.crt", base64(certificate), "tls.key", base64(other));
        assertTrue(wrong(mixed, base64(other), other).contains("is not that of the certificate for CN=a"));
        String plain = "'" + key.lines().findFirst().orElseThrow() + " x'";
        assertTrue(wrong(secret("s", "Opaque", "cert", base64(certificate), "key", plain), key.substring(30))
                .contains("stringData"));
        wrong(secret("s", "kubernetes.io/tls", "tls.crt", base64(certificate)));
        assertTrue(wrong(secret("s", "Opaque", "cacert", base64("nothing"))).contains("no PEM at all"));
        assertTrue(wrong(shop() + "  ca.crl: " + base64("x") + "\n").contains("not supported"));
        assertTrue(wrong(secret("s", "kubernetes.io/tls", "tls.crt", "[1]", "tls.key", "5"))
                .contains("not shown"));
        // Somebody applies the key itself.
        assertTrue(wrong(key, key.substring(30)).contains("a private key"));
        // Or what belongs into the Secret, or forgets the name of the value.
        assertTrue(wrong(encoded, encoded).contains("PEM in base64"));
        String unnamed = secret("s", "kubernetes.io/tls").strip() + " " + encoded;
        assertTrue(wrong(unnamed, encoded).contains("PEM in base64"));
    }

    @Test
    void otherSecretsDoNotConcernTheMesh() {
        for (String text : List.of(
                secret("s", "Opaque", "password", base64("x")),
                secret("s", "Opaque", "key", base64("an API's")),
                secret("s", "kubernetes.io/service-account-token", "ca.crt", base64("x")))) {
            ParsedManifest parsed = new ManifestParser().parse("s.yaml", text);
            assertTrue(parsed.isClean(), parsed.problems().toString());
            assertEquals(List.of(), parsed.resources());
        }
    }

    @Test
    void itIsShownWithoutItsValues() {
        String applied = shop().replace(
                        "{name: shop}",
                        "{name: shop, annotations: {kubectl.kubernetes.io/last-applied-configuration: '" + base64(key)
                                + "'}}");
        ConfigResource secret = Fixtures.snapshot(applied).resources().getFirst();
        String shown = YamlWriter.write(secret.shown());
        assertFalse(shown.contains(base64(key)) || shown.contains(base64(certificate)), shown);
        assertTrue(shown.contains("tls.key: \"(not shown: " + base64(key).length() + " characters)\""), shown);
        assertEquals("Secret default/shop (test.yaml:1)", secret + "");
    }

    @Test
    void whatIsAppliedIsReadableByItsOwnerAlone() throws Exception {
        Path dir = Files.createDirectory(folder.resolve("config"));
        try (ConfigDirectory directory = ConfigDirectory.open(ConfigDirectoryOptions.of(dir))) {
            directory.apply(shop() + "---\n" + gateway("SIMPLE"), "stdin");
            Path file = dir.resolve("secret.default.shop.yaml");
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
            assertEquals(
                    "rw-r--r--",
                    PosixFilePermissions.toString(
                            Files.getPosixFilePermissions(dir.resolve("gateway.default.front.yaml"))));
            assertEquals(List.of(), directory.snapshot().problems());
            // One that somebody put there.
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
            for (int i = 0; directory.snapshot().problems().isEmpty(); i++) {
                assertTrue(i < 500, "nobody is told that everybody may read it");
                Thread.sleep(20);
            }
            assertEquals("TUL0113", directory.snapshot().problems().getFirst().code());
            directory.apply(shop(), "stdin");
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
            // A broken one leaves the good one in force.
            ApplyResult refused = directory.apply(shop().replace(base64(key), base64(other)), "stdin");
            assertTrue(refused.problems().toString().contains("is not that of the certificate"));
            Secret inForce = (Secret) directory.snapshot().resources().stream()
                    .filter(Secret.class::isInstance)
                    .findFirst()
                    .orElseThrow();
            assertEquals(key, inForce.pair().orElseThrow().key());
        }
    }
}
