package dev.tulle.proxy.transport;

import dev.tulle.model.UpstreamTls;
import java.net.InetAddress;
import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;
import javax.net.ssl.X509TrustManager;

/** Verifies peers: the chain as the JDK does, then the names. Thread-safe. */
final class PeerVerifier extends X509ExtendedTrustManager {
    /** Kinds of names as certificates number them (RFC 5280, GeneralName). */
    private static final int EMAIL = 1;

    private static final int DNS = 2;
    private static final int URI = 6;
    private static final int ADDRESS = 7;

    private final X509TrustManager chains;
    private final TlsTrust.Issued trust;

    PeerVerifier(TlsTrust.Issued trust) {
        this.trust = trust;
        this.chains = trust.authorities().chains();
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
        return switch (UpstreamTls.kindOf(expected)) {
            case DNS -> kind == DNS && isDnsFor(value, expected);
            case URI -> kind == URI && value.equals(expected);
            case EMAIL -> kind == EMAIL && value.equals(expected);
            case ADDRESS -> kind == ADDRESS && isSameAddress(value, expected);
        };
    }

    private static boolean isSameAddress(String certified, String expected) {
        try {
            return InetAddress.ofLiteral(certified).equals(InetAddress.ofLiteral(expected));
        } catch (IllegalArgumentException e) {
            return false;
        }
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

    /** Some of the names that it is for: a server may have put anything there. */
    private static String names(X509Certificate peer) throws CertificateParsingException {
        Collection<List<?>> all = peer.getSubjectAlternativeNames();
        if (all == null || all.isEmpty()) {
            return "no name";
        }
        String some = String.join(
                ", ",
                all.stream().limit(3).map(name -> String.valueOf(name.get(1))).toList());
        return (some.length() > 200 ? some.substring(0, 200) + "…" : some).replaceAll("[^ -~…]", "?")
                + (all.size() > 3 ? " and others" : "");
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
