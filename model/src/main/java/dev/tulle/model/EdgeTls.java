package dev.tulle.model;

import java.util.List;

/**
 * TLS of callers at the mesh's edge. Files are those of the host on which the gateway runs.
 *
 * @param certificate file with the chain that is shown
 * @param key file with its key
 * @param authorities file with those who may have issued a caller's certificate, which it then must have; empty to ask for
 *     none
 * @param onlyNewest true to take TLS 1.3 only
 * @param offered protocols for ALPN, best first: {@link #REQUESTS}, or none where what is inside is bytes
 */
public record EdgeTls(String certificate, String key, String authorities, boolean onlyNewest, List<String> offered) {
    /** What the edge speaks where it reads requests. */
    public static final List<String> REQUESTS = List.of("h2", "http/1.1");

    public EdgeTls {
        offered = List.copyOf(offered);
        if (certificate.isEmpty() || key.isEmpty()) {
            throw new IllegalArgumentException("TLS without a certificate and its key");
        }
    }

    /** For requests. */
    public EdgeTls(String certificate, String key, String authorities, boolean onlyNewest) {
        this(certificate, key, authorities, onlyNewest, REQUESTS);
    }

    /** The same where what is inside is bytes: what a caller offers is answered by nobody here. */
    public EdgeTls forBytes() {
        return new EdgeTls(certificate, key, authorities, onlyNewest, List.of());
    }
}
