package dev.tulle.identity.authority;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.HexFormat;

/** Short names of certificates and keys: SHA-256 over their DER, as everybody's tools show it. Stateless. */
public final class Fingerprints {
    private static final int SHORT = 8;

    private Fingerprints() {}

    /** Of a certificate: 64 lower-case hexadecimal digits. */
    public static String of(X509Certificate certificate) {
        try {
            return of(certificate.getEncoded());
        } catch (CertificateEncodingException e) {
            throw new IllegalStateException("a certificate that was read can be written", e);
        }
    }

    static String of(byte[] der) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(der));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    static String shortOf(byte[] der) {
        return of(der).substring(0, SHORT);
    }
}
