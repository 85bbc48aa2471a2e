package dev.tulle.proxy.transport;

import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import javax.net.ssl.X509TrustManager;

/** Verifies peers: the chain as the JDK does, then the names. Thread-safe. */
final class PeerVerifier extends X509ExtendedTrustManager {
    private static final int DNS = 2;

    private final X509TrustManager chains;
    private final TlsTrust.Issued trust;

    PeerVerifier(TlsTrust.Issued trust) throws GeneralSecurityException {
        this.trust = trust;
        KeyStore anchors = KeyStore.getInstance(KeyStore.getDefaultType());
        try {
            anchors.load(null, null);
        } catch (java.io.IOException e) {
            throw new java.security.KeyStoreException(e);
        }
        int number = 0;
        for (X509Certificate authority : trust.authorities()) {
            anchors.setCertificateEntry("authority-" + number++, authority);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(anchors);
        TrustManager made = factory.getTrustManagers()[0];
        if (!(made instanceof X509TrustManager verifier)) {
            throw new GeneralSecurityException("no verifier of certificates: " + made);
        }
        chains = verifier;
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String kind) throws CertificateException {
        chains.checkServerTrusted(chain, kind);
        checkNames(chain[0]);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String kind) throws CertificateException {
        chains.checkClientTrusted(chain, kind);
        checkNames(chain[0]);
    }

    private void checkNames(X509Certificate peer) throws CertificateException {
        if (trust.names().isEmpty()) {
            return;
        }
        Collection<List<?>> all = peer.getSubjectAlternativeNames();
        if (all != null) {
            for (List<?> name : all) {
                if (trust.names().stream().anyMatch(expected -> isFor(name, expected))) {
                    return;
                }
            }
        }
        throw new CertificateException(
                "the certificate is for " + names(peer) + ", expected one of " + String.join(", ", trust.names()));
    }

    private static boolean isFor(List<?> name, String expected) {
        if (!(name.get(0) instanceof Integer kind) || !(name.get(1) instanceof String value)) {
            return false;
        }
        return kind == DNS ? isDnsFor(value, expected) : value.equals(expected);
    }

    /** A wildcard of a certificate stands for one whole first label (RFC 9525 section 6.3). */
    private static boolean isDnsFor(String certified, String expected) {
        String pattern = certified.toLowerCase(Locale.ROOT);
        String name = expected.toLowerCase(Locale.ROOT);
        if (!pattern.startsWith("*.")) {
            return pattern.equals(name);
        }
        int dot = name.indexOf('.');
        // "*.com" is for nobody.
        return dot > 0 && pattern.indexOf('.', 2) > 0 && name.substring(dot).equals(pattern.substring(1));
    }

    private static String names(X509Certificate peer) throws CertificateParsingException {
        Collection<List<?>> all = peer.getSubjectAlternativeNames();
        return all == null || all.isEmpty()
                ? "no name (" + peer.getSubjectX500Principal().getName() + ")"
                : String.join(
                        ", ",
                        all.stream().map(name -> String.valueOf(name.get(1))).toList());
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
        return chains.getAcceptedIssuers();
    }
}
