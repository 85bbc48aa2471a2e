package dev.tulle.common.pki;

import java.io.ByteArrayOutputStream;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.List;

/** Reads private keys: PKCS #8, and the older forms of RSA and EC that OpenSSL writes, which are wrapped into it. */
final class PrivateKeys {
    /** PKCS #8 begins with its version 0. */
    private static final byte[] VERSION = {2, 1, 0};

    /** rsaEncryption, with its NULL parameters. */
    private static final byte[] RSA = {
        0x30, 0x0d, 0x06, 0x09, 0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00
    };

    /** id-ecPublicKey; the curve follows. */
    private static final byte[] EC = {0x06, 0x07, 0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 0x02, 0x01};

    private static final byte[] PROBE = {1, 2, 3, 4, 5, 6, 7, 8};

    private PrivateKeys() {}

    /** The key of a certificate. */
    static PrivateKey read(Pem pem, X509Certificate of) throws UnusableCertificateException {
        List<Pem.Block> keys = pem.blocks().stream()
                .filter(block -> block.label().endsWith("PRIVATE KEY"))
                .toList();
        if (keys.isEmpty()) {
            throw new UnusableCertificateException(pem.where(), "no private key in it, found " + pem.found());
        }
        if (keys.size() > 1) {
            throw new UnusableCertificateException(pem.where(), keys.size() + " private keys in it, expected one");
        }
        Pem.Block block = keys.get(0);
        if (block.isEncrypted()) {
            throw new UnusableCertificateException(
                    pem.where(), "the private key is encrypted, expected one without a password");
        }
        PublicKey publicKey = of.getPublicKey();
        if (!(publicKey instanceof RSAPublicKey) && !(publicKey instanceof ECPublicKey)) {
            throw new UnusableCertificateException(
                    pem.where(),
                    "its certificate has a key of kind " + publicKey.getAlgorithm() + ", expected RSA or EC");
        }
        byte[] pkcs8 = pkcs8(block.label(), pem.bytes(block), publicKey, pem.where());
        PrivateKey key = decode(pkcs8, publicKey, pem.where());
        if (!fits(key, publicKey)) {
            throw new UnusableCertificateException(
                    pem.where(),
                    "the private key is not that of the certificate for "
                            + of.getSubjectX500Principal().getName());
        }
        return key;
    }

    private static byte[] pkcs8(String label, byte[] der, PublicKey publicKey, String where)
            throws UnusableCertificateException {
        return switch (label) {
            case "PRIVATE KEY" -> der;
            case "RSA PRIVATE KEY" -> sequence(VERSION, RSA, tagged(4, der));
            // The curve is that of the certificate: a key of another one does not fit it, which is found below.
            case "EC PRIVATE KEY" -> sequence(VERSION, sequence(EC, curve(publicKey, where)), tagged(4, der));
            default -> throw new UnusableCertificateException(where, "a " + label + ", expected one of RSA or EC");
        };
    }

    /** The name of an EC key's curve as DER has it: the second part of the algorithm of the key's own encoding. */
    private static byte[] curve(PublicKey key, String where) throws UnusableCertificateException {
        byte[] encoded = key.getEncoded();
        int at = indexOf(encoded, EC) + EC.length;
        if (!(key instanceof ECPublicKey) || at < EC.length || encoded[at] != 6) {
            throw new UnusableCertificateException(where, "an EC key, but the certificate's is " + key.getAlgorithm());
        }
        byte[] oid = new byte[encoded[at + 1] + 2];
        System.arraycopy(encoded, at, oid, 0, oid.length);
        return oid;
    }

    private static int indexOf(byte[] in, byte[] part) {
        for (int i = 0; i + part.length + 2 < in.length; i++) {
            if (java.util.Arrays.equals(in, i, i + part.length, part, 0, part.length)) {
                return i;
            }
        }
        return -part.length - 1;
    }

    private static PrivateKey decode(byte[] pkcs8, PublicKey publicKey, String where)
            throws UnusableCertificateException {
        String algorithm = publicKey.getAlgorithm();
        try {
            return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
        } catch (GeneralSecurityException e) {
            throw new UnusableCertificateException(
                    where, "no private key of kind " + algorithm + ", which the certificate's is: " + e.getMessage());
        }
    }

    private static boolean fits(PrivateKey key, PublicKey publicKey) {
        try {
            Signature signature =
                    Signature.getInstance(publicKey instanceof RSAPublicKey ? "SHA256withRSA" : "SHA256withECDSA");
            signature.initSign(key);
            signature.update(PROBE);
            byte[] signed = signature.sign();
            signature.initVerify(publicKey);
            signature.update(PROBE);
            return signature.verify(signed);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private static byte[] sequence(byte[]... parts) {
        return tagged(0x30, parts);
    }

    private static byte[] tagged(int tag, byte[]... parts) {
        int length = 0;
        for (byte[] part : parts) {
            length += part.length;
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(length + 5);
        out.write(tag);
        if (length < 0x80) {
            out.write(length);
        } else {
            int bytes = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
            out.write(0x80 | bytes);
            for (int i = bytes - 1; i >= 0; i--) {
                out.write(length >> (8 * i));
            }
        }
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }
}
