package dev.tulle.identity.request;

import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.spec.X509EncodedKeySpec;
import java.util.Map;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.sec.SECObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.asn1.x9.X9ObjectIdentifiers;
import org.bouncycastle.crypto.params.AsymmetricKeyParameter;
import org.bouncycastle.crypto.params.RSAKeyParameters;
import org.bouncycastle.crypto.util.PublicKeyFactory;

/**
 * Which keys are signed: EC on P-256, P-384 or P-521, named and with a point on the curve; RSA of 2048 to 4096 bits with an
 * odd exponent from 65537 to 32 bits. Stateless.
 */
final class KeyPolicy {
    private static final Map<ASN1ObjectIdentifier, String> CURVES = Map.of(
            SECObjectIdentifiers.secp256r1, "P-256",
            SECObjectIdentifiers.secp384r1, "P-384",
            SECObjectIdentifiers.secp521r1, "P-521");

    private static final int MIN_RSA = 2048;
    private static final int MAX_RSA = 4096;

    /** Bytes of an RSA key of the longest kind, with room for its frame: what is longer is not even looked at. */
    private static final int MAX_KEY_BYTES = 640;

    private static final int MAX_EXPONENT_BITS = 32;
    private static final BigInteger MIN_EXPONENT = BigInteger.valueOf(65537);
    private static final String EXPECTED =
            ", expected EC on P-256, P-384 or P-521, or RSA of " + MIN_RSA + " to " + MAX_RSA + " bits";

    private KeyPolicy() {}

    /**
     * The key, when it is one that is signed.
     *
     * @throws InvalidRequestException when it is not
     */
    static PublicKey check(SubjectPublicKeyInfo info) throws InvalidRequestException {
        AlgorithmIdentifier algorithm = info.getAlgorithm();
        if (info.getPublicKeyData().getBytes().length > MAX_KEY_BYTES) {
            throw new InvalidRequestException("the key is too long" + EXPECTED);
        }
        if (algorithm.getAlgorithm().equals(X9ObjectIdentifiers.id_ecPublicKey)) {
            if (!(algorithm.getParameters() instanceof ASN1ObjectIdentifier curve) || !CURVES.containsKey(curve)) {
                throw new InvalidRequestException("the key is on another curve" + EXPECTED);
            }
            decode(info);
            return made(info, "EC");
        }
        if (algorithm.getAlgorithm().equals(PKCSObjectIdentifiers.rsaEncryption)) {
            checkRsa(info);
            return made(info, "RSA");
        }
        throw new InvalidRequestException(
                "the key is of kind " + algorithm.getAlgorithm().getId() + EXPECTED);
    }

    private static void checkRsa(SubjectPublicKeyInfo info) throws InvalidRequestException {
        if (!(decode(info) instanceof RSAKeyParameters key)) {
            throw new InvalidRequestException("the key is no RSA key" + EXPECTED);
        }
        int bits = key.getModulus().bitLength();
        if (bits < MIN_RSA || bits > MAX_RSA) {
            throw new InvalidRequestException("the key has " + bits + " bits" + EXPECTED);
        }
        BigInteger exponent = key.getExponent();
        if (exponent.compareTo(MIN_EXPONENT) < 0 || exponent.bitLength() > MAX_EXPONENT_BITS || !exponent.testBit(0)) {
            throw new InvalidRequestException("the key's exponent has " + exponent.bitLength()
                    + " bits, expected an odd one from 65537 to 32 bits");
        }
    }

    /** Reads it as BouncyCastle does, which refuses points off the curve and moduli with small factors. */
    private static AsymmetricKeyParameter decode(SubjectPublicKeyInfo info) throws InvalidRequestException {
        try {
            return PublicKeyFactory.createKey(info);
        } catch (IOException | RuntimeException e) {
            throw new InvalidRequestException("the key cannot be used: " + e.getMessage());
        }
    }

    private static PublicKey made(SubjectPublicKeyInfo info, String algorithm) throws InvalidRequestException {
        try {
            return KeyFactory.getInstance(algorithm).generatePublic(new X509EncodedKeySpec(info.getEncoded()));
        } catch (GeneralSecurityException | IOException e) {
            throw new InvalidRequestException("the key cannot be used: " + e.getMessage());
        }
    }
}
