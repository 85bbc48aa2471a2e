package dev.tulle.control.join;

import dev.tulle.common.pki.SpiffeId;
import java.io.IOException;
import java.security.cert.X509Certificate;
import java.util.List;

/** The mesh's authority, as far as nodes that join need it. Any thread. */
public interface NodeSigner {
    /**
     * Signs a key.
     *
     * @param csr PKCS #10 in DER, of which only the key counts
     * @param identity whose key it is from now on
     * @return its certificate, followed by those of its issuers
     * @throws IOException with a sentence that says what is wrong with the request, or why nothing can be signed
     */
    List<X509Certificate> sign(byte[] csr, SpiffeId identity) throws IOException;

    /** The roots in force, the newest first; never empty. */
    List<X509Certificate> roots();
}
