package dev.tulle.xds;

import com.google.protobuf.ByteString;
import java.io.ByteArrayInputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.CRLException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Whom to believe: what is not in it is not believed any more.
 *
 * @param roots certificates of roots, the one that signs first
 * @param revoked signed lists of revoked certificates, one for each issuer
 */
public record Trust(List<X509Certificate> roots, List<X509CRL> revoked) {
    /** Roots, or lists, at once; there are two of each at most. */
    static final int MAX = 64;

    /** Digits of SHA-256. */
    static final int FINGERPRINT = 64;

    public Trust {
        roots = List.copyOf(roots);
        revoked = List.copyOf(revoked);
    }

    /** SHA-256 of the roots' certificates, hexadecimal. */
    public Set<String> fingerprints() {
        return roots.stream().map(Trust::fingerprint).collect(Collectors.toUnmodifiableSet());
    }

    private static String fingerprint(X509Certificate root) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(root.getEncoded()));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("a certificate that was read can be written", e);
        }
    }

    dev.tulle.xds.proto.tulle.Trust encode() {
        var out = dev.tulle.xds.proto.tulle.Trust.newBuilder();
        try {
            for (X509Certificate root : roots) {
                out.addRoots(ByteString.copyFrom(root.getEncoded()));
            }
            for (X509CRL list : revoked) {
                out.addRevoked(ByteString.copyFrom(list.getEncoded()));
            }
        } catch (CertificateEncodingException | CRLException e) {
            throw new IllegalStateException("a certificate that was read can be written", e);
        }
        return out.build();
    }

    /**
     * Reads one.
     *
     * @throws GeneralSecurityException when something in it cannot be read: nothing of it is to be used then
     */
    static Trust decode(dev.tulle.xds.proto.tulle.Trust trust) throws GeneralSecurityException {
        if (trust.getRootsCount() == 0 || trust.getRootsCount() > MAX || trust.getRevokedCount() > MAX) {
            throw new GeneralSecurityException(
                    trust.getRootsCount() + " roots, " + trust.getRevokedCount() + " lists, expected 1 to " + MAX);
        }
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<X509Certificate> roots = new ArrayList<>();
        for (var root : trust.getRootsList()) {
            roots.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(root.toByteArray())));
        }
        List<X509CRL> revoked = new ArrayList<>();
        for (var list : trust.getRevokedList()) {
            revoked.add((X509CRL) factory.generateCRL(new ByteArrayInputStream(list.toByteArray())));
        }
        return new Trust(roots, revoked);
    }
}
