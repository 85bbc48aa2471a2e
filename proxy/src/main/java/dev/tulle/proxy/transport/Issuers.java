package dev.tulle.proxy.transport;

import dev.tulle.common.pki.Certificates;
import dev.tulle.common.pki.Pem;
import dev.tulle.common.pki.UnusableCertificateException;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.KeyStoreException;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Authorities that may have issued a certificate, and how a chain is verified with them. A file is read once for all
 * settings that name it: the list of a distribution has some hundred and fifty. Thread-safe.
 */
public final class Issuers {
    /** What was read of a file, as long as somebody uses it. */
    private record Known(Map<String, Object> stamp, WeakReference<Issuers> issuers) {}

    private static final Map<Path, Known> FILES = new HashMap<>();

    private final List<X509Certificate> certificates;
    private final X509TrustManager chains;

    private Issuers(List<X509Certificate> certificates) throws GeneralSecurityException {
        this.certificates = List.copyOf(certificates);
        KeyStore anchors = KeyStore.getInstance(KeyStore.getDefaultType());
        try {
            anchors.load(null, null);
        } catch (IOException e) {
            throw new KeyStoreException(e);
        }
        int number = 0;
        for (X509Certificate authority : certificates) {
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

    /**
     * Those of a file as it is now; blocks.
     *
     * @param now those that have expired are left out
     * @throws UnusableCertificateException when it cannot be read, or none is left
     */
    public static Issuers of(Path file, Instant now) throws UnusableCertificateException, GeneralSecurityException {
        Map<String, Object> stamp = stamp(file);
        synchronized (FILES) {
            Issuers known = known(file, stamp, now);
            if (known != null) {
                return known;
            }
            Issuers read = new Issuers(Certificates.authorities(Pem.read(file), now));
            FILES.values().removeIf(one -> one.issuers().refersTo(null));
            if (!stamp.isEmpty()) {
                FILES.put(file, new Known(stamp, new WeakReference<>(read)));
            }
            return read;
        }
    }

    /** These. */
    public static Issuers of(List<X509Certificate> authorities) throws GeneralSecurityException {
        return new Issuers(authorities);
    }

    /** Verifies the chain of a server. */
    public void checkServer(X509Certificate[] chain, String kind) throws CertificateException {
        chains.checkServerTrusted(chain, kind);
    }

    /** Verifies the chain of a client. */
    public void checkClient(X509Certificate[] chain, String kind) throws CertificateException {
        chains.checkClientTrusted(chain, kind);
    }

    /** For who asks a client for a certificate. */
    public X509Certificate[] accepted() {
        return chains.getAcceptedIssuers();
    }

    private static @Nullable Issuers known(Path file, Map<String, Object> stamp, Instant now) {
        Known known = FILES.get(file);
        Issuers issuers = known == null || !known.stamp().equals(stamp)
                ? null
                : known.issuers().get();
        boolean valid = issuers != null
                && issuers.certificates.stream()
                        .noneMatch(one -> now.isAfter(one.getNotAfter().toInstant()));
        return valid ? issuers : null;
    }

    private static Map<String, Object> stamp(Path file) {
        try {
            return Files.readAttributes(file, "unix:ctime,ino,dev,size,lastModifiedTime");
        } catch (IOException e) {
            // Reading it says why.
            return Map.of();
        }
    }

    X509TrustManager chains() {
        return chains;
    }

    List<X509Certificate> certificates() {
        return certificates;
    }
}
