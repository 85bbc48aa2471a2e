package dev.tulle.agent.identity;

import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.model.Secret;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Certificates and keys as SDS has them. Stateless. */
final class SecretTexts {
    private static final Base64.Encoder LINES = Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII));

    private SecretTexts() {}

    /** Everything that there is, by the names that it is asked for by. */
    static Map<String, Secret> of(Identities.Snapshot snapshot) {
        Map<String, Secret> all = new HashMap<>();
        snapshot.certificates().forEach((identity, tls) -> all.put(identity.toString(), of(identity.toString(), tls)));
        if (!snapshot.roots().isEmpty()) {
            all.put(Secret.ROOTS, new Secret.TrustedRoots(Secret.ROOTS, chain(snapshot.roots())));
        }
        return all;
    }

    private static Secret of(String name, TlsIdentity tls) {
        return new Secret.IdentityCertificate(
                name, chain(tls.chain()), block("PRIVATE KEY", tls.key().getEncoded()));
    }

    private static String chain(List<X509Certificate> certificates) {
        StringBuilder text = new StringBuilder();
        try {
            for (X509Certificate certificate : certificates) {
                text.append(block("CERTIFICATE", certificate.getEncoded()));
            }
        } catch (CertificateEncodingException e) {
            throw new IllegalStateException("a certificate that was read cannot be written", e);
        }
        return text.toString();
    }

    private static String block(String label, byte[] der) {
        return "-----BEGIN " + label + "-----\n" + LINES.encodeToString(der) + "\n-----END " + label + "-----\n";
    }
}
