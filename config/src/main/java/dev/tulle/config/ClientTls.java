package dev.tulle.config;

import dev.tulle.model.ResourceRef;
import dev.tulle.model.UpstreamTls;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The {@code tls} of a DestinationRule's policy: how connections to endpoints are encrypted.
 *
 * @param sni whom to ask for; empty for the service's host
 * @param certificate file with the client's chain; empty for none
 * @param key file with its key; empty for none
 * @param authorities file with those who may have issued the server's certificate; empty for those of the host's system
 * @param secret the Secret that the files' contents are in; empty for none
 * @param names one of which the server's certificate must be for; empty for the one that is asked for
 * @param anyone true to take any certificate
 */
public record ClientTls(
        Mode mode,
        String sni,
        String certificate,
        String key,
        String authorities,
        String secret,
        List<String> names,
        boolean anyone) {
    /** What is done. */
    public enum Mode {
        DISABLE,
        SIMPLE,
        MUTUAL
    }

    /** Where distributions keep the authorities that they trust, most usual first. */
    private static final List<String> SYSTEM = List.of(
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs/ca-bundle.crt",
            "/etc/ssl/ca-bundle.pem",
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
            "/etc/ssl/cert.pem");

    private static final Map<String, Optional<Mode>> MODES = Map.of(
            "DISABLE",
            Optional.of(Mode.DISABLE),
            "SIMPLE",
            Optional.of(Mode.SIMPLE),
            "MUTUAL",
            Optional.of(Mode.MUTUAL),
            "ISTIO_MUTUAL",
            Optional.empty());

    /** What can be asked for: names, and those that Istio's gateways are asked for (outbound_.80_.v1_.host). */
    private static final Pattern SERVER_NAME = Pattern.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?");

    public ClientTls {
        names = List.copyOf(names);
    }

    /** Whether connections are encrypted at all. */
    boolean encrypts() {
        return mode != Mode.DISABLE;
    }

    /** What it means for the endpoints of a service, by a rule. */
    Optional<UpstreamTls> upstream(String hostname, ResourceRef by, Credentials credentials) {
        if (!encrypts()) {
            return Optional.empty();
        }
        if (!secret.isEmpty()) {
            return with(by, credentials).upstream(hostname, by, credentials);
        }
        String asked = sni.isEmpty() ? hostname : sni;
        return Optional.of(
                anyone
                        ? new UpstreamTls(asked, certificate, key, "", List.of())
                        : new UpstreamTls(
                                asked,
                                certificate,
                                key,
                                authorities.isEmpty() ? system() : authorities,
                                names.isEmpty() ? List.of(asked) : names));
    }

    /** The same with files that hold what the Secret does; as long as it holds nothing of the kind, connects fail. */
    private ClientTls with(ResourceRef by, Credentials credentials) {
        Position at = new Position(by.line(), 1, "spec.trafficPolicy.tls.credentialName");
        String missing = credentials.missing(by, secret);
        Credentials.Pair pair = mode == Mode.MUTUAL
                ? credentials.pair(by, secret, at).orElse(new Credentials.Pair(missing, missing))
                : new Credentials.Pair("", "");
        String issuers = anyone ? "" : credentials.authorities(by, secret, at).orElse(missing);
        return new ClientTls(mode, sni, pair.certificate(), pair.key(), issuers, "", names, anyone);
    }

    /** The file of this host's distribution. */
    private static String system() {
        return SYSTEM.stream()
                .filter(file -> Files.exists(Path.of(file)))
                .findFirst()
                .orElse(SYSTEM.get(0));
    }

    static ClientTls decode(Fields tls) {
        Optional<Optional<Mode>> chosen = tls.choice("mode", MODES);
        Mode mode = chosen.orElse(Optional.of(Mode.DISABLE)).orElse(Mode.DISABLE);
        if (chosen.isPresent() && chosen.get().isEmpty()) {
            tls.unsupportedValue("mode", "ISTIO_MUTUAL, which needs workload identity", "DISABLE, SIMPLE or MUTUAL");
        }
        tls.unsupported("caCrl");
        if (mode == Mode.DISABLE) {
            // Without effect in Istio.
            tls.unsupported(
                    "caCertificates",
                    "clientCertificate",
                    "credentialName",
                    "insecureSkipVerify",
                    "privateKey",
                    "sni",
                    "subjectAltNames");
            tls.done();
            return new ClientTls(mode, "", "", "", "", "", List.of(), false);
        }
        if (mode == Mode.SIMPLE) {
            // Without effect in Istio.
            tls.unsupported("clientCertificate", "privateKey");
        }
        boolean anyone = tls.bool("insecureSkipVerify").orElse(false);
        String secret = secret(tls);
        String authorities = tls.string("caCertificates").orElse("");
        boolean system = authorities.isEmpty() || authorities.equals("system");
        List<String> names = names(tls);
        if (anyone && (!authorities.isEmpty() || !names.isEmpty())) {
            tls.error(
                    authorities.isEmpty() ? "subjectAltNames" : "caCertificates",
                    "nothing beside insecureSkipVerify: true",
                    "what a certificate is compared with, where none is looked at");
            anyone = false;
        }
        ClientTls decoded = new ClientTls(
                mode,
                serverName(tls),
                mode == Mode.MUTUAL && secret.isEmpty() ? required(tls, "clientCertificate") : "",
                mode == Mode.MUTUAL && secret.isEmpty() ? required(tls, "privateKey") : "",
                system ? "" : file(tls, "caCertificates", authorities),
                secret,
                names,
                anyone);
        tls.done();
        return decoded;
    }

    /** The name of a Secret; empty for none. */
    private static String secret(Fields tls) {
        String name = tls.string("credentialName").orElse("");
        if (name.isEmpty()) {
            return "";
        }
        for (String field : List.of("clientCertificate", "privateKey", "caCertificates")) {
            if (tls.has(field)) {
                tls.error(field, "credentialName or files", "both of a Secret and of a file");
            }
        }
        if (!Words.isDnsName(name)) {
            tls.unsupportedValue("credentialName", "what is no name of a Secret", "the name of a Secret");
            return "";
        }
        return name;
    }

    private static String serverName(Fields tls) {
        String sni = tls.string("sni").orElse("");
        if (!sni.isEmpty() && !SERVER_NAME.matcher(sni).matches()) {
            tls.unsupportedValue("sni", "a name that is none of DNS", "letters, digits, '-', '_' and '.'");
        }
        return sni;
    }

    private static List<String> names(Fields tls) {
        List<String> names = new ArrayList<>();
        for (String name : tls.strings("subjectAltNames")) {
            if (name.isEmpty()) {
                tls.error("subjectAltNames", "names", "an empty name, which no certificate has");
            } else {
                names.add(name);
            }
        }
        return names;
    }

    private static String required(Fields tls, String field) {
        String file = tls.string(field).orElse("");
        if (file.isEmpty()) {
            tls.error(field, "a file of PEM", "mode MUTUAL without one");
        }
        return file.isEmpty() ? file : file(tls, field, file);
    }

    private static String file(Fields tls, String field, String file) {
        if (!file.startsWith("/")) {
            tls.unsupportedValue(field, "a file named from a folder that is not known", "a path from / on");
        }
        return file;
    }
}
