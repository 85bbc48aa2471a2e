package dev.tulle.identity.request;

import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import org.bouncycastle.asn1.x500.RDN;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemWriter;

/** Makes keys and the requests for their certificates. Thread-safe. */
public final class CsrMaker {
    private static final X500Name NOBODY = new X500Name(new RDN[0]);

    private CsrMaker() {}

    /** A new key, ECDSA on P-256. */
    public static KeyPair newKey() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java has ECDSA on P-256", e);
        }
    }

    /**
     * A request for a key's certificate, as DER. It names nobody: whose the certificate is, the authority decides.
     *
     * @param key of {@link #newKey}
     */
    public static byte[] der(KeyPair key) {
        try {
            return new JcaPKCS10CertificationRequestBuilder(NOBODY, key.getPublic())
                    .build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate()))
                    .getEncoded();
        } catch (OperatorCreationException | IOException e) {
            throw new IllegalStateException(
                    "a request cannot be signed with a key of kind "
                            + key.getPublic().getAlgorithm(),
                    e);
        }
    }

    /** The same as PEM. */
    public static String pem(KeyPair key) {
        return pem("CERTIFICATE REQUEST", der(key));
    }

    /** A private key as PEM (PKCS #8), without a password. */
    public static String keyPem(KeyPair key) {
        return pem("PRIVATE KEY", key.getPrivate().getEncoded());
    }

    private static String pem(String label, byte[] der) {
        StringWriter text = new StringWriter();
        try (PemWriter writer = new PemWriter(text)) {
            writer.writeObject(new PemObject(label, der));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text.toString();
    }
}
