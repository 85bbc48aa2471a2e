package dev.tulle.config;

import dev.tulle.config.IstioGateway.Protocol;
import dev.tulle.model.EdgeTls;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Decodes {@code tls} of a server of Istio's Gateway. */
final class GatewayTls {
    /** What of it can be honoured. */
    private enum Mode {
        SIMPLE,
        MUTUAL,
        PASSTHROUGH,
        OTHER
    }

    private static final Map<String, Mode> MODES = Map.of(
            "SIMPLE", Mode.SIMPLE,
            "MUTUAL", Mode.MUTUAL,
            "PASSTHROUGH", Mode.PASSTHROUGH,
            "AUTO_PASSTHROUGH", Mode.OTHER,
            "ISTIO_MUTUAL", Mode.OTHER,
            "OPTIONAL_MUTUAL", Mode.OTHER);

    /** What says how TLS ends, and has no meaning where it passes through. */
    private static final List<String> OF_ENDING = List.of(
            "caCertificates",
            "credentialName",
            "maxProtocolVersion",
            "minProtocolVersion",
            "privateKey",
            "serverCertificate");

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

    /** Of a server of HTTPS or TLS; empty when it cannot be honoured, which was reported. */
    static Optional<ServerTls> decode(Fields tls) {
        tls.unsupported(
                "caCertCredentialName",
                "caCrl",
                "cipherSuites",
                "credentialNames",
                "subjectAltNames",
                "tlsCertificates",
                "verifyCertificateHash",
                "verifyCertificateSpki");
        // Istio's own default.
        Optional<Mode> chosen = tls.has("mode") ? tls.choice("mode", MODES) : Optional.of(Mode.PASSTHROUGH);
        if (chosen.isEmpty() || chosen.get() == Mode.OTHER) {
            if (chosen.isPresent()) {
                tls.unsupportedValue("mode", "this mode", "SIMPLE, MUTUAL or PASSTHROUGH");
            }
            tls.tolerate(OF_ENDING.toArray(String[]::new));
            tls.done();
            return Optional.empty();
        }
        if (chosen.get() == Mode.PASSTHROUGH) {
            return passing(tls);
        }
        boolean mutual = chosen.get() == Mode.MUTUAL;
        String secret = tls.string("credentialName").orElse("");
        Optional<ServerTls> decoded = secret.isEmpty() ? files(tls, mutual) : named(tls, secret, mutual);
        tls.done();
        return decoded;
    }

    private static Optional<ServerTls> passing(Fields tls) {
        for (String field : OF_ENDING) {
            if (tls.has(field)) {
                tls.unsupportedValue(
                        field,
                        tls.has("mode")
                                ? "what has no effect where TLS passes through"
                                : "what has no effect where TLS passes through, which is what no mode means,",
                        tls.has("mode") ? "nothing beside PASSTHROUGH" : "mode: SIMPLE or MUTUAL beside it");
            }
        }
        tls.done();
        return Optional.of(new ServerTls.Passing());
    }

    private static Optional<ServerTls> files(Fields tls, boolean mutual) {
        String certificate = file(tls, "serverCertificate", !tls.has("credentialNames") && !tls.has("tlsCertificates"));
        String key = file(tls, "privateKey", !certificate.isEmpty());
        String authorities = file(tls, "caCertificates", mutual && !certificate.isEmpty());
        if (!mutual && !authorities.isEmpty()) {
            tls.unsupportedValue("caCertificates", "a trust without mode MUTUAL", "this field to be left out");
        }
        boolean onlyNewest = onlyNewest(tls);
        return certificate.isEmpty() || key.isEmpty()
                ? Optional.empty()
                : Optional.of(new ServerTls.Files(new EdgeTls(certificate, key, authorities, onlyNewest)));
    }

    private static Optional<ServerTls> named(Fields tls, String secret, boolean mutual) {
        for (String field : List.of("serverCertificate", "privateKey", "caCertificates")) {
            if (tls.has(field)) {
                tls.error(field, "credentialName or files", "both of a Secret and of a file");
            }
        }
        boolean right = Words.isDnsName(secret);
        if (!right) {
            tls.unsupportedValue("credentialName", "what is no name of a Secret", "the name of a Secret");
        }
        boolean onlyNewest = onlyNewest(tls);
        return right
                ? Optional.of(new ServerTls.Named(secret, mutual, onlyNewest, tls.position("credentialName")))
                : Optional.empty();
    }

    private static boolean onlyNewest(Fields tls) {
        Optional<Optional<Boolean>> oldest = tls.choice("minProtocolVersion", OLDEST);
        if (oldest.isPresent() && oldest.get().isEmpty()) {
            tls.unsupportedValue("minProtocolVersion", "a version before 1.2", "TLSV1_2 or TLSV1_3");
        }
        if (!tls.choice("maxProtocolVersion", NEWEST).orElse(true)) {
            tls.unsupportedValue("maxProtocolVersion", "an end before 1.3", "TLSV1_3 or nothing");
        }
        return oldest.flatMap(known -> known).orElse(false);
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
