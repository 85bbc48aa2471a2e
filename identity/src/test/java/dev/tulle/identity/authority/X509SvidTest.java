package dev.tulle.identity.authority;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.pki.SpiffeId;
import java.io.ByteArrayInputStream;
import java.math.BigInteger;
import java.security.KeyPair;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.junit.jupiter.api.Test;

/** The identity in a certificate, by the rules of the X.509-SVID standard: what is read, and what is nobody's. */
class X509SvidTest {
    private static final String REVIEWS = "spiffe://cluster.local/ns/default/sa/reviews";
    private static final KeyPair KEY = KeyKind.P256.generate();

    private record Leaf(List<GeneralName> names, boolean critical, Optional<BasicConstraints> constraints, int usage) {
        Leaf(String... uris) {
            this(
                    List.of(uris).stream()
                            .map(uri -> name(GeneralName.uniformResourceIdentifier, uri))
                            .toList(),
                    false,
                    Optional.of(new BasicConstraints(false)),
                    KeyUsage.digitalSignature);
        }

        Leaf and(GeneralName name) {
            List<GeneralName> more = new ArrayList<>(names);
            more.add(name);
            return new Leaf(more, critical, constraints, usage);
        }

        Leaf constrained(Optional<BasicConstraints> other) {
            return new Leaf(names, critical, other, usage);
        }

        Leaf used(int other) {
            return new Leaf(names, critical, constraints, other);
        }

        Leaf marked() {
            return new Leaf(names, true, constraints, usage);
        }

        X509Certificate made() throws Exception {
            X509v3CertificateBuilder builder = new X509v3CertificateBuilder(
                    new X500Name("CN=issuer"),
                    BigInteger.ONE,
                    Date.from(Instant.now()),
                    Date.from(Instant.now().plusSeconds(60)),
                    Locale.ROOT,
                    new X500Name("CN=" + REVIEWS),
                    SubjectPublicKeyInfo.getInstance(KEY.getPublic().getEncoded()));
            if (constraints.isPresent()) {
                builder.addExtension(Extension.basicConstraints, true, constraints.get());
            }
            if (usage != 0) {
                builder.addExtension(Extension.keyUsage, true, new KeyUsage(usage));
            }
            if (!names.isEmpty()) {
                builder.addExtension(
                        Extension.subjectAlternativeName,
                        critical,
                        new GeneralNames(names.toArray(new GeneralName[0])));
            }
            byte[] der = builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(KEY.getPrivate()))
                    .getEncoded();
            return (X509Certificate)
                    CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
        }
    }

    private static GeneralName name(int kind, String text) {
        return new GeneralName(kind, text);
    }

    private static void nobody(String why, Leaf leaf) {
        String told =
                String.valueOf(assertThrows(CertificateException.class, () -> SpiffeId.of(leaf.made()), leaf.toString())
                        .getMessage());
        assertTrue(told.contains(why), () -> told + ": expected '" + why + "'");
    }

    @Test
    void readsTheOneUri() throws Exception {
        assertEquals(REVIEWS, SpiffeId.of(new Leaf(REVIEWS).made()).toString());
        assertEquals(REVIEWS, SpiffeId.of(new Leaf(REVIEWS).marked().made()).toString());
        assertEquals(
                REVIEWS,
                SpiffeId.of(new Leaf(REVIEWS)
                                .and(name(GeneralName.dNSName, "reviews.default"))
                                .and(name(GeneralName.iPAddress, "10.0.0.1"))
                                .made())
                        .toString());
        assertEquals(
                REVIEWS,
                SpiffeId.of(new Leaf(REVIEWS).constrained(Optional.empty()).made())
                        .toString());
        assertEquals(
                REVIEWS,
                SpiffeId.of(new Leaf(REVIEWS)
                                .used(KeyUsage.digitalSignature | KeyUsage.keyEncipherment)
                                .made())
                        .toString());
    }

    @Test
    void noneOrTwoUrisAreNobody() {
        nobody("no names in it", new Leaf());
        nobody("0 URIs", new Leaf().and(name(GeneralName.dNSName, "reviews")));
        nobody("2 URIs", new Leaf(REVIEWS, "spiffe://cluster.local/ns/default/sa/admin"));
        nobody("2 URIs", new Leaf(REVIEWS, REVIEWS));
        nobody("2 URIs", new Leaf(REVIEWS, "https://example.org/"));
    }

    @Test
    void aNameElsewhereCountsForNothing() {
        nobody("0 URIs", new Leaf().and(name(GeneralName.dNSName, "cluster.local")));
        nobody("0 URIs", new Leaf().and(name(GeneralName.rfc822Name, "spiffe@cluster.local")));
    }

    @Test
    void anAuthorityIsNobody() {
        nobody("that of an authority", new Leaf(REVIEWS).constrained(Optional.of(new BasicConstraints(true))));
        nobody("that of an authority", new Leaf(REVIEWS).constrained(Optional.of(new BasicConstraints(0))));
        nobody("may sign certificates", new Leaf(REVIEWS).used(KeyUsage.digitalSignature | KeyUsage.keyCertSign));
        nobody("may sign certificates", new Leaf(REVIEWS).used(KeyUsage.digitalSignature | KeyUsage.cRLSign));
    }

    @Test
    void aKeyThatIsNotForSignaturesIsNobody() {
        nobody("does not say what its key is for", new Leaf(REVIEWS).used(0));
        nobody("not for digitalSignature", new Leaf(REVIEWS).used(KeyUsage.keyEncipherment));
    }

    @Test
    void whatIsNoIdentityIsNobody() {
        for (String bad : List.of(
                "SPIFFE://cluster.local/ns/default/sa/reviews",
                "spiffe://CLUSTER.local/ns/default/sa/reviews",
                "https://cluster.local/ns/default/sa/reviews",
                "spiffe://cluster.local/ns/default/sa/reviews?admin",
                "spiffe://cluster.local/ns/default/sa/reviews#admin",
                "spiffe://cluster.local/ns/default/sa/reviews/",
                "spiffe://cluster.local//ns/default/sa/reviews",
                "spiffe://cluster.local/ns/default/../kube-system/sa/reviews",
                "spiffe://cluster.local/ns/default/sa/%72eviews",
                "spiffe://cluster.local:443/ns/default/sa/reviews",
                "spiffe://root@cluster.local/ns/default/sa/reviews",
                "spiffe:cluster.local/ns/default/sa/reviews",
                "spiffe:///ns/default/sa/reviews")) {
            nobody("no identity's", new Leaf(bad));
        }
    }

    /** A reader that stops at the NUL would see the first part alone. */
    @Test
    void aZeroByteIsNobody() {
        nobody("cannot be read", new Leaf(REVIEWS + "\0.example.org"));
        nobody("cannot be read", new Leaf("spiffe://cluster.local\0.example.org/ns/default/sa/reviews"));
        assertThrows(
                CertificateException.class,
                () -> SpiffeId.of(new Leaf(REVIEWS + "\0").marked().made()));
    }
}
