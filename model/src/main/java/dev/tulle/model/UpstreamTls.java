package dev.tulle.model;

import java.util.List;

/**
 * TLS to the endpoints of a cluster. Files are those of the host on which the proxy runs.
 *
 * @param serverName whom the proxy asks for (SNI); empty to ask for nobody
 * @param certificate file with the chain that the proxy shows a server that asks; empty for none
 * @param key file with its key; empty for none
 * @param authorities file with those who may have issued a server's certificate; empty to take any certificate
 * @param names one of which a server's certificate must be for; empty for any
 */
public record UpstreamTls(String serverName, String certificate, String key, String authorities, List<String> names) {
    /** What a name in a certificate may be. */
    public enum NameKind {
        DNS,
        URI,
        EMAIL,
        ADDRESS
    }

    public UpstreamTls {
        names = List.copyOf(names);
        if (certificate.isEmpty() != key.isEmpty()) {
            throw new IllegalArgumentException("a certificate without its key, or a key without its certificate");
        }
        if (authorities.isEmpty() && !names.isEmpty()) {
            throw new IllegalArgumentException("names, but nobody is trusted to certify them: expected authorities");
        }
    }

    /** What a name is, by its form: only a name of a certificate that is the same kind of thing is compared with it. */
    public static NameKind kindOf(String name) {
        if (name.contains("://")) {
            return NameKind.URI;
        }
        if (name.contains("@")) {
            return NameKind.EMAIL;
        }
        return name.contains(":") || name.matches("[0-9.]+") ? NameKind.ADDRESS : NameKind.DNS;
    }
}
