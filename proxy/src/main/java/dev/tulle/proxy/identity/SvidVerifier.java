package dev.tulle.proxy.identity;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.proxy.transport.Issuers;
import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Verifies peers of the mesh: a chain to one of its roots, a leaf as the X.509-SVID standard has it, an identity of this
 * trust domain. Which one it has to be is asked by whoever connects. Thread-safe.
 */
final class SvidVerifier extends X509ExtendedTrustManager {
    private final String trustDomain;
    private final Issuers roots;
    private final InstantSource clock;

    SvidVerifier(String trustDomain, Issuers roots, InstantSource clock) {
        this.trustDomain = trustDomain;
        this.roots = roots;
        this.clock = clock;
    }

    private void check(X509Certificate[] chain) throws CertificateException {
        SpiffeId found = Svid.of(chain[0], clock.instant());
        if (!found.trustDomain().equals(trustDomain)) {
            throw new CertificateException(
                    "the certificate is for " + found + ", expected one of the trust domain " + trustDomain);
        }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String kind) throws CertificateException {
        roots.checkServer(chain, kind);
        check(chain);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String kind) throws CertificateException {
        roots.checkClient(chain, kind);
        check(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String kind, SSLEngine engine) throws CertificateException {
        checkServerTrusted(chain, kind);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String kind, SSLEngine engine) throws CertificateException {
        checkClientTrusted(chain, kind);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String kind, Socket socket) throws CertificateException {
        checkServerTrusted(chain, kind);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String kind, Socket socket) throws CertificateException {
        checkClientTrusted(chain, kind);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return roots.accepted();
    }
}
