package dev.tulle.common.pki;

import java.security.GeneralSecurityException;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Arrays;
import java.util.Date;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import javax.security.auth.x500.X500Principal;

/**
 * Believes certificates that the mesh's roots vouch for and whose SPIFFE identity is one that is expected; names of hosts
 * count for nothing. The roots are asked for in each handshake. Thread-safe.
 */
public final class MeshTrust extends ShownTrust {
    /** Certificates of a chain; ours have four at most. */
    private static final int MAX_SHOWN = 16;

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
        check(shown, trusted, expected, Instant.now());
    }

    /** The same at another time. */
    public static void check(
            X509Certificate[] shown, List<X509Certificate> trusted, Predicate<SpiffeId> expected, Instant at)
            throws CertificateException {
        if (shown.length == 0) {
            throw new CertificateException("no certificate was shown");
        }
        if (shown.length > MAX_SHOWN) {
            throw new CertificateException(shown.length + " certificates were shown, expected at most " + MAX_SHOWN);
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
        validate(subject, chain, anchors, at);
        SpiffeId id = SpiffeId.of(shown[0]);
        if (!expected.test(id)) {
            throw new CertificateException(subject + " is " + id + ", expected another peer here");
        }
    }

    /**
     * The chain as far as one of the anchors: what is shown after that is for those who trust another one, as the new root
     * signed by the old one while it takes its place.
     */
    private static void validate(String subject, List<X509Certificate> chain, Set<TrustAnchor> anchors, Instant at)
            throws CertificateException {
        GeneralSecurityException why = new CertificateException("none of them has issued one that was shown");
        for (int length = 1; length <= chain.size(); length++) {
            X500Principal issuer = chain.get(length - 1).getIssuerX500Principal();
            if (anchors.stream()
                    .noneMatch(anchor ->
                            anchor.getTrustedCert().getSubjectX500Principal().equals(issuer))) {
                continue;
            }
            try {
                CertPath path = CertificateFactory.getInstance("X.509").generateCertPath(chain.subList(0, length));
                PKIXParameters parameters = new PKIXParameters(anchors);
                parameters.setRevocationEnabled(false);
                parameters.setDate(Date.from(at));
                CertPathValidator.getInstance("PKIX").validate(path, parameters);
                return;
            } catch (GeneralSecurityException e) {
                why = e;
            }
        }
        throw new CertificateException(
                subject + " is not one that the mesh's roots vouch for now: " + why.getMessage(), why);
    }
}
