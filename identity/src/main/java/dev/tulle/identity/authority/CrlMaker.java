package dev.tulle.identity.authority;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.Date;
import org.bouncycastle.asn1.x509.CRLNumber;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** Makes signed lists of revoked certificates (RFC 5280, section 5). Thread-safe. */
final class CrlMaker {
    /** How long a list holds; it is made anew far more often, and a longer absence of the authority ends its leaves anyway. */
    static final Duration LIFE = Duration.ofDays(7);

    private CrlMaker() {}

    /** The list of one issuer. Its number is the millisecond in which it is made: later lists have higher ones. */
    static X509CRL make(SigningAuthority by, Collection<Revocations.Revoked> revoked, Instant now) {
        X509v2CRLBuilder builder = new X509v2CRLBuilder(CertificateMaker.nameOf(by.issuer()), Date.from(now));
        builder.setNextUpdate(Date.from(now.plus(LIFE)));
        for (Revocations.Revoked one : revoked) {
            builder.addCRLEntry(one.issued().serial(), Date.from(one.at()), CRLReason.unspecified);
        }
        try {
            builder.addExtension(Extension.authorityKeyIdentifier, false, CertificateMaker.keyOf(by.issuer()));
            builder.addExtension(Extension.cRLNumber, false, new CRLNumber(BigInteger.valueOf(now.toEpochMilli())));
            byte[] der = builder.build(new JcaContentSignerBuilder(KeyKind.signature(by.key())).build(by.key()))
                    .getEncoded();
            return (X509CRL) CertificateFactory.getInstance("X.509").generateCRL(new ByteArrayInputStream(der));
        } catch (IOException | GeneralSecurityException | OperatorCreationException e) {
            throw new IllegalStateException("a list of revoked certificates cannot be signed", e);
        }
    }
}
