package dev.tulle.identity.authority;

import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.interfaces.ECKey;
import java.security.spec.ECGenParameterSpec;

/** The kinds of keys that an authority makes for itself. */
public enum KeyKind {
    /** ECDSA on P-256: the default. */
    P256("secp256r1"),
    /** ECDSA on P-384. */
    P384("secp384r1");

    private final String curve;

    KeyKind(String curve) {
        this.curve = curve;
    }

    KeyPair generate() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec(curve));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java has ECDSA on " + curve, e);
        }
    }

    /** With what a key signs: the digest is as strong as the key. */
    static String signature(PrivateKey key) {
        if (key instanceof ECKey ec) {
            int bits = ec.getParams().getOrder().bitLength();
            return bits > 384 ? "SHA512withECDSA" : bits > 256 ? "SHA384withECDSA" : "SHA256withECDSA";
        }
        return "SHA256withRSA";
    }
}
