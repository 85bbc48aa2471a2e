package dev.tulle.common.pki;

import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * The rules of the X.509-SVID standard for a leaf, sections 2 to 4. Stateless.
 *
 * @see <a href="https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md">The X.509 SVID</a>
 */
final class X509Svid {
    /** The kind of a name that is a URI (RFC 5280, GeneralName). */
    private static final int URI = 6;

    private static final String NAMES = "2.5.29.17";

    /** Bits of the key usage (RFC 5280, 4.2.1.3). */
    private static final int DIGITAL_SIGNATURE = 0;

    private static final int KEY_CERT_SIGN = 5;
    private static final int CRL_SIGN = 6;

    private X509Svid() {}

    static SpiffeId identity(X509Certificate certificate) throws CertificateException {
        if (certificate.getBasicConstraints() >= 0) {
            throw wrong("it is that of an authority, expected a leaf");
        }
        boolean[] usage = certificate.getKeyUsage();
        if (usage == null) {
            throw wrong("it does not say what its key is for, expected digitalSignature");
        }
        if (usage[KEY_CERT_SIGN] || usage[CRL_SIGN]) {
            throw wrong("its key may sign certificates or lists of revoked ones, expected a leaf's");
        }
        if (!usage[DIGITAL_SIGNATURE]) {
            throw wrong("its key is not for digitalSignature");
        }
        List<String> uris = uris(certificate);
        if (uris.size() != 1) {
            throw wrong(uris.size() + " URIs among its names, expected exactly one");
        }
        try {
            return SpiffeId.parse(uris.getFirst());
        } catch (IllegalArgumentException e) {
            throw new CertificateException("the certificate is no identity's: " + e.getMessage(), e);
        }
    }

    private static List<String> uris(X509Certificate certificate) throws CertificateException {
        Collection<List<?>> names;
        try {
            names = certificate.getSubjectAlternativeNames();
        } catch (CertificateParsingException e) {
            throw new CertificateException("the certificate is no identity's: its names cannot be read", e);
        }
        if (names == null) {
            // The JDK leaves out names that it cannot read when they are not marked critical.
            throw wrong(
                    certificate.getExtensionValue(NAMES) == null
                            ? "no names in it, expected exactly one URI"
                            : "its names cannot be read");
        }
        List<String> uris = new ArrayList<>();
        for (List<?> name : names) {
            if (name.get(0) instanceof Integer kind && kind == URI) {
                uris.add(String.valueOf(name.get(1)));
            }
        }
        return uris;
    }

    private static CertificateException wrong(String why) {
        return new CertificateException("the certificate is no identity's: " + why);
    }
}
