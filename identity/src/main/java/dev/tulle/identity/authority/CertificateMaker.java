package dev.tulle.identity.authority;

import dev.tulle.common.pki.SpiffeId;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Date;
import java.util.Locale;
import org.bouncycastle.asn1.x500.RDN;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.AuthorityKeyIdentifier;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectKeyIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.jspecify.annotations.Nullable;

/** Makes certificates, by the profile of the X.509-SVID standard. Thread-safe. */
final class CertificateMaker {
    /** Bytes of a serial number; RFC 5280 allows 20, and asks for a positive number. */
    private static final int SERIAL_BYTES = 16;

    /** Certificates of authorities that may stand below each kind: a leaf's chain is at most issuer, cross-signed root. */
    private static final int BELOW_ROOT = 2;

    private static final int BELOW_CROSS = 1;

    private static final X500Name NOBODY = new X500Name(new RDN[0]);

    private final SecureRandom random;

    CertificateMaker(SecureRandom random) {
        this.random = random;
    }

    /** How long something holds. */
    record Validity(Instant from, Instant until) {}

    /** A root of its own, for a trust domain. */
    X509Certificate root(KeyPair key, String trustDomain, Validity validity) {
        X500Name name = name("root", key.getPublic(), trustDomain);
        return authority(
                name, key.getPrivate(), null, new Authority(name, key.getPublic(), BELOW_ROOT), trustDomain, validity);
    }

    /** An intermediate below a root. */
    X509Certificate intermediate(
            PublicKey key, X509Certificate root, PrivateKey rootKey, String trustDomain, Validity validity) {
        Authority subject = new Authority(name("intermediate", key, trustDomain), key, 0);
        return authority(nameOf(root), rootKey, root, subject, trustDomain, validity);
    }

    /**
     * A root's name and key, signed by another root: who trusts only that one believes, through this, what the first
     * signs. It holds no longer than both.
     */
    X509Certificate cross(X509Certificate root, X509Certificate by, PrivateKey byKey, String trustDomain, Instant now) {
        Instant own = root.getNotAfter().toInstant();
        Instant signers = by.getNotAfter().toInstant();
        Instant until = own.isBefore(signers) ? own : signers;
        Authority subject = new Authority(nameOf(root), root.getPublicKey(), BELOW_CROSS);
        return authority(nameOf(by), byKey, by, subject, trustDomain, new Validity(now, until));
    }

    /** A leaf for an identity: signs in handshakes, in both roles of TLS, and nothing else. */
    X509Certificate leaf(PublicKey key, SpiffeId identity, SigningAuthority by, Validity validity) {
        X509v3CertificateBuilder builder = builder(nameOf(by.issuer()), NOBODY, key, validity);
        try {
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
            builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
            builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(new KeyPurposeId[] {
                KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth
            }));
            builder.addExtension(Extension.authorityKeyIdentifier, false, keyOf(by.issuer()));
            // Critical, as the subject is empty (RFC 5280, 4.2.1.6).
            builder.addExtension(Extension.subjectAlternativeName, true, uri(identity.toString()));
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException("a certificate for " + identity + " cannot be put together", e);
        }
        return signed(builder, by.key());
    }

    private record Authority(X500Name name, PublicKey key, int below) {}

    private X509Certificate authority(
            X500Name issuer,
            PrivateKey issuerKey,
            @Nullable X509Certificate issuerCertificate,
            Authority subject,
            String trustDomain,
            Validity validity) {
        X509v3CertificateBuilder builder = builder(issuer, subject.name(), subject.key(), validity);
        try {
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(subject.below()));
            builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
            builder.addExtension(Extension.subjectKeyIdentifier, false, identifier(subject.key()));
            if (issuerCertificate != null) {
                builder.addExtension(Extension.authorityKeyIdentifier, false, keyOf(issuerCertificate));
            }
            builder.addExtension(
                    Extension.subjectAlternativeName, false, uri(new SpiffeId(trustDomain, "").toString()));
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException("a certificate for " + subject.name() + " cannot be put together", e);
        }
        return signed(builder, issuerKey);
    }

    private X509v3CertificateBuilder builder(X500Name issuer, X500Name subject, PublicKey key, Validity validity) {
        return new X509v3CertificateBuilder(
                issuer,
                serial(),
                Date.from(validity.from()),
                Date.from(validity.until()),
                Locale.ROOT,
                subject,
                SubjectPublicKeyInfo.getInstance(key.getEncoded()));
    }

    private BigInteger serial() {
        byte[] bytes = new byte[SERIAL_BYTES];
        random.nextBytes(bytes);
        // Positive, and always of the same length.
        bytes[0] = (byte) ((bytes[0] & 0x3f) | 0x40);
        return new BigInteger(1, bytes);
    }

    private static X509Certificate signed(X509v3CertificateBuilder builder, PrivateKey key) {
        try {
            byte[] der = builder.build(new JcaContentSignerBuilder(KeyKind.signature(key)).build(key))
                    .getEncoded();
            return (X509Certificate)
                    CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
        } catch (OperatorCreationException | IOException | GeneralSecurityException e) {
            throw new IllegalStateException("a certificate cannot be signed: " + e.getMessage(), e);
        }
    }

    /** Names of authorities differ with their keys, so that chains can be told apart by names. */
    private static X500Name name(String what, PublicKey key, String trustDomain) {
        return new X500NameBuilder(BCStyle.INSTANCE)
                .addRDN(BCStyle.O, trustDomain)
                .addRDN(BCStyle.CN, "Tulle " + what + " " + Fingerprints.shortOf(key.getEncoded()))
                .build();
    }

    static X500Name nameOf(X509Certificate certificate) {
        return X500Name.getInstance(certificate.getSubjectX500Principal().getEncoded());
    }

    private static SubjectKeyIdentifier identifier(PublicKey key) throws GeneralSecurityException {
        return new JcaX509ExtensionUtils().createSubjectKeyIdentifier(key);
    }

    /** The identifier that an issuer has, however it was made. */
    static AuthorityKeyIdentifier keyOf(X509Certificate issuer) throws IOException, GeneralSecurityException {
        byte[] own = issuer.getExtensionValue(Extension.subjectKeyIdentifier.getId());
        SubjectKeyIdentifier identifier = own == null
                ? identifier(issuer.getPublicKey())
                : SubjectKeyIdentifier.getInstance(JcaX509ExtensionUtils.parseExtensionValue(own));
        return new AuthorityKeyIdentifier(identifier.getKeyIdentifier());
    }

    private static GeneralNames uri(String text) {
        return new GeneralNames(new GeneralName(GeneralName.uniformResourceIdentifier, text));
    }
}
