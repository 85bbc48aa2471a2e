package dev.tulle.identity.authority;

import dev.tulle.common.pki.UnusableCertificateException;
import java.security.GeneralSecurityException;
import java.security.InvalidAlgorithmParameterException;
import java.security.PublicKey;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXCertPathValidatorResult;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.time.Instant;
import java.util.Date;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Whether the certificates of an authority are such that what it signs will be believed. Stateless. */
final class ChainCheck {
    private static final int KEY_CERT_SIGN = 5;
    private static final int MIN_RSA = 2048;
    private static final int MIN_EC = 256;

    private ChainCheck() {}

    /**
     * What a check found.
     *
     * @param root the root that the chain ends at
     */
    record Found(X509Certificate root) {}

    /**
     * Checks the certificates of an issuer: all are authorities whose keys may sign certificates and are long enough, each
     * may have as many below it as it has, and the last one was signed by one of the roots.
     *
     * @param where for the error
     * @param chain the issuer's, followed by those above it, without the root; or the root alone
     * @throws UnusableCertificateException naming the certificate and the cause
     */
    static Found check(String where, List<X509Certificate> chain, List<X509Certificate> roots, Instant now)
            throws UnusableCertificateException {
        for (int i = 0; i < chain.size(); i++) {
            checkAuthority(where, chain.get(i), i);
        }
        X509Certificate root = root(where, chain, roots, now);
        checkAuthority(where, root, chain.contains(root) ? 0 : chain.size());
        for (X509Certificate other : roots) {
            checkAuthority(where, other, 0);
        }
        return new Found(root);
    }

    private static void checkAuthority(String where, X509Certificate certificate, int below)
            throws UnusableCertificateException {
        String name =
                "the certificate of " + certificate.getSubjectX500Principal().getName();
        if (certificate.getBasicConstraints() < 0) {
            throw new UnusableCertificateException(where, name + " is no authority's: expected CA:TRUE");
        }
        if (certificate.getBasicConstraints() < below) {
            throw new UnusableCertificateException(
                    where,
                    name + " allows " + certificate.getBasicConstraints() + " authorities below it, there are " + below
                            + ": expected a longer path length");
        }
        boolean[] usage = certificate.getKeyUsage();
        if (usage != null && !usage[KEY_CERT_SIGN]) {
            throw new UnusableCertificateException(where, name + " is not for signing: expected keyCertSign");
        }
        PublicKey key = certificate.getPublicKey();
        int bits =
                switch (key) {
                    case RSAPublicKey rsa -> rsa.getModulus().bitLength();
                    case ECPublicKey ec -> ec.getParams().getOrder().bitLength();
                    default -> 0;
                };
        if (bits < (key instanceof RSAPublicKey ? MIN_RSA : MIN_EC)) {
            throw new UnusableCertificateException(
                    where,
                    name + " has a key of kind " + key.getAlgorithm() + " and " + bits + " bits: expected RSA of "
                            + MIN_RSA + " or EC of " + MIN_EC + " bits, or more");
        }
    }

    private static X509Certificate root(
            String where, List<X509Certificate> chain, List<X509Certificate> roots, Instant now)
            throws UnusableCertificateException {
        if (roots.contains(chain.getFirst())) {
            return chain.getFirst();
        }
        Set<TrustAnchor> anchors = new HashSet<>();
        roots.forEach(root -> anchors.add(new TrustAnchor(root, null)));
        try {
            PKIXParameters parameters = new PKIXParameters(anchors);
            parameters.setRevocationEnabled(false);
            parameters.setDate(Date.from(now));
            PKIXCertPathValidatorResult result = (PKIXCertPathValidatorResult) CertPathValidator.getInstance("PKIX")
                    .validate(CertificateFactory.getInstance("X.509").generateCertPath(chain), parameters);
            return result.getTrustAnchor().getTrustedCert();
        } catch (CertPathValidatorException e) {
            throw new UnusableCertificateException(
                    where, "the issuer does not lead to a root in root-cert.pem: " + e.getMessage());
        } catch (InvalidAlgorithmParameterException e) {
            throw new UnusableCertificateException(where, "no root in root-cert.pem: " + e.getMessage());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java validates chains", e);
        }
    }
}
