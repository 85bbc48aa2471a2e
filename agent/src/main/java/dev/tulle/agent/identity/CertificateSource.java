package dev.tulle.agent.identity;

import dev.tulle.common.pki.SpiffeId;
import java.io.IOException;
import java.security.KeyPair;
import java.security.cert.X509Certificate;
import java.util.List;

/** Who signs certificates. Thread-safe. */
@FunctionalInterface
public interface CertificateSource {
    /**
     * Asks for a certificate; blocks, for a bounded time.
     *
     * @param identity of whom
     * @param keys whose public half it is to be for; the private half is used to prove that it is there and goes nowhere
     * @throws IOException with one sentence when there is none: nobody answers, or refuses
     */
    Issued request(SpiffeId identity, KeyPair keys) throws IOException;

    /**
     * What was signed.
     *
     * @param chain the certificate, followed by those of its issuers but the root
     * @param roots whom to trust now
     */
    record Issued(List<X509Certificate> chain, List<X509Certificate> roots) {
        public Issued {
            chain = List.copyOf(chain);
            roots = List.copyOf(roots);
        }
    }
}
