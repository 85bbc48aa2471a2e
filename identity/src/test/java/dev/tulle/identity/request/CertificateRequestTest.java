package dev.tulle.identity.request;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.RSAKeyGenParameterSpec;
import java.util.Arrays;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.junit.jupiter.api.Test;

/** What is taken as a request for a certificate, and what is not. */
class CertificateRequestTest {
    private static KeyPair ec(String curve) throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec(curve));
        return generator.generateKeyPair();
    }

    private static KeyPair rsa(int bits, long exponent) throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(new RSAKeyGenParameterSpec(bits, BigInteger.valueOf(exponent)));
        return generator.generateKeyPair();
    }

    private static byte[] request(KeyPair key, KeyPair signer, String algorithm) throws Exception {
        return new JcaPKCS10CertificationRequestBuilder(new X500Name("CN=admin"), key.getPublic())
                .build(new JcaContentSignerBuilder(algorithm).build(signer.getPrivate()))
                .getEncoded();
    }

    private static String refusal(byte[] request) {
        return String.valueOf(assertThrows(InvalidRequestException.class, () -> CertificateRequest.of(request))
                .getMessage());
    }

    @Test
    void readsWhatItMakes() throws Exception {
        KeyPair key = CsrMaker.newKey();
        assertEquals(key.getPublic(), CertificateRequest.of(CsrMaker.der(key)).key());
        assertEquals(
                key.getPublic(), CertificateRequest.ofPem(CsrMaker.pem(key)).key());
        assertEquals(
                key.getPublic(),
                CertificateRequest.of(CsrMaker.pem(key).getBytes(StandardCharsets.US_ASCII))
                        .key());
        assertTrue(CsrMaker.keyPem(key).startsWith("-----BEGIN PRIVATE KEY-----\n"));
    }

    @Test
    void takesTheKeysThatAreSigned() throws Exception {
        for (String curve : new String[] {"secp256r1", "secp384r1", "secp521r1"}) {
            KeyPair key = ec(curve);
            assertEquals(
                    key.getPublic(),
                    CertificateRequest.of(request(key, key, "SHA256withECDSA")).key());
        }
        KeyPair rsa = rsa(2048, 65537);
        assertEquals(
                rsa.getPublic(),
                CertificateRequest.of(request(rsa, rsa, "SHA256withRSA")).key());
    }

    @Test
    void refusesAKeyThatItsSenderDoesNotHold() throws Exception {
        KeyPair key = CsrMaker.newKey();
        assertTrue(refusal(request(key, CsrMaker.newKey(), "SHA256withECDSA")).contains("not signed by the key in it"));
    }

    @Test
    void refusesWeakKeysAndSignatures() throws Exception {
        KeyPair small = rsa(1024, 65537);
        assertTrue(refusal(request(small, small, "SHA256withRSA")).contains("1024 bits"));
        KeyPair three = rsa(2048, 3);
        assertTrue(refusal(request(three, three, "SHA256withRSA")).contains("exponent"));
        KeyPair sha1 = CsrMaker.newKey();
        assertTrue(refusal(request(sha1, sha1, "SHA1withECDSA")).contains("expected ECDSA or RSA"));
        KeyPair ed = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
        assertTrue(refusal(request(ed, ed, "Ed25519")).contains("expected ECDSA or RSA"));
    }

    @Test
    void refusesWhatIsNoRequest() throws Exception {
        byte[] good = CsrMaker.der(CsrMaker.newKey());
        for (byte[] bad : new byte[][] {
            {},
            {0x30},
            "-----BEGIN".getBytes(StandardCharsets.US_ASCII),
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".getBytes(StandardCharsets.US_ASCII),
            Arrays.copyOf(good, good.length - 1),
            new byte[CertificateRequest.MAX_BYTES + 1],
            nested(CertificateRequest.MAX_BYTES / 2)
        }) {
            refusal(bad);
        }
        KeyPair key = CsrMaker.newKey();
        assertThrows(
                InvalidRequestException.class, () -> CertificateRequest.ofPem(CsrMaker.pem(key) + CsrMaker.pem(key)));
    }

    @Test
    void everyChangedByteIsRefusedOrChangesNothingThatCounts() throws Exception {
        KeyPair key = CsrMaker.newKey();
        byte[] good = CsrMaker.der(key);
        for (int i = 0; i < good.length; i++) {
            byte[] bad = good.clone();
            bad[i] ^= 0x01;
            try {
                assertEquals(key.getPublic(), CertificateRequest.of(bad).key(), "byte " + i);
            } catch (InvalidRequestException e) {
                // Most are.
            }
        }
    }

    /** Sequences in sequences of unknown length. */
    private static byte[] nested(int depth) {
        byte[] out = new byte[2 * depth];
        for (int i = 0; i < out.length; i += 2) {
            out[i] = 0x30;
            out[i + 1] = (byte) 0x80;
        }
        return out;
    }
}
