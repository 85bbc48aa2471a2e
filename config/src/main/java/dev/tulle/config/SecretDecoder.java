package dev.tulle.config;

import dev.tulle.common.pki.Certificates;
import dev.tulle.common.pki.Pem;
import dev.tulle.common.pki.UnusableCertificateException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Decodes the Secrets from which certificates are taken, under the names that Istio knows; every other Secret does not
 * concern the mesh. What is wrong is told by place, kind and expectation, and never repeated.
 */
final class SecretDecoder {
    /** Kubernetes' type for a certificate with its key. */
    private static final String TLS = "kubernetes.io/tls";

    private static final Set<String> OPAQUE = Set.of("", "Opaque", "generic");

    /** Istio's older names and Kubernetes' own, of a certificate and its key. */
    private static final List<List<String>> PAIRS = List.of(List.of("cert", "key"), List.of("tls.crt", "tls.key"));

    private static final List<String> AUTHORITIES = List.of("cacert", "ca.crt");

    /** Lists of revoked certificates: who was trusted with them must not be let in without them. */
    private static final List<String> REVOKED = List.of("ca.crl", "crl");

    private static final Pattern BREAKS = Pattern.compile("[\\r\\n]+");

    private SecretDecoder() {}

    /** True for a Secret that holds something else. */
    static boolean isOther(Tree.Mapping document) {
        String type = document.get("type") instanceof Tree.Scalar scalar ? scalar.text() : "";
        if (type.equals(TLS)) {
            return false;
        }
        boolean pair = PAIRS.stream().anyMatch(names -> names.stream().allMatch(name -> has(document, name)));
        return !OPAQUE.contains(type) || !(pair || AUTHORITIES.stream().anyMatch(name -> has(document, name)));
    }

    private static boolean has(Tree.Mapping document, String name) {
        return List.of("data", "stringData").stream()
                .anyMatch(part -> document.get(part) instanceof Tree.Mapping values && values.get(name) != null);
    }

    static ConfigResource decode(Manifest manifest, Fields document) {
        document.tolerate("immutable");
        String type = document.string("type").orElse("");
        Map<String, String> values = new HashMap<>();
        Map<String, Position> places = new HashMap<>();
        for (String part : List.of("data", "stringData")) {
            document.object(part).ifPresent(fields -> {
                read(fields, part.equals("data"), values, places);
                fields.tolerate(fields.names().toArray(String[]::new));
            });
        }
        Findings findings = document.findings();
        Optional<Secret.Pair> pair = Optional.empty();
        for (List<String> names : PAIRS) {
            String certificate = values.getOrDefault(names.get(0), "");
            String key = values.getOrDefault(names.get(1), "");
            if (pair.isEmpty() && !certificate.isEmpty() && !key.isEmpty()) {
                pair = Optional.of(new Secret.Pair(certificate, key));
                Position at = place(places, names.get(0), document);
                check(
                        findings,
                        at,
                        () -> Certificates.identity(new Pem(names.get(0), certificate), new Pem(names.get(1), key)));
            }
        }
        if (type.equals(TLS) && pair.isEmpty() && !findings.hasErrors()) {
            document.error(
                    "data", "tls.crt and tls.key", "a Secret of type " + TLS + " without a certificate and its key");
        }
        String authorities = "";
        for (String name : AUTHORITIES) {
            String found = values.getOrDefault(name, "");
            if (authorities.isEmpty() && !found.isEmpty()) {
                authorities = found;
                check(findings, place(places, name, document), () -> Certificates.authorities(new Pem(name, found)));
            }
        }
        return new Secret(manifest, pair, authorities);
    }

    private static Position place(Map<String, Position> places, String name, Fields document) {
        return places.getOrDefault(name, document.position("data"));
    }

    private static void read(Fields fields, boolean encoded, Map<String, String> values, Map<String, Position> places) {
        for (Tree.Entry entry : fields.node().entries()) {
            String name = entry.key().text();
            Position at = fields.position(name);
            if (REVOKED.contains(name)) {
                error(
                        fields.findings(),
                        at,
                        "no " + name,
                        "a list of revoked certificates" + FieldReader.NOT_SUPPORTED);
                continue;
            }
            if (!AUTHORITIES.contains(name) && PAIRS.stream().noneMatch(names -> names.contains(name))) {
                continue;
            }
            if (!(entry.value() instanceof Tree.Scalar scalar)
                    || (scalar.type() != Tree.ScalarType.STRING && scalar.type() != Tree.ScalarType.NULL)) {
                error(fields.findings(), at, "a string", "wrong type, which is not shown");
                continue;
            }
            String text = scalar.type() == Tree.ScalarType.NULL ? "" : scalar.text();
            places.put(name, at);
            values.put(name, encoded ? decoded(fields.findings(), at, text) : text);
        }
    }

    private static String decoded(Findings findings, Position at, String text) {
        String expected = "base64 of PEM here, or the PEM itself under stringData";
        if (text.stripLeading().startsWith("-----BEGIN")) {
            error(findings, at, expected, "PEM as it is");
            return "";
        }
        String joined = BREAKS.matcher(text).replaceAll("");
        try {
            return new String(Base64.getDecoder().decode(joined), StandardCharsets.ISO_8859_1);
        } catch (IllegalArgumentException e) {
            int wrong = 0;
            while (wrong < joined.length() && isBase64(joined.charAt(wrong))) {
                wrong++;
            }
            error(
                    findings,
                    at,
                    expected,
                    wrong < joined.length()
                            ? "no base64: of its " + joined.length() + " characters number " + (wrong + 1)
                                    + " is none of those that it is made of"
                            : "no base64: its " + joined.length() + " characters end too early");
            return "";
        }
    }

    private static boolean isBase64(char c) {
        return (c >= 'a' && c <= 'z')
                || (c >= 'A' && c <= 'Z')
                || (c >= '0' && c <= '9')
                || c == '+'
                || c == '/'
                || c == '=';
    }

    /** Reads certificates. */
    @FunctionalInterface
    private interface Check {
        Object read() throws UnusableCertificateException;
    }

    private static void check(Findings findings, Position at, Check check) {
        try {
            var _ = check.read();
        } catch (UnusableCertificateException e) {
            error(
                    findings,
                    at,
                    "a certificate, its issuers after it, and its key, or authorities, as PEM",
                    String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            // The JDK's own about bytes that it does not expect; what it says may repeat them.
            error(findings, at, "a certificate and its key, or authorities, as PEM", "what is in it cannot be read");
        }
    }

    private static void error(Findings findings, Position at, String expected, String message) {
        findings.error(at.line(), at.column(), at.field(), "", expected, message);
    }
}
