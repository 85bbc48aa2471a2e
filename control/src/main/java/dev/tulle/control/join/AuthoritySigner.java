package dev.tulle.control.join;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.identity.authority.CertificateAuthority;
import dev.tulle.identity.authority.RefusedSignatureException;
import dev.tulle.identity.request.CertificateRequest;
import dev.tulle.identity.request.InvalidRequestException;
import java.io.IOException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;

/** The mesh's authority signs for nodes that join. Thread-safe. */
public final class AuthoritySigner implements NodeSigner {
    private final CertificateAuthority authority;

    /** By this authority. */
    public AuthoritySigner(CertificateAuthority authority) {
        this.authority = authority;
    }

    @Override
    public List<X509Certificate> sign(byte[] csr, SpiffeId identity) throws IOException {
        try {
            return authority
                    .sign(
                            CertificateRequest.of(csr),
                            identity,
                            Duration.ZERO,
                            identity.node().orElse(""))
                    .chain();
        } catch (InvalidRequestException | RefusedSignatureException e) {
            throw new IOException(String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public List<X509Certificate> roots() {
        return authority.roots();
    }
}
