package dev.tulle.control.join;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.identity.request.CsrMaker;
import dev.tulle.xds.NodeTls;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.KeyPair;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The control plane's own certificate, as nodes see it: in memory, made anew at half of its time, shown with its root, by
 * which a node that joins knows it. Thread-safe.
 */
public final class OwnCertificate implements NodeTls {
    private static final System.Logger LOG = System.getLogger(OwnCertificate.class.getName());

    private final NodeSigner signer;
    private final SpiffeId identity;
    private final InstantSource clock;
    private @Nullable TlsIdentity current;
    private Instant renewal = Instant.EPOCH;

    /** None yet. */
    public OwnCertificate(NodeSigner signer, String trustDomain, InstantSource clock) {
        this.signer = signer;
        this.identity = SpiffeId.control(trustDomain);
        this.clock = clock;
    }

    @Override
    public synchronized TlsIdentity identity() {
        TlsIdentity known = current;
        Instant now = clock.instant();
        if (known != null && now.isBefore(renewal)) {
            return known;
        }
        try {
            TlsIdentity made = make();
            current = made;
            Instant end = made.certificate().getNotAfter().toInstant();
            renewal = now.plus(Duration.between(now, end).dividedBy(2));
            return made;
        } catch (IOException e) {
            if (known == null) {
                throw new UncheckedIOException("the control plane has no certificate for nodes: " + e.getMessage(), e);
            }
            LOG.log(System.Logger.Level.WARNING, "the certificate for nodes is not renewed: " + e.getMessage());
            return known;
        }
    }

    private TlsIdentity make() throws IOException {
        KeyPair key = CsrMaker.newKey();
        List<X509Certificate> chain = new ArrayList<>(signer.sign(CsrMaker.der(key), identity));
        // All of them: a token may name either while one takes the place of the other.
        chain.addAll(signer.roots());
        return new TlsIdentity(chain, key.getPrivate(), "the control plane");
    }

    @Override
    public List<X509Certificate> roots() {
        return signer.roots();
    }
}
