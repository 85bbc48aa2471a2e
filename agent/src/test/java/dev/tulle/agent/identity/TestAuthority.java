package dev.tulle.agent.identity;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.UnusableCertificateException;
import dev.tulle.identity.authority.AuthorityOptions;
import dev.tulle.identity.authority.CertificateAuthority;
import dev.tulle.identity.authority.IssuedCertificate;
import dev.tulle.identity.authority.RefusedSignatureException;
import dev.tulle.identity.request.CertificateRequest;
import dev.tulle.identity.request.CsrMaker;
import dev.tulle.identity.request.InvalidRequestException;
import java.io.IOException;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** The mesh's own authority without a wire to it; its leaves hold for a minute of its clock. */
final class TestAuthority implements CertificateSource, AutoCloseable {
    /** Whose certificates were asked for, in order. */
    final List<SpiffeId> asked = new CopyOnWriteArrayList<>();

    /** Why none is given; empty when one is. */
    volatile String refusal = "";

    private final CertificateAuthority authority;

    TestAuthority(Path folder, InstantSource clock) throws IOException, UnusableCertificateException {
        authority = CertificateAuthority.open(
                AuthorityOptions.of(folder).withLives(Duration.ofMinutes(1), Duration.ofDays(30)),
                clock,
                new SecureRandom());
    }

    @Override
    public Issued request(SpiffeId identity, KeyPair keys) throws IOException {
        asked.add(identity);
        if (!refusal.isEmpty()) {
            throw new IOException(refusal);
        }
        try {
            IssuedCertificate signed =
                    authority.sign(CertificateRequest.ofPem(CsrMaker.pem(keys)), identity, Duration.ZERO, "n1");
            return new Issued(signed.chain(), signed.roots());
        } catch (InvalidRequestException | RefusedSignatureException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    List<X509Certificate> roots() {
        return authority.roots();
    }

    @Override
    public void close() throws IOException {
        authority.close();
    }
}
