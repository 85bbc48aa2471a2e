package dev.tulle.identity.authority;

import dev.tulle.common.PrivateFiles;
import dev.tulle.common.pki.Pem;
import dev.tulle.common.pki.UnusableCertificateException;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.util.Optional;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PKCS8Generator;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.openssl.jcajce.JceOpenSSLPKCS8EncryptorBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.pkcs.PKCS8EncryptedPrivateKeyInfo;
import org.bouncycastle.pkcs.PKCSException;
import org.bouncycastle.pkcs.jcajce.JcePKCSPBEInputDecryptorProviderBuilder;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemReader;
import org.bouncycastle.util.io.pem.PemWriter;

/**
 * Reads and writes keys of an authority, encrypted where there is a passphrase: PKCS #8 with PBES2, PBKDF2 over
 * HMAC-SHA-256 and AES-256-CBC, which openssl reads and writes. Thread-safe.
 */
final class Passphrase {
    private static final String ENCRYPTED = "ENCRYPTED PRIVATE KEY";
    private static final String PLAIN = "PRIVATE KEY";

    /** Rounds of PBKDF2: about half a second, once at the start (OWASP's figure for SHA-256). */
    private static final int ROUNDS = 600_000;

    private static final int MAX_LENGTH = 1024;

    private final Optional<char[]> text;
    private final String source;

    private Passphrase(Optional<char[]> text, String source) {
        this.text = text;
        this.source = source;
    }

    /** Keys are written as they are. */
    static Passphrase none() {
        return new Passphrase(Optional.empty(), "no file");
    }

    /**
     * The first line of a file that nobody else may read.
     *
     * @throws IOException when it cannot be read, others may read it, or it is empty
     */
    static Passphrase of(Path file) throws IOException {
        PrivateFiles.checkSecret(file);
        if (Files.size(file) > MAX_LENGTH) {
            throw new IOException(file + ": more than " + MAX_LENGTH + " bytes, expected a passphrase");
        }
        String line = Files.readString(file, StandardCharsets.UTF_8)
                .lines()
                .findFirst()
                .orElse("");
        if (line.isEmpty()) {
            throw new IOException(file + ": the first line is empty, expected a passphrase");
        }
        return new Passphrase(Optional.of(line.toCharArray()), file.toString());
    }

    /** A key file's text. */
    String encode(PrivateKey key) {
        StringWriter out = new StringWriter();
        try (PemWriter writer = new PemWriter(out)) {
            if (text.isEmpty()) {
                writer.writeObject(new PemObject(PLAIN, key.getEncoded()));
            } else {
                writer.writeObject(new JcaPKCS8Generator(
                                key,
                                new JceOpenSSLPKCS8EncryptorBuilder(PKCS8Generator.AES_256_CBC)
                                        .setProvider(new BouncyCastleProvider())
                                        .setPRF(PKCS8Generator.PRF_HMACSHA256)
                                        .setIterationCount(ROUNDS)
                                        .setPassword(text.get())
                                        .build())
                        .generate());
            }
        } catch (IOException | OperatorCreationException e) {
            throw new IllegalStateException("a key cannot be written", e);
        }
        return out.toString();
    }

    /**
     * A key file as one without encryption.
     *
     * @throws UnusableCertificateException when it is encrypted and this is not its passphrase
     */
    Pem decode(Pem file) throws UnusableCertificateException {
        if (!file.text().contains("BEGIN " + ENCRYPTED)) {
            return file;
        }
        if (text.isEmpty()) {
            throw new UnusableCertificateException(
                    file.where(), "the key is encrypted, expected --ca-passphrase-file to name its passphrase");
        }
        try (PemReader reader = new PemReader(new StringReader(file.text()))) {
            PemObject block = reader.readPemObject();
            if (block == null || !block.getType().equals(ENCRYPTED)) {
                throw new UnusableCertificateException(file.where(), "expected one " + ENCRYPTED + " and nothing else");
            }
            PrivateKeyInfo key = new PKCS8EncryptedPrivateKeyInfo(block.getContent())
                    .decryptPrivateKeyInfo(new JcePKCSPBEInputDecryptorProviderBuilder()
                            .setProvider(new BouncyCastleProvider())
                            .build(text.get()));
            StringWriter plain = new StringWriter();
            try (PemWriter writer = new PemWriter(plain)) {
                writer.writeObject(new PemObject(PLAIN, key.getEncoded()));
            }
            return new Pem(file.where(), plain.toString());
        } catch (IOException | PKCSException | RuntimeException e) {
            // What the cipher says of the padding helps nobody.
            throw new UnusableCertificateException(
                    file.where(), "the key cannot be decrypted with the passphrase in " + source);
        }
    }

    /** Without the passphrase. */
    @Override
    public String toString() {
        return text.isEmpty() ? "no passphrase" : "the passphrase in " + source;
    }
}
