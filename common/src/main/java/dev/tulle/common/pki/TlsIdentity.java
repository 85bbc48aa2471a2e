package dev.tulle.common.pki;

import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;

/**
 * What one side of a connection proves with who it is.
 *
 * @param chain its certificate, followed by those of its issuers; never empty
 * @param key of the first certificate
 * @param source the files that it came from, for people
 */
public record TlsIdentity(List<X509Certificate> chain, PrivateKey key, String source) {
    public TlsIdentity {
        chain = List.copyOf(chain);
        if (chain.isEmpty()) {
            throw new IllegalArgumentException(source + ": a chain without a certificate");
        }
    }

    /** Of this side itself. */
    public X509Certificate certificate() {
        return chain.get(0);
    }

    /** Without the key. */
    @Override
    public String toString() {
        return source + " (" + certificate().getSubjectX500Principal().getName() + ")";
    }
}
