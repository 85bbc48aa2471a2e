package dev.tulle.common.pki;

import java.io.ByteArrayInputStream;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** Reads certificates. What cannot be used is refused by a sentence that names the file and the cause. */
public final class Certificates {
    /** Certificates of one chain. */
    private static final int MAX_CHAIN = 16;

    private Certificates() {}

    /**
     * A certificate with its chain and its key.
     *
     * @param now must be within the time for which every certificate is valid
     */
    public static TlsIdentity identity(Pem chain, Pem key, Instant now) throws UnusableCertificateException {
        TlsIdentity identity = identity(chain, key);
        for (X509Certificate certificate : identity.chain()) {
            checkTime(chain.where(), certificate, now);
        }
        return identity;
    }

    /** The same whatever the time is. */
    public static TlsIdentity identity(Pem chain, Pem key) throws UnusableCertificateException {
        List<X509Certificate> certificates = read(chain);
        if (certificates.size() > MAX_CHAIN) {
            throw new UnusableCertificateException(
                    chain.where(), certificates.size() + " certificates in a chain, expected at most " + MAX_CHAIN);
        }
        checkOrder(chain.where(), certificates);
        return new TlsIdentity(
                certificates, PrivateKeys.read(key, certificates.get(0)), chain.where() + " and " + key.where());
    }

    /** Certificates of authorities, also those that have expired. */
    public static List<X509Certificate> authorities(Pem pem) throws UnusableCertificateException {
        return read(pem);
    }

    /** Certificates of authorities; those that have expired are left out, and it is an error if none is left. */
    public static List<X509Certificate> authorities(Pem pem, Instant now) throws UnusableCertificateException {
        List<X509Certificate> all = read(pem);
        List<X509Certificate> valid = all.stream()
                .filter(certificate -> !now.isAfter(certificate.getNotAfter().toInstant()))
                .toList();
        if (valid.isEmpty()) {
            checkTime(pem.where(), all.get(0), now);
        }
        return valid;
    }

    private static List<X509Certificate> read(Pem pem) throws UnusableCertificateException {
        List<X509Certificate> certificates = new ArrayList<>();
        for (Pem.Block block : pem.blocks()) {
            if (block.label().equals("CERTIFICATE") || block.label().equals("X509 CERTIFICATE")) {
                certificates.add(parse(pem, block, certificates.size() + 1));
            }
        }
        if (certificates.isEmpty()) {
            throw new UnusableCertificateException(pem.where(), "no certificate in it, found " + pem.found());
        }
        return certificates;
    }

    private static X509Certificate parse(Pem pem, Pem.Block block, int number) throws UnusableCertificateException {
        byte[] der = pem.bytes(block);
        try {
            return (X509Certificate)
                    CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
        } catch (CertificateException e) {
            throw new UnusableCertificateException(
                    pem.where(), "certificate " + number + " cannot be read: " + e.getMessage());
        }
    }

    private static void checkTime(String where, X509Certificate certificate, Instant now)
            throws UnusableCertificateException {
        Instant from = certificate.getNotBefore().toInstant();
        Instant until = certificate.getNotAfter().toInstant();
        if (now.isBefore(from)) {
            throw new UnusableCertificateException(
                    where, "the certificate for " + subject(certificate) + " is not valid before " + from);
        }
        if (now.isAfter(until)) {
            throw new UnusableCertificateException(
                    where, "the certificate for " + subject(certificate) + " expired at " + until);
        }
    }

    /** Each certificate must have been issued by the one after it. */
    private static void checkOrder(String where, List<X509Certificate> chain) throws UnusableCertificateException {
        for (int i = 1; i < chain.size(); i++) {
            X509Certificate issued = chain.get(i - 1);
            X509Certificate issuer = chain.get(i);
            if (!isIssuer(issuer, issued)) {
                boolean elsewhere = chain.stream().anyMatch(other -> isIssuer(other, issued));
                throw new UnusableCertificateException(
                        where,
                        "certificate " + (i + 1) + " (" + subject(issuer) + ") has not issued certificate " + i + " ("
                                + subject(issued) + "), which is from "
                                + issued.getIssuerX500Principal().getName() + ": the chain is "
                                + (elsewhere ? "out of order" : "incomplete"));
            }
        }
    }

    private static boolean isIssuer(X509Certificate issuer, X509Certificate of) {
        if (!issuer.getSubjectX500Principal().equals(of.getIssuerX500Principal())) {
            return false;
        }
        try {
            of.verify(issuer.getPublicKey());
            return true;
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private static String subject(X509Certificate certificate) {
        String name = certificate.getSubjectX500Principal().getName();
        return name.isEmpty() ? "an empty subject" : name;
    }
}
