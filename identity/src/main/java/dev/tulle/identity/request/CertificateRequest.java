package dev.tulle.identity.request;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.security.PublicKey;
import java.util.Set;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x9.X9ObjectIdentifiers;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.PKCSException;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemReader;

/**
 * What somebody asks a certificate for: a key, of which he has shown that he holds its private half. The names that a
 * request (PKCS #10) may have in it are not read: whose the certificate is, the authority knows from elsewhere.
 *
 * @param key one of a kind that is signed
 */
public record CertificateRequest(PublicKey key) {
    /** Bytes of one, as PEM: those of the longest RSA key with some names are below 4 KiB. */
    public static final int MAX_BYTES = 8 << 10;

    private static final Set<ASN1ObjectIdentifier> SIGNATURES = Set.of(
            X9ObjectIdentifiers.ecdsa_with_SHA256,
            X9ObjectIdentifiers.ecdsa_with_SHA384,
            X9ObjectIdentifiers.ecdsa_with_SHA512,
            PKCSObjectIdentifiers.sha256WithRSAEncryption,
            PKCSObjectIdentifiers.sha384WithRSAEncryption,
            PKCSObjectIdentifiers.sha512WithRSAEncryption);

    /**
     * Reads one from PEM.
     *
     * @throws InvalidRequestException when it cannot be read, is not signed by its key, or has a key that is not signed
     */
    public static CertificateRequest ofPem(String pem) throws InvalidRequestException {
        checkLength(pem.length());
        PemObject block;
        PemObject more;
        try (PemReader reader = new PemReader(new StringReader(pem))) {
            block = reader.readPemObject();
            more = block == null ? null : reader.readPemObject();
        } catch (IOException | RuntimeException e) {
            throw new InvalidRequestException("the request is no PEM: " + e.getMessage());
        }
        if (block == null) {
            throw new InvalidRequestException("the request is no PEM, expected one CERTIFICATE REQUEST");
        }
        if (more != null || !block.getType().endsWith("CERTIFICATE REQUEST")) {
            throw new InvalidRequestException("the request holds something else, expected one CERTIFICATE REQUEST");
        }
        return ofDer(block.getContent());
    }

    /**
     * Reads one from DER, or from PEM when it begins as PEM does.
     *
     * @throws InvalidRequestException as {@link #ofPem}
     */
    public static CertificateRequest of(byte[] request) throws InvalidRequestException {
        checkLength(request.length);
        return request.length > 0 && request[0] == '-'
                ? ofPem(new String(request, StandardCharsets.ISO_8859_1))
                : ofDer(request);
    }

    private static CertificateRequest ofDer(byte[] der) throws InvalidRequestException {
        try {
            PKCS10CertificationRequest request = new PKCS10CertificationRequest(der);
            ASN1ObjectIdentifier algorithm = request.getSignatureAlgorithm().getAlgorithm();
            if (!SIGNATURES.contains(algorithm)) {
                throw new InvalidRequestException("the request is signed with " + algorithm.getId()
                        + ", expected ECDSA or RSA (PKCS #1) with SHA-256, SHA-384 or SHA-512");
            }
            PublicKey key = KeyPolicy.check(request.getSubjectPublicKeyInfo());
            if (!request.isSignatureValid(new JcaContentVerifierProviderBuilder().build(key))) {
                throw new InvalidRequestException("the request is not signed by the key in it");
            }
            return new CertificateRequest(key);
        } catch (OperatorCreationException | PKCSException | IOException | RuntimeException | StackOverflowError e) {
            throw new InvalidRequestException("the request cannot be read: " + e.getMessage());
        }
    }

    private static void checkLength(int length) throws InvalidRequestException {
        if (length > MAX_BYTES) {
            throw new InvalidRequestException("the request has " + length + " bytes, expected at most " + MAX_BYTES);
        }
    }
}
