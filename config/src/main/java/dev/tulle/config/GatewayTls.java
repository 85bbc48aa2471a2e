package dev.tulle.config;

import dev.tulle.config.IstioGateway.Protocol;
import dev.tulle.model.EdgeTls;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Decodes {@code tls} of a server of Istio's Gateway. */
final class GatewayTls {
    /** Whether callers need a certificate; empty for modes that cannot be honoured. */
    private static final Map<String, Optional<Boolean>> MODES = modes();

    /** Whether nothing before TLS 1.3 is taken; empty for versions that are not taken at all. */
    private static final Map<String, Optional<Boolean>> OLDEST = Map.of(
            "TLS_AUTO", Optional.of(false),
            "TLSV1_0", Optional.empty(),
            "TLSV1_1", Optional.empty(),
            "TLSV1_2", Optional.of(false),
            "TLSV1_3", Optional.of(true));

    private static final Map<String, Boolean> NEWEST = Map.of(
            "TLS_AUTO", true,
            "TLSV1_0", false,
            "TLSV1_1", false,
            "TLSV1_2", false,
            "TLSV1_3", true);

    private GatewayTls() {}

    private static Map<String, Optional<Boolean>> modes() {
        Map<String, Optional<Boolean>> all = new HashMap<>();
        all.put("SIMPLE", Optional.of(false));
        all.put("MUTUAL", Optional.of(true));
        for (String word : new String[] {"PASSTHROUGH", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"}) {
            all.put(word, Optional.empty());
        }
        return all;
    }

    /** Of a server of HTTPS; empty when it cannot be honoured, which was reported. */
    static Optional<EdgeTls> decode(Fields tls) {
        tls.unsupported(
                "caCertCredentialName",
                "caCrl",
                "cipherSuites",
                "credentialName",
                "credentialNames",
                "subjectAltNames",
                "tlsCertificates",
                "verifyCertificateHash",
                "verifyCertificateSpki");
        boolean elsewhere = tls.has("credentialName") || tls.has("credentialNames") || tls.has("tlsCertificates");
        if (!tls.has("mode")) {
            // Istio's own default.
            tls.unsupportedValue("", "TLS that passes through, which is what no mode means,", "mode: SIMPLE or MUTUAL");
        }
        Optional<Optional<Boolean>> mode = tls.choice("mode", MODES);
        if (mode.isPresent() && mode.get().isEmpty()) {
            tls.unsupportedValue("mode", "this mode", "SIMPLE or MUTUAL");
        }
        boolean mutual = mode.flatMap(known -> known).orElse(false);
        String certificate = elsewhere ? "" : file(tls, "serverCertificate", true);
        String key = elsewhere ? "" : file(tls, "privateKey", true);
        String authorities = file(tls, "caCertificates", mutual && !elsewhere);
        if (!mutual && !authorities.isEmpty()) {
            tls.unsupportedValue("caCertificates", "a trust without mode MUTUAL", "this field to be left out");
        }
        Optional<Optional<Boolean>> oldest = tls.choice("minProtocolVersion", OLDEST);
        if (oldest.isPresent() && oldest.get().isEmpty()) {
            tls.unsupportedValue("minProtocolVersion", "a version before 1.2", "TLSV1_2 or TLSV1_3");
        }
        if (!tls.choice("maxProtocolVersion", NEWEST).orElse(true)) {
            tls.unsupportedValue("maxProtocolVersion", "an end before 1.3", "TLSV1_3 or nothing");
        }
        tls.done();
        return certificate.isEmpty() || key.isEmpty()
                ? Optional.empty()
                : Optional.of(new EdgeTls(
                        certificate,
                        key,
                        authorities,
                        oldest.flatMap(known -> known).orElse(false)));
    }

    /** Of a server of plain text, which may only send callers elsewhere. */
    static void refuse(Fields tls, Protocol protocol) {
        for (String name : tls.names()) {
            if (!name.equals("httpsRedirect") || protocol == Protocol.TCP) {
                tls.error(
                        name,
                        protocol == Protocol.TCP ? "no tls beside protocol TCP" : "httpsRedirect alone",
                        "a server of " + protocol + " has no TLS");
            }
        }
        tls.tolerate(tls.names().toArray(String[]::new));
        tls.done();
    }

    /** A file; empty when there is none, or it cannot be used, which was reported. */
    private static String file(Fields tls, String field, boolean required) {
        String file = tls.string(field).orElse("");
        if (file.isEmpty()) {
            if (required) {
                tls.error(field, "a file of PEM", "this field is required");
            }
            return "";
        }
        if (!file.startsWith("/")) {
            tls.unsupportedValue(field, "a file named from a folder that is not known", "a path from / on");
            return "";
        }
        return file;
    }
}
