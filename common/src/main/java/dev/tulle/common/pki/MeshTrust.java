package dev.tulle.common.pki;

import java.security.GeneralSecurityException;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * Believes certificates that the mesh's roots vouch for and whose SPIFFE identity is one that is expected; names of hosts
 * count for nothing. The roots are asked for in each handshake. Thread-safe.
 */
public final class MeshTrust extends ShownTrust {
    private final Supplier<List<X509Certificate>> roots;
    private final Predicate<SpiffeId> expected;

    /**
     * For one end.
     *
     * @param roots those in force
     * @param expected says whether a peer with this identity is one to speak with
     */
    public MeshTrust(Supplier<List<X509Certificate>> roots, Predicate<SpiffeId> expected) {
        this.roots = roots;
        this.expected = expected;
    }

    @Override
    protected void check(X509Certificate[] chain) throws CertificateException {
        check(chain, roots.get(), expected);
    }

    /**
     * Says whether a chain is one to believe.
     *
     * @param shown the peer's certificate first
     * @param trusted roots
     * @throws CertificateException with a sentence that says why not
     */
    public static void check(X509Certificate[] shown, List<X509Certificate> trusted, Predicate<SpiffeId> expected)
            throws CertificateException {
        if (shown.length == 0) {
            throw new CertificateException("no certificate was shown");
        }
        if (trusted.isEmpty()) {
            throw new CertificateException("no root is trusted");
        }
        Set<TrustAnchor> anchors = new HashSet<>();
        trusted.forEach(root -> anchors.add(new TrustAnchor(root, null)));
        List<X509Certificate> chain = Arrays.stream(shown)
                .filter(certificate -> !trusted.contains(certificate))
                .toList();
        String subject =
                "the certificate for '" + shown[0].getSubjectX500Principal().getName() + "'";
        try {
            CertPath path = CertificateFactory.getInstance("X.509").generateCertPath(chain);
            PKIXParameters parameters = new PKIXParameters(anchors);
            parameters.setRevocationEnabled(false);
            CertPathValidator.getInstance("PKIX").validate(path, parameters);
        } catch (GeneralSecurityException e) {
            throw new CertificateException(
                    subject + " is not one that the mesh's roots vouch for now: " + e.getMessage(), e);
        }
        SpiffeId id = SpiffeId.of(shown[0]);
        if (!expected.test(id)) {
            throw new CertificateException(subject + " is " + id + ", expected another peer here");
        }
    }
}
