package dev.tulle.proxy.identity;

import dev.tulle.common.pki.SpiffeId;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/** Who the other end of a connection has shown to be. */
public final class Svid {
    private Svid() {}

    /**
     * The identity of the other end. A session that is resumed was verified when it began: whether its certificate still
     * holds is asked here.
     *
     * @throws CertificateException when it is none, or none any more
     */
    public static SpiffeId of(SSLSession session) throws CertificateException {
        return of(leaf(session), Instant.now());
    }

    /** The certificate of the other end. */
    public static X509Certificate leaf(SSLSession session) throws CertificateException {
        try {
            Certificate[] chain = session.getPeerCertificates();
            if (chain.length > 0 && chain[0] instanceof X509Certificate leaf) {
                return leaf;
            }
            throw new CertificateException("the other end has shown no certificate");
        } catch (SSLPeerUnverifiedException e) {
            throw new CertificateException("the other end has shown no certificate", e);
        }
    }

    static SpiffeId of(X509Certificate leaf, Instant now) throws CertificateException {
        if (now.isBefore(leaf.getNotBefore().toInstant())) {
            throw new CertificateException(
                    "the certificate is not valid before " + leaf.getNotBefore().toInstant());
        }
        if (now.isAfter(leaf.getNotAfter().toInstant())) {
            throw new CertificateException(
                    "the certificate expired at " + leaf.getNotAfter().toInstant());
        }
        return SpiffeId.of(leaf);
    }
}
