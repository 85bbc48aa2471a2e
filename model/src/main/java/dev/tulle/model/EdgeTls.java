package dev.tulle.model;

/**
 * TLS of callers at the mesh's edge. Files are those of the host on which the gateway runs.
 *
 * @param certificate file with the chain that is shown
 * @param key file with its key
 * @param authorities file with those who may have issued a caller's certificate, which it then must have; empty to ask for
 *     none
 * @param onlyNewest true to take TLS 1.3 only
 */
public record EdgeTls(String certificate, String key, String authorities, boolean onlyNewest) {
    public EdgeTls {
        if (certificate.isEmpty() || key.isEmpty()) {
            throw new IllegalArgumentException("TLS without a certificate and its key");
        }
    }
}
